"""The shape of a submitted form. Untrusted text ends here; nothing deeper sees pydantic."""

from typing import Annotated, Final

from email_validator import EmailNotValidError, validate_email
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    StringConstraints,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from functions.submit_referral.fields import Fields, is_storable
from shared.domain.errors import FieldError, InvalidFieldsError
from shared.domain.leads import Lead, Submission
from shared.domain.partners import CATEGORIES

_MAX_EMAIL: Final = 254
_MAX_EMPLOYEES: Final = 1_000_000_000
MAX_SEVERAL: Final = 8
"""As many as can share a referral."""

_YES: Final = frozenset({"1", "true", "on", "yes", "y"})
_NO: Final = frozenset({"", "0", "false", "off", "no", "n"})

_MESSAGES: Final = {
    "missing": ("required", "is required"),
    "required": ("required", "is required"),
    "string_type": ("wrong_type", "must be a text"),
    "string_too_long": ("too_long", "is too long"),
    "string_unicode": ("bad_characters", "holds characters that are not Unicode text"),
    "bad_characters": ("bad_characters", "holds control characters"),
    "bad_email": ("bad_email", "is not an e-mail address"),
    "out_of_range": ("out_of_range", f"must be from 0 to {_MAX_EMPLOYEES}"),
    "too_many": ("too_many", f"at most {MAX_SEVERAL} of them"),
    "not_a_category": ("not_allowed", "must be some of " + ", ".join(CATEGORIES)),
    "not_a_choice": ("wrong_type", "must be true or false"),
}
"""Kind of the schema's complaint -> our code and sentence. Its own text may quote the value."""


def _filled(value: object) -> object:
    # A form sends every field; an empty one, or null, is one that was not filled in.
    return "" if value is None else value


def _one_line(text: str) -> str:
    if any(char in text for char in "\r\n\t") or not is_storable(text):
        raise PydanticCustomError("bad_characters", "bad characters")
    return text


def _many_lines(text: str) -> str:
    if not is_storable(text):
        raise PydanticCustomError("bad_characters", "bad characters")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _email(text: str) -> str:
    if not text:
        raise PydanticCustomError("required", "required")
    try:
        # `.test` is reserved for trying things out; mail is never sent from here.
        found = validate_email(text, check_deliverability=False, test_environment=True)
    except EmailNotValidError as error:
        raise PydanticCustomError("bad_email", "bad e-mail") from error
    return found.normalized


def _count(value: object) -> object:
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    if not 0 <= value <= _MAX_EMPLOYEES:
        raise PydanticCustomError("out_of_range", "out of range")
    return str(value)


def _yes_or_no(value: object) -> object:
    if value is None or isinstance(value, bool):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _YES | _NO:
            return word in _YES
    raise PydanticCustomError("not_a_choice", "not a choice")


def _several(value: object) -> object:
    # One or many, each filled in.
    values = value if isinstance(value, list) else [value]
    filled = [each for each in values if each not in ("", None)]
    if len(filled) > MAX_SEVERAL:
        raise PydanticCustomError("too_many", "too many")
    return tuple(filled)


def _distinct(values: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(value for value in values if value))


def _categories(values: tuple[str, ...]) -> tuple[str, ...]:
    if not set(values) <= set(CATEGORIES):
        raise PydanticCustomError("not_a_category", "not a category")
    return tuple(name for name in CATEGORIES if name in values)


_Name = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=200),
    AfterValidator(_one_line),
    BeforeValidator(_filled),
]
_Short = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=100),
    AfterValidator(_one_line),
    BeforeValidator(_filled),
]
_Long = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=2_000),
    AfterValidator(_one_line),
    BeforeValidator(_filled),
]
_Text = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=5_000),
    AfterValidator(_many_lines),
    BeforeValidator(_filled),
]
_Email = Annotated[
    str,
    StringConstraints(strict=True, strip_whitespace=True, max_length=_MAX_EMAIL),
    AfterValidator(_one_line),
    AfterValidator(_email),
    BeforeValidator(_filled),
]
_Codes = Annotated[tuple[_Short, ...], AfterValidator(_distinct), BeforeValidator(_several)]
_Tokens = Annotated[tuple[_Long, ...], AfterValidator(_distinct), BeforeValidator(_several)]
_Declared = Annotated[tuple[_Short, ...], AfterValidator(_categories), BeforeValidator(_several)]
_YesOrNo = Annotated[bool, BeforeValidator(_yes_or_no)]


class Form(BaseModel):
    """The fields that a form may fill, and the most that each may hold."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    email: _Email
    first_name: _Name = ""
    last_name: _Name = ""
    company: _Name = ""
    website: _Long = ""
    phone: _Short = ""
    country: _Short = ""
    employees: Annotated[_Short, BeforeValidator(_count)] = ""
    message: _Text = ""
    code: _Codes = ()
    via: _Short = ""
    click_id: _Tokens = ()
    consent: _YesOrNo = False
    declared: _Declared = ()


def read_submission(fields: Fields) -> Submission:
    """Return the submission that the fields make.

    Raises:
        InvalidFieldsError: naming every field that is wrong, without quoting what was sent.
    """
    try:
        form = Form.model_validate(dict(fields.known))
    except ValidationError as error:
        raise InvalidFieldsError(_field_errors(error)) from None
    lead = Lead(
        email=form.email,
        first_name=form.first_name,
        last_name=form.last_name,
        company=form.company,
        website=form.website,
        phone=form.phone,
        country=form.country,
        employees=str(form.employees),
        message=form.message,
        consent=form.consent,
        utm=fields.utm,
        metadata=fields.metadata,
    )
    return Submission(
        lead=lead,
        codes=form.code,
        via=form.via,
        click_ids=form.click_id,
        declared=form.declared,
        trapped=fields.trapped,
    )


def _field_errors(error: ValidationError) -> list[FieldError]:
    errors: dict[str, FieldError] = {}
    for complaint in error.errors(include_url=False, include_context=False, include_input=False):
        code, message = _MESSAGES.get(complaint["type"], ("invalid", "is not valid"))
        path = str(complaint["loc"][0])
        # Of several values each may be wrong; one complaint for the field is enough.
        errors.setdefault(path, FieldError(path=path, code=code, message=message))
    return list(errors.values())
