"""Leads: the person and company that a partner introduces, as a form hands them over."""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Final

_DOTLESS: Final = frozenset({"gmail.com", "googlemail.com"})
"""Providers that ignore dots in the local part, and say so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lead:
    """Who is introduced. Personal data: it is stored in the vault and nowhere else."""

    email: str
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    website: str = ""
    phone: str = ""
    country: str = ""
    employees: str = ""
    message: str = ""
    consent: bool = False
    utm: Mapping[str, str] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One form as it arrived, checked in shape.

    ``codes`` were typed by a person, ``via`` is the code that a short link left on the page,
    ``click_ids`` are signed click tokens; both in the order in which they were sent. ``declared``
    are the categories that it tells of the introduction. ``trapped`` says that the field which
    people can't see was filled.
    """

    lead: Lead
    codes: tuple[str, ...] = ()
    via: str = ""
    click_ids: tuple[str, ...] = ()
    declared: tuple[str, ...] = ()
    trapped: bool = False


def normalise_email(address: str) -> str:
    """Return the form of an address under which two spellings are the same person.

    Only for matching, never for writing to: lower case, ``+tag`` dropped, dots dropped where the
    provider ignores them, the domain in its ASCII form. Changing this rule orphans every stored
    look-up.
    """
    text = unicodedata.normalize("NFKC", address).strip().lower()
    local, _, domain = text.rpartition("@")
    domain = _ascii_domain(domain.rstrip("."))
    base = local.split("+", 1)[0] or local
    if domain in _DOTLESS:
        base = base.replace(".", "") or base
        domain = "gmail.com"
    return f"{base}@{domain}"


def normalise_domain(domain: str) -> str:
    """Return the form of a domain that normalised addresses end in."""
    text = unicodedata.normalize("NFKC", domain).strip().lower()
    return _ascii_domain(text.rstrip("."))


def _ascii_domain(domain: str) -> str:
    try:
        return domain.encode("idna").decode("ascii").lower()
    except UnicodeError:
        # Not a host name. It still matches itself, which is all that a look-up needs.
        return domain


def digest(program_id: str, submission: Submission) -> str:
    """Return the SHA-256, in hexadecimal, of what was received, so that both sides can compare.

    The canonical form is compact JSON with sorted keys of the programme and the checked fields.
    It holds no secret and no time: the same form always has the same digest.
    """
    fields = {
        **asdict(submission.lead),
        "code": _one_or_list(submission.codes),
        "via": submission.via,
        "click_id": _one_or_list(submission.click_ids),
        "declared": list(submission.declared),
    }
    kept = {name: value for name, value in fields.items() if value}
    canonical = json.dumps(
        {"program_id": program_id, "fields": kept},
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()


def _one_or_list(values: tuple[str, ...]) -> object:
    return values[0] if len(values) == 1 else values
