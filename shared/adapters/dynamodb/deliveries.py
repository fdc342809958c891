"""The inbox of deliveries, the bindings of deals, and what waits for them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from shared import names
from shared.adapters.dynamodb import keyrings, keys, lists, outbox
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.referrals import fact_from, fact_row
from shared.adapters.dynamodb.sources import source_from
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    Operation,
    check,
    delete,
    put,
    put_new,
    transact,
    update,
)
from shared.adapters.dynamodb.waiting import Waits, leave_word, take_word_back
from shared.domain.click_tokens import Keyring
from shared.domain.deliveries import (
    KEEP_DAYS,
    KEEP_PARKED_DAYS,
    PARKED,
    Awaited,
    Binding,
    Delivery,
    Reason,
    Waiting,
    is_deal,
)
from shared.domain.errors import UnavailableError
from shared.domain.events import Event
from shared.domain.facts import Fact, digest32
from shared.domain.referrals import Referral
from shared.domain.sources import Source

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

LIST: Final = "PARKED"
"""Kind of the list of a programme's parked deliveries."""

# A row holds at most 400 KB, a delivery at most 1 MB.
_PART_BYTES: Final = 300_000
# Of the 100 actions that a transaction holds, this many may be of deals.
_DEAL_ACTIONS: Final = 80


def delivery_row(delivery: Delivery) -> Item:
    """Return the inbox row; a parked delivery is listed."""
    row: Item = {
        "delivery_id": delivery.delivery_id,
        "source_id": delivery.source_id,
        "program_id": delivery.program_id,
        "kind": delivery.kind,
        "message_id": delivery.message_id,
        "received_at": delivery.received_at.isoformat(),
        "size": delivery.size,
        "digest": delivery.digest,
        "message_id_reused": delivery.message_id_reused,
        "state": delivery.state,
        "reasons": [{"path": reason.path, "code": reason.code} for reason in delivery.reasons],
        "version": delivery.version,
    }
    if delivery.state == PARKED:
        sort_key = f"{delivery.received_at.isoformat()}#{delivery.delivery_id}"
        row |= keys.in_list(LIST, delivery.program_id, sort_key, spread_by=delivery.delivery_id)
    return row


def delivery_from(row: Item) -> Delivery:
    """Return a delivery from its inbox row."""
    return Delivery(
        delivery_id=row["delivery_id"],
        source_id=row["source_id"],
        program_id=row["program_id"],
        kind=row["kind"],
        message_id=row["message_id"],
        received_at=datetime.fromisoformat(row["received_at"]),
        size=row["size"],
        digest=row["digest"],
        message_id_reused=row["message_id_reused"],
        state=row["state"],
        reasons=tuple(Reason(**reason) for reason in row["reasons"]),
        version=row["version"],
    )


def delivery(client: "DynamoDBClient", table: str, delivery_id: str) -> Delivery | None:
    """Read an inbox row consistently."""
    row = get(client, table, keys.delivery(delivery_id))
    return delivery_from(row) if row else None


def parked(
    client: "DynamoDBClient", table: str, program_id: str, *, limit: int, before: str = ""
) -> tuple[tuple[Delivery, ...], str]:
    """Return parked deliveries of a programme, newest first, and where the next page begins.

    ``before`` is what the page before this one returned; empty at both ends of the list.
    """
    page = lists.Lists(client=client, core=table).page(LIST, program_id, after=before, limit=limit)
    return tuple(delivery_from(row) for row in page.rows), page.after


