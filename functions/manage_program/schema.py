"""The shapes of bodies. Unknown fields are refused; texts are bounded; nothing is coerced."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final, TypeVar

# The zones that zoneinfo reads where the image has none.
import tzdata  # type: ignore[import-untyped] # noqa: F401
from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from shared.domain.errors import FieldError, InvalidFieldsError, invalid

MAX_ERRORS: Final = 50
_MAX_PATH: Final = 120

_NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"
Id = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_-]{1,80}$")]
Text = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=_NO_CONTROLS)]
Label = Annotated[str, StringConstraints(max_length=100, pattern=_NO_CONTROLS)]
Address = Annotated[str, StringConstraints(max_length=2_000)]
Country = Annotated[str, StringConstraints(pattern=r"^(?:[A-Z]{2})?$")]


def _email(text: str) -> str:
    try:
        # `.test` is reserved for trying things out, and no look-up is made.
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise PydanticCustomError("bad_email", "bad e-mail") from error
    return found.normalized


Email = Annotated[str, StringConstraints(max_length=254), AfterValidator(_email)]
Words = Annotated[list[Label], Field(max_length=10)]
Hosts = Annotated[list[Address], Field(max_length=50)]
Utm = Annotated[dict[Label, Label], Field(max_length=10)]
Templates = Annotated[dict[Label, Utm], Field(max_length=50)]


class Shape(BaseModel):
    """Strict: wrong types and unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class NewProgram(Shape):
    """``POST /programs``."""

    id: Id | None = None
    name: Text
    currency: Label
    time_zone: Label = "UTC"
    status: Label = "active"
    enrolment: Label = "invitation"
    landing_hosts: Hosts = []
    allowed_origins: Hosts = []
    thank_you_url: Address = ""
    fallback_url: Address = ""
    click_param: Label = "click_id"
    utm_templates: Templates = {}
    keeps_ad_ids: bool = False
    privacy_signals: Label = "gpc"
    publish_rewards: bool = False
    adjustment_limit: Label = "500.00"


class ProgramChanges(Shape):
    """``PATCH /programs/{id}``: what is absent stays."""

    name: Text = ""
    currency: Label = ""
    time_zone: Label = ""
    status: Label = ""
    enrolment: Label = ""
    landing_hosts: Hosts = []
    allowed_origins: Hosts = []
    thank_you_url: Address = ""
    fallback_url: Address = ""
    click_param: Label = ""
    utm_templates: Templates = {}
    keeps_ad_ids: bool = False
    privacy_signals: Label = ""
    publish_rewards: bool = False
    adjustment_limit: Label = ""


class NewPartner(Shape):
    """``POST /partners``."""

    name: Text
    email: Email
    kind: Label
    country: Country = ""
    status: Label = "active"
    categories: Words = []


class PartnerChanges(Shape):
    """``PATCH /partners/{id}``: what is absent stays. Another status needs a reason."""

    name: Text = ""
    email: Email = ""
    kind: Label = ""
    country: Country = ""
    status: Label = ""
    categories: Words = []
    reason: Annotated[str, StringConstraints(max_length=1_000)] = ""


class NewEnrolment(Shape):
    """``POST /enrolments``."""

    partner_id: Id
    program_id: Id
    accept_terms: bool
    accept_documents: Annotated[dict[Label, Text], Field(max_length=10)] = {}
    tier: Label = ""
    group: Label = ""
    cause: Label = ""


class NewLink(Shape):
    """``POST /links``."""

    partner_id: Id
    program_id: Id
    destination: Address
    code: Label | None = None
    utm: Utm = {}
    expires_at: Label | None = None
    campaign: Label = ""
    asset: Label = ""
    precedence: Label = "query_wins"
    add_via: bool = True
    click_cap: int | None = None


class LinkChanges(Shape):
    """``PATCH /links/{code}``: what is absent stays; null takes an end or a cap away."""

    destination: Address = ""
    utm: Utm = {}
    expires_at: Label | None = None
    campaign: Label = ""
    asset: Label = ""
    precedence: Label = ""
    add_via: bool = True
    click_cap: int | None = None
    disabled: bool = False


class NewSource(Shape):
    """``POST /sources``; the stage map is read by the domain."""

    program_id: Id
    kind: Label
    name: Text
    secret: Annotated[str, StringConstraints(max_length=500)] | None = None
    stage_map: list[Any]
    default_currency: Label = ""
    amount_is: Label = "gross"


class SourceChanges(Shape):
    """``PATCH /sources/{id}``: what is absent stays. Kind and secret are for good."""

    name: Text = ""
    stage_map: list[Any] = []
    default_currency: Label = ""
    amount_is: Label = ""


class NewReview(Shape):
    """``POST /referrals/{id}/review``."""

    decision: Label
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class NewKey(Shape):
    """``POST /keys``."""

    principal: Text
    scopes: Annotated[list[Label], Field(max_length=20)]


_Shape = TypeVar("_Shape", bound=Shape)

_KINDS: Final[dict[str, tuple[str, str]]] = {
    "missing": ("required", "is required"),
    "extra_forbidden": ("unknown_field", "is not a field of this resource"),
    "string_too_short": ("required", "must not be empty"),
    "string_too_long": ("too_long", "is too long"),
    "too_long": ("too_many", "has too many entries"),
    "string_pattern_mismatch": ("not_allowed", "has characters that are not allowed"),
    "bad_email": ("bad_email", "is not an e-mail address"),
    "string_unicode": ("bad_characters", "holds characters that are not Unicode text"),
}


def read(shape: type[_Shape], body: object) -> _Shape:
    """Return the body in its shape.

    Raises:
        InvalidFieldsError: naming every wrong field, never its value.
    """
    try:
        return shape.model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
    raise InvalidFieldsError(_field_error(item["type"], item["loc"]) for item in found[:MAX_ERRORS])


def _field_error(kind: str, location: tuple[int | str, ...]) -> FieldError:
    path = ""
    for part in location:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part != "[key]":
            path += f".{part}" if path else part
    code, message = _KINDS.get(kind, ("wrong_type", "has the wrong type"))
    return FieldError(path=path[:_MAX_PATH] or "$", code=code, message=message)


def given(shape: Shape) -> dict[str, Any]:
    """Return the fields that came with the body."""
    return shape.model_dump(exclude_unset=True)


def moment(text: str | None, path: str) -> datetime | None:
    """Read an RFC 3339 time with an offset.

    Raises:
        InvalidFieldsError: when it is none.
    """
    if text is None:
        return None
    try:
        value = datetime.fromisoformat(text)
        if value.tzinfo is not None:
            return value.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise invalid(path, "not_a_time", "must be a time such as 2027-01-31T12:00:00Z") from error
    raise invalid(path, "not_a_time", "must have an offset such as Z")
