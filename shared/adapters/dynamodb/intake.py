"""What a submitted form reads and writes: the claim of the lead and the referral, as one."""

import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.adapters.dynamodb import customers, keys, outbox
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.keyring_rows import keyring_from
from shared.adapters.dynamodb.link_rows import link_from
from shared.adapters.dynamodb.partners import enrolment_from, partner_from
from shared.adapters.dynamodb.programs import program_from, terms_from
from shared.adapters.dynamodb.referrals import fact_from, fact_row, referral_from, referral_row
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    Operation,
    put,
    put_new,
    transact,
    update,
)
from shared.adapters.dynamodb.waiting import with_claim
from shared.domain.attribution import Attribution
from shared.domain.claims import Claim, NewReferral, Succession
from shared.domain.click_tokens import Keyring
from shared.domain.errors import InvalidFieldsError, UnavailableError
from shared.domain.facts import Fact, digest32
from shared.domain.links import Link, parse_code
from shared.domain.partners import Enrolment, Partner
from shared.domain.programs import Program
from shared.domain.referrals import Referral
from shared.domain.terms import Terms
from shared.domain.terms_reader import parse_terms

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.keys import Key

_RING_SECONDS: Final = 300.0
_TRIES: Final = 3


class Intake:
    """The rows of intake in the core table and the vault.

    Keyrings are kept for five minutes, published terms for good: they never change.
    """

    def __init__(
        self,
        client: "DynamoDBClient",
        *,
        core: str,
        vault: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Bind the store to a client and two tables."""
        self._client = client
        self._core = core
        self._vault = vault
        self._clock = clock
        self._rings: dict[Key, tuple[float, Keyring]] = {}
        self._terms: dict[tuple[str, int], Terms] = {}

    def program(self, program_id: str) -> Program | None:
        """Read a programme consistently."""
        row = get(self._client, self._core, keys.program(program_id))
        return program_from(row) if row else None

    def terms(self, program: Program, version: int) -> Terms | None:
        """Read one version of a programme's terms, once for each environment."""
        place = program.program_id, version
        known = self._terms.get(place)
        if known is None:
            row = get(self._client, self._core, keys.terms(*place))
            if row is None:
                return None
            # Currency and time zone are frozen since the first version.
            known = self._terms[place] = parse_terms(
                terms_from(row).definition,
                currency=program.currency,
                time_zone=program.time_zone,
            )
        return known

    def link(self, code: str) -> Link | None:
        """Read the link of a code as somebody typed it; None for what can't be a code."""
        try:
            key = keys.link(parse_code(code))
        except InvalidFieldsError:
            return None
        row = get(self._client, self._core, key)
        return link_from(row) if row else None

    def partner(self, partner_id: str) -> Partner | None:
        """Read a partner consistently."""
        row = get(self._client, self._core, keys.partner(partner_id))
        return partner_from(row) if row else None

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Read a partner's enrolment in a programme."""
        row = get(self._client, self._core, keys.enrolment(partner_id, program_id))
        return enrolment_from(row) if row else None

    def click_keyring(self) -> Keyring | None:
        """Return the keys that sign click tokens; None before the first programme."""
        return self._ring(keys.click_keyring())

    def server_secret(self) -> bytes | None:
        """Return the newest server secret; None before the first programme."""
        ring = self._ring(keys.server_keyring())
        return ring.newest().secret if ring else None

    def is_customer(self, program_id: str, customer_ids: Sequence[str]) -> bool:
        """Tell whether any of the entries is on the programme's list of customers."""
        return customers.is_customer(self._client, self._core, program_id, customer_ids)

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral consistently."""
        row = get(self._client, self._core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def facts(self, referral_id: str) -> list[Fact]:
        """Read all facts of a referral consistently."""
        partition, prefix = keys.fact(referral_id, "")
        return [fact_from(row) for row in query(self._client, self._core, partition, prefix=prefix)]

    def add_referral(self, new: NewReferral, succession: Succession | None = None) -> Claim:
        """Store the referral with all that belongs to it; return who holds the lead then.

        The claim's condition makes it one referral per lead. A transaction that took effect
        although its answer was lost finds its own claim, and so ends in the same answer.

        Raises:
            UnavailableError: when the store does not answer, or keeps changing under us.
        """
        referral = new.referral
        person = _person_row(new)
        operations = [
            *self._core_rows(new),
            put_new(self._vault, keys.person(referral.lead_id), person),
        ]
        if new.event:
            operations.append(outbox.stored(self._core, new.event, now=referral.submitted_at))
        if new.claim:
            operations.append(self._claim(new, new.claim, succession))
        if succession:
            operations += self._give_up(succession, referral.submitted_at)
        return self._store(new, operations, succession)

    def add_repeat(self, referral_id: str, found: Attribution, *, now: datetime) -> None:
        """Remember what came again, once per proved evidence: what proves nothing is one row.

        Raises:
            UnavailableError: when the store does not answer.
        """
        digest = digest32("|".join((found.partner_id or "", found.link_code, found.click_id)))
        row: Item = {
            "referral_id": referral_id,
            "partner_id": found.partner_id,
            "link_code": found.link_code,
            "click_id": found.click_id,
            "attribution": found.outcome,
            "received_at": now.isoformat(),
        }
        try:
            transact(self._client, [put_new(self._core, keys.repeat(referral_id, digest), row)])
        except ConditionFailedError:
            # The same evidence came before; it says nothing new.
            return

    def _core_rows(self, new: NewReferral) -> list[Operation]:
        referral, referral_id = new.referral, new.referral.referral_id
        # The claim tells which deliveries waited for this lead, without its address.
        head = with_claim(referral_row(referral), new.claim)
        rows = [put_new(self._core, keys.referral(referral_id), head)]
        rows += [
            put_new(self._core, keys.fact(referral_id, fact.fact_id), fact_row(fact))
            for fact in new.facts
        ]
        if referral.link_code:
            key = keys.open_referral(referral.link_code, referral_id)
            rows.append(put_new(self._core, key, _pointer_row(referral)))
        return rows

    def _claim(self, new: NewReferral, claim: str, succession: Succession | None) -> Operation:
        key, row = keys.lead_claim(new.referral.program_id, claim), _claim_row(new)
        if succession is None:
            return put_new(self._core, key, row)
        held = {"referral_id": succession.before.referral_id}
        return put(self._core, key, row, expect=held)

    def _give_up(self, succession: Succession, now: datetime) -> list[Operation]:
        """Return the writes on the earlier referral; its version tells that no deal came."""
        before, after = succession.before, succession.after
        changed = {
            "review": after.review,
            "taken_over_by": after.taken_over_by,
            "version": after.version,
        }
        key = keys.referral(before.referral_id)
        writes = [update(self._core, key, assign=changed, expect={"version": before.version})]
        if succession.fact:
            place = keys.fact(before.referral_id, succession.fact.fact_id)
            writes.append(put_new(self._core, place, fact_row(succession.fact)))
        if succession.event:
            writes.append(outbox.stored(self._core, succession.event, now=now))
        return writes

    def _store(
        self, new: NewReferral, operations: list[Operation], succession: Succession | None
    ) -> Claim:
        referral = new.referral
        touch_key = keys.touch(referral.click_id) if referral.click_id else None
        earlier = succession.before.referral_id if succession else None
        shared_click = False
        for _ in range(_TRIES):
            touch = self._touch(touch_key, referral, shared=shared_click) if touch_key else []
            try:
                transact(self._client, [*operations, *touch])
            except ConditionFailedError:
                holder = self._holder(new)
                if holder and holder.referral_id != earlier:
                    return holder
                # Not the claim, so the click: somebody else came by it before.
                clicked = touch_key is not None and self._exists(touch_key)
                if holder and (shared_click or not clicked):
                    # Nor the click, so the earlier referral is not as it was read.
                    return holder
                shared_click = clicked
            else:
                return Claim(referral_id=referral.referral_id, protected_until=new.protected_until)
        raise UnavailableError("the claim keeps changing")

    def _touch(self, key: "Key", referral: Referral, *, shared: bool) -> list[Operation]:
        if shared:
            # Two leads by one click: the pointer stays with the first and says that it is no
            # proof of which of them a deal is.
            return [update(self._core, key, assign={"shared": True})]
        return [put_new(self._core, key, _pointer_row(referral))]

    def _holder(self, new: NewReferral) -> Claim | None:
        referral = new.referral
        # Without a claim, the row that is in the way can only be our own.
        key = keys.referral(referral.referral_id)
        if new.claim:
            key = keys.lead_claim(referral.program_id, new.claim)
        row = get(self._client, self._core, key)
        return _claim_from(row) if row else None

    def _exists(self, key: "Key") -> bool:
        return get(self._client, self._core, key) is not None

    def _ring(self, key: "Key") -> Keyring | None:
        read_at, ring = self._rings.get(key, (0.0, None))
        if ring and self._clock() - read_at < _RING_SECONDS:
            return ring
        row = get(self._client, self._core, key)
        if row is None:
            return None
        ring = keyring_from(row)
        self._rings[key] = (self._clock(), ring)
        return ring


def _claim_row(new: NewReferral) -> Item:
    referral = new.referral
    return {
        "referral_id": referral.referral_id,
        "lead_id": referral.lead_id,
        "program_id": referral.program_id,
        "claimed_at": referral.submitted_at.isoformat(),
        "protected_until": new.protected_until.isoformat(),
    }


def _claim_from(row: Item) -> Claim:
    until = row.get("protected_until")
    return Claim(
        referral_id=row["referral_id"],
        protected_until=datetime.fromisoformat(until) if until else None,
    )


def _pointer_row(referral: Referral) -> Item:
    return {
        "referral_id": referral.referral_id,
        "program_id": referral.program_id,
        "submitted_at": referral.submitted_at.isoformat(),
    }


def _person_row(new: NewReferral) -> Item:
    """Return the vault's row. The digest is here too: of few known fields, it can be guessed."""
    lead, referral = new.lead, new.referral
    return {
        "subject_id": referral.lead_id,
        "kind": "lead",
        "email": lead.email,
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "company": lead.company,
        "website": lead.website,
        "phone": lead.phone,
        "country": lead.country,
        "employees": lead.employees,
        "message": lead.message,
        "consent": lead.consent,
        "utm": dict(lead.utm),
        "metadata": dict(lead.metadata),
        "digest": new.digest,
        "received_at": referral.submitted_at.isoformat(),
    }