def binding_row(binding: Binding) -> Item:
    """Return the row that says which referral a deal was bound to."""
    return {
        "referral_id": binding.referral_id,
        "evidence": binding.evidence,
        "evidence_digest": binding.evidence_digest,
        "bound_at": binding.bound_at.isoformat(),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries(Waits):
    """Deliveries in the core table, their raw bytes in the vault."""

    vault: str

    def source(self, source_id: str) -> Source | None:
        """Read a webhook source consistently."""
        row = get(self.client, self.core, keys.source(source_id))
        return source_from(row) if row else None

    def add_delivery(
        self, delivery: Delivery, body: bytes, event: Event, *, now: datetime
    ) -> str | None:
        """Store row, bytes and event in one transaction; return the id of what was in the way.

        Raises:
            UnavailableError: when it is not certain that they are stored.
        """
        operations = [
            put_new(self.core, keys.delivery(delivery.delivery_id), delivery_row(delivery)),
            outbox.stored(self.core, event, now=now),
            *self._body_rows(delivery, body),
        ]
        claim = None
        if delivery.message_id and not delivery.message_id_reused:
            claim = len(operations)
            key = keys.message(delivery.source_id, digest32(delivery.message_id))
            operations.append(put_new(self.core, key, _message_row(delivery)))
        try:
            transact(self.client, operations)
        except ConditionFailedError as error:
            if 0 in error.failed:
                return delivery.delivery_id
            row = error.failed.get(claim) if claim is not None else None
            if row is None:
                # Not the sender's doing, so never a refusal: it comes again.
                raise UnavailableError("the inbox changed under us") from error
            return str(row["delivery_id"])
        return None

    def _body_rows(self, delivery: Delivery, body: bytes) -> list[Operation]:
        return [
            put(
                self.vault,
                keys.delivery_body(delivery.delivery_id, part),
                {
                    "body": body[part * _PART_BYTES : (part + 1) * _PART_BYTES],
                    names.TTL: _expiry(delivery),
                },
            )
            for part in range(_parts(delivery))
        ]

    def delivery(self, delivery_id: str) -> Delivery | None:
        """Read an inbox row consistently."""
        return delivery(self.client, self.core, delivery_id)

    def body(self, delivery: Delivery) -> bytes | None:
        """Read the raw bytes; None when any of them have expired."""
        found = []
        for part in range(_parts(delivery)):
            row = get(self.client, self.vault, keys.delivery_body(delivery.delivery_id, part))
            if row is None:
                return None
            found.append(row["body"])
        return b"".join(found)

    def binding(self, source_id: str, deal_id: str) -> Binding | None:
        """Read which referral a deal belongs to, consistently."""
        row = get(self.client, self.core, keys.deal_binding(source_id, deal_id))
        if row is None:
            return None
        return Binding(
            source_id=source_id,
            deal_id=deal_id,
            referral_id=row["referral_id"],
            evidence=row["evidence"],
            evidence_digest=row["evidence_digest"],
            bound_at=datetime.fromisoformat(row["bound_at"]),
        )

    def facts(self, referral_id: str) -> list[Fact]:
        """Read all facts of a referral consistently."""
        partition, prefix = keys.fact(referral_id, "")
        return [fact_from(row) for row in query(self.client, self.core, partition, prefix=prefix)]

    def referral_of_click(self, click_id: str) -> str | None:
        """Read which referral a click led to; a click of two leads proves neither."""
        row = get(self.client, self.core, keys.touch(click_id))
        return str(row["referral_id"]) if row and not row.get("shared") else None

    def referral_of_email(self, program_id: str, email_hmac: str) -> str | None:
        """Read which referral claims a lead."""
        row = get(self.client, self.core, keys.lead_claim(program_id, email_hmac))
        return str(row["referral_id"]) if row else None

    def click_keyring(self) -> Keyring:
        """Read the keys that sign click tokens."""
        return keyrings.click_keyring(self.client, self.core)

    def server_secret(self) -> bytes:
        """Read the newest server secret."""
        return keyrings.server_secret(self.client, self.core)

    def waiting(self, source_id: str, deal_id: str, limit: int) -> list[Waiting]:
        """Read which deliveries wait for a deal's binding, those that could bind it first."""
        partition, prefix = keys.parked_deliveries(source_id, deal_id)
        return [
            Waiting(delivery_id=row["delivery_id"], names_referral=row["names_referral"])
            for row in query(self.client, self.core, partition, prefix=prefix, limit=limit)
        ]

    def append_facts(
        self,
        referral: Referral,
        facts: Sequence[Fact],
        event: Event | None,
        *,
        binding: Binding | None,
        now: datetime,
    ) -> None:
        """Write the head under the condition of its version, with all that belongs to it.

        Raises:
            StaleVersionError: when the referral or the deal's binding is not as it was read.
            UnavailableError: when the store does not answer.
        """
        operations = [
            update(
                self.core,
                keys.referral(referral.referral_id),
                assign={
                    "version": referral.version,
                    "source_id": referral.source_id,
                    "deal_id": referral.deal_id,
                    "deal": dict(referral.deal),
                },
                expect={"version": referral.version - 1},
            )
        ]
        for fact in facts:
            key = keys.fact(referral.referral_id, fact.fact_id)
            operations.append(put_new(self.core, key, fact_row(fact)))
        if event:
            operations.append(outbox.stored(self.core, event, now=now))
        if binding:
            operations += self._bind(binding, referral)
        transact(self.client, operations)

    def _bind(self, binding: Binding, referral: Referral) -> list[Operation]:
        key = keys.deal_binding(binding.source_id, binding.deal_id)
        operations = [put_new(self.core, key, binding_row(binding))]
        if referral.link_code and is_deal(binding.deal_id):
            marker = keys.open_referral(referral.link_code, referral.referral_id)
            operations.append(delete(self.core, marker))
        return operations

    def settle(
        self,
        before: Delivery,
        after: Delivery,
        *,
        unbound: Mapping[str, bool],
        bound: Sequence[str],
        awaited: Mapping[str, Sequence[Awaited]],
        has_body: bool,
    ) -> None:
        """Write the state under the condition of its version, and the markers of its deals.

        Many deals take several transactions. Each leaves a state from which the whole can be
        done again.

        Raises:
            StaleVersionError: when the delivery or a binding is not as it was read.
            UnavailableError: when the store does not answer.
        """
        expiry = _expiry(after)
        markers = []
        for deal_id, named in unbound.items():
            words = leave_word(
                self.core, after, deal_id, awaited.get(deal_id, ()), expires_at=expiry
            )
            markers.append([*self._wait(after, deal_id, named), *words])
        for deal_id in bound:
            words = take_word_back(self.core, after, deal_id, awaited.get(deal_id, ()))
            markers.append([*self._wait_no_more(after, deal_id), *words])
        chunks = _packed(markers)
        for place, chunk in enumerate(chunks):
            # Parked before the first marker is there, and until the last one is gone.
            early = after.state != PARKED and place < len(chunks) - 1
            operations = [self._state(before if early else after, version=before.version + place)]
            if place == 0 and has_body and _expiry(before) != _expiry(after):
                operations += self._keep_body(after)
            transact(self.client, operations + chunk)

    def _state(self, after: Delivery, *, version: int) -> Operation:
        row = delivery_row(after)
        listed = [name for name in (names.LIST_PK, names.LIST_SK) if name in row]
        wanted = ("state", "reasons", *listed)
        return update(
            self.core,
            keys.delivery(after.delivery_id),
            assign={**{name: row[name] for name in wanted}, "version": version + 1},
            remove=() if listed else (names.LIST_PK, names.LIST_SK),
            expect={"version": version},
        )

    def _keep_body(self, after: Delivery) -> list[Operation]:
        # Only while it is there: an update would leave an empty row in its place.
        operations = []
        for part in range(_parts(after)):
            key = keys.delivery_body(after.delivery_id, part)
            operation = update(
                self.vault, key, assign={names.TTL: _expiry(after)}, expect={names.PK: key[0]}
            )
            operations.append(operation)
        return operations

    def _wait(self, parked: Delivery, deal_id: str, named: bool) -> list[Operation]:  # noqa: FBT001
        row: Item = {
            "delivery_id": parked.delivery_id,
            "names_referral": named,
            names.TTL: _expiry(parked),
        }
        binding = keys.deal_binding(parked.source_id, deal_id)
        marker = keys.parked_delivery(
            parked.source_id, deal_id, parked.delivery_id, names_referral=named
        )
        # Whoever binds the deal reads the markers afterwards, so none may come after that.
        return [check(self.core, binding, {names.PK: ABSENT}), put(self.core, marker, row)]

    def _wait_no_more(self, settled: Delivery, deal_id: str) -> list[Operation]:
        place = (settled.source_id, deal_id, settled.delivery_id)
        return [
            delete(self.core, keys.parked_delivery(*place, names_referral=named))
            for named in (True, False)
        ]

    def announce(self, event: Event, *, now: datetime) -> None:
        """Store an outgoing event by itself."""
        transact(self.client, [outbox.stored(self.core, event, now=now)])


def _packed(groups: Sequence[list[Operation]]) -> list[list[Operation]]:
    """Join groups, none of them split, into as few chunks as they fill; at least one."""
    chunks: list[list[Operation]] = [[]]
    for group in groups:
        if len(chunks[-1]) + len(group) > _DEAL_ACTIONS:
            chunks.append([])
        chunks[-1] += group
    return chunks


def _parts(delivery: Delivery) -> int:
    return max(1, -(-delivery.size // _PART_BYTES))


def _expiry(delivery: Delivery) -> int:
    days = KEEP_PARKED_DAYS if delivery.state == PARKED else KEEP_DAYS
    return int((delivery.received_at + timedelta(days=days)).timestamp())


def _message_row(delivery: Delivery) -> Item:
    return {
        "delivery_id": delivery.delivery_id,
        "digest": delivery.digest,
        names.TTL: _expiry(delivery),
    }
