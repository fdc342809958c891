"""Find the referral that a delivery names: by id, click, e-mail or link code."""

from dataclasses import dataclass
from typing import Final

from shared.domain import deliveries
from shared.domain.click_tokens import BadTokenError, read
from shared.domain.deal_changes import ReferralKey
from shared.domain.deliveries import Awaited
from shared.domain.keyed import email_hmac
from shared.domain.leads import normalise_email
from shared.domain.referrals import Referral
from shared.ports import DeliveryStore

BY_ID: Final = "referral_id"
BY_CLICK: Final = "click_token"
BY_EMAIL: Final = "email"
BY_CODE: Final = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The referral and what proved it, or no referral and the code of the reason."""

    referral: Referral | None = None
    evidence: str = ""
    reason: str = ""


def find_referral(store: DeliveryStore, key: ReferralKey, program_id: str) -> Found:
    """Return the referral of the programme that the strongest resolving key names.

    A referral id is an exact claim: if one is given, it alone decides. A code names a link, so
    it is proof only while exactly one referral of that link has no deal.
    """
    if key.referral_id:
        return _checked(store, key.referral_id, BY_ID, program_id)
    attempts = []
    if key.click_token:
        attempts.append(_by_click(store, key.click_token, program_id))
    if key.email and not _hit(attempts):
        attempts.append(_by_email(store, key.email, program_id))
    if key.code and not _hit(attempts):
        attempts.append(_by_code(store, key.code, program_id))
    return _hit(attempts) or attempts[-1]


def evidence_in(store: DeliveryStore, key: ReferralKey, program_id: str) -> tuple[Awaited, ...]:
    """Return what a key could lead to a referral by, if that is submitted later.

    A referral's id is ours, so a referral that it does not find will never come.
    """
    if key.referral_id:
        return ()
    found = []
    click_id = _click_id(store, key.click_token, program_id) if key.click_token else None
    if click_id:
        found.append(Awaited(kind=deliveries.CLICK, value=click_id))
    if key.email:
        found.append(Awaited(kind=deliveries.LEAD, value=_claim(store, key.email)))
    if key.code:
        found.append(Awaited(kind=deliveries.CODE, value=key.code))
    return tuple(found)


def _hit(attempts: list[Found]) -> Found | None:
    return attempts[-1] if attempts and attempts[-1].referral else None


def _by_click(store: DeliveryStore, text: str, program_id: str) -> Found:
    click_id = _click_id(store, text, program_id)
    if click_id is None:
        return Found(reason=deliveries.BAD_CLICK_TOKEN)
    return _checked(store, store.referral_of_click(click_id), BY_CLICK, program_id)


def _click_id(store: DeliveryStore, text: str, program_id: str) -> str | None:
    try:
        return read(text, store.click_keyring(), program_id=program_id).click_id
    except BadTokenError:
        return None


def _by_email(store: DeliveryStore, email: str, program_id: str) -> Found:
    claim = _claim(store, email)
    return _checked(store, store.referral_of_email(program_id, claim), BY_EMAIL, program_id)


def _claim(store: DeliveryStore, email: str) -> str:
    return email_hmac(store.server_secret(), normalise_email(email))


def _by_code(store: DeliveryStore, code: str, program_id: str) -> Found:
    waiting = store.open_referrals(code, limit=2)
    if len(waiting) > 1:
        return Found(reason=deliveries.AMBIGUOUS_REFERRAL)
    return _checked(store, waiting[0] if waiting else None, BY_CODE, program_id)


def _checked(
    store: DeliveryStore, referral_id: str | None, evidence: str, program_id: str
) -> Found:
    referral = store.referral(referral_id) if referral_id else None
    while referral and referral.taken_over_by:
        # Whoever names it means its lead, and that is another referral's now.
        referral = store.referral(referral.taken_over_by)
    if referral is None or referral.program_id != program_id:
        return Found(reason=deliveries.REFERRAL_NOT_FOUND)
    return Found(referral=referral, evidence=evidence)
