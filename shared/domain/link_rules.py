"""What may be saved as a link. The redirect trusts it and checks nothing again."""

import re
from collections.abc import Iterator, Mapping
from typing import Final

from shared.domain.errors import FieldError, InvalidFieldsError
from shared.domain.links import PRECEDENCES, UTM_PREFIX, Link

MAX_UTM: Final = 10
MAX_UTM_VALUE: Final = 200
MAX_CAMPAIGNS: Final = 50
MAX_CAMPAIGN: Final = 100
MAX_CLICK_CAP: Final = 1_000_000_000
MAX_TEXTS: Final = 2_900
"""Bytes of all texts of a link together: its row is read for half a unit, so up to 4 KB."""

EVERY_CAMPAIGN: Final = "*"
"""Stands for all campaigns, and for links of none, in a programme's UTM templates."""

PLACEHOLDERS: Final = ("partner", "campaign", "code")
_PLACEHOLDER: Final = re.compile(r"\{([a-z]+)\}")

Utm = Mapping[str, str]
Templates = Mapping[str, Utm]
"""UTM values by campaign; those of a campaign go before those of every campaign."""


def resolved_utm(link: Link, templates: Templates) -> dict[str, str]:
    """Return the UTM values that the link sends: its own, else its campaign's, else everybody's.

    A value that comes to nothing, such as the campaign of a link that has none, is left out, and
    an empty one of the link's own switches a template's off. No name of a person is filled in:
    the partner is known by its id.
    """
    merged = {
        **templates.get(EVERY_CAMPAIGN, {}),
        **(templates.get(link.campaign, {}) if link.campaign != EVERY_CAMPAIGN else {}),
        **link.own_utm,
    }
    fills = {"partner": link.partner_id, "campaign": link.campaign, "code": link.code}
    filled = {
        name: _PLACEHOLDER.sub(lambda found: fills.get(found[1], found[0]), value)
        for name, value in merged.items()
    }
    return {name: value for name, value in filled.items() if value}


def check_link(link: Link) -> None:
    """Demand that everything but code and destination, which have checks of their own, may be.

    Raises:
        InvalidFieldsError: naming every wrong field.
    """
    errors = [*_utm_errors(link.own_utm, "utm"), *_total_errors(link)]
    if link.precedence not in PRECEDENCES:
        errors.append(_refused("precedence", "must be one of " + ", ".join(PRECEDENCES)))
    if link.campaign == EVERY_CAMPAIGN:
        errors.append(_refused("campaign", f"must not be {EVERY_CAMPAIGN}"))
    if not 0 <= link.click_cap <= MAX_CLICK_CAP:
        message = f"must be 1 to {MAX_CLICK_CAP}"
        errors.append(FieldError(path="click_cap", code="out_of_range", message=message))
    if errors:
        raise InvalidFieldsError(errors)


def check_size(link: Link) -> None:
    """Demand that a link is read as cheaply as any other.

    Raises:
        InvalidFieldsError: on ``destination``, the longest of its texts as a rule.
    """
    utm = (*link.utm.items(), *link.own_utm.items())
    texts = (link.destination, link.fallback_url, link.campaign, link.asset, link.click_param)
    size = sum(len(text.encode()) for text in (*texts, *(part for pair in utm for part in pair)))
    if size > MAX_TEXTS:
        message = f"with fallback and UTM values at most {MAX_TEXTS} bytes"
        error = FieldError(path="destination", code="too_long", message=message)
        raise InvalidFieldsError([error])


def template_errors(templates: Templates) -> Iterator[FieldError]:
    """Yield what is wrong with a programme's UTM templates."""
    if len(templates) > MAX_CAMPAIGNS:
        message = f"at most {MAX_CAMPAIGNS} campaigns"
        yield FieldError(path="utm_templates", code="too_many", message=message)
    for campaign, utm in templates.items():
        path = f"utm_templates.{campaign[:MAX_CAMPAIGN]}"
        if not 0 < len(campaign) <= MAX_CAMPAIGN or not campaign.isprintable():
            yield _refused(path, f"must be a campaign, or {EVERY_CAMPAIGN} for all of them")
        yield from _utm_errors(utm, path)


def _utm_errors(utm: Utm, path: str) -> Iterator[FieldError]:
    for name, value in utm.items():
        own = f"{path}.{name[:MAX_CAMPAIGN]}"
        if not name.startswith(UTM_PREFIX):
            yield _refused(own, "names begin with utm_")
        unknown = _PLACEHOLDER.sub(
            lambda found: "" if found[1] in PLACEHOLDERS else found[0], value
        )
        if "{" in unknown or "}" in unknown:
            allowed = ", ".join("{" + name + "}" for name in PLACEHOLDERS)
            yield _refused(own, f"only {allowed} are filled in")


def _total_errors(link: Link) -> Iterator[FieldError]:
    if len(link.utm) > MAX_UTM:
        message = f"at most {MAX_UTM} together with the templates"
        yield FieldError(path="utm", code="too_many", message=message)
    for name, value in link.utm.items():
        if len(value) > MAX_UTM_VALUE:
            message = f"at most {MAX_UTM_VALUE} characters once it is filled in"
            yield FieldError(path=f"utm.{name}", code="too_long", message=message)


def _refused(path: str, message: str) -> FieldError:
    return FieldError(path=path, code="not_allowed", message=message)
