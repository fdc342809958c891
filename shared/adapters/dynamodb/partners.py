"""Partners and enrolments; names and addresses go to the vault in the same transaction."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from shared import names
from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.transactions import (
    ABSENT,
    ConditionFailedError,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.errors import ConflictError
from shared.domain.partners import Acceptance, Enrolment, Move, Partner

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


MOST_MOVES: Final = 20
"""Changes of a status that are shown; all are kept."""


def partner_row(partner: Partner) -> Item:
    """Return the row of a partner with its list entry. It holds no name and no address."""
    return {
        "partner_id": partner.partner_id,
        "kind": partner.kind,
        "status": partner.status,
        "country": partner.country,
        "email_hmac": partner.email_hmac,
        "company_hmac": partner.company_hmac,
        "categories": list(partner.categories),
        "created_at": partner.created_at.isoformat(),
        **keys.in_list(
            lists.PARTNERS, lists.EVERYWHERE, partner.partner_id, spread_by=partner.partner_id
        ),
    }


def partner_from(row: Item) -> Partner:
    """Return a partner from its row."""
    return Partner(
        partner_id=row["partner_id"],
        kind=row["kind"],
        status=row["status"],
        country=row["country"],
        email_hmac=row["email_hmac"],
        company_hmac=row.get("company_hmac", ""),
        categories=tuple(row.get("categories", ())),
        created_at=datetime.fromisoformat(row["created_at"]),
    )


def status_of(client: "DynamoDBClient", core_table: str, partner_id: str) -> str:
    """Read a partner's status consistently; "" if there is no such partner."""
    row = get(client, core_table, keys.partner(partner_id))
    return str(row["status"]) if row else ""


def enrolment_row(enrolment: Enrolment) -> Item:
    """Return the row of an enrolment."""
    return {
        "partner_id": enrolment.partner_id,
        "program_id": enrolment.program_id,
        "terms_version": enrolment.terms_version,
        "accepted_at": enrolment.accepted_at.isoformat(),
        "tier": enrolment.tier,
        "group": enrolment.group,
        "cause": enrolment.cause,
        "judged_version": enrolment.judged_version or None,
        "documents": documents_row(enrolment) or None,
    }


def documents_row(enrolment: Enrolment) -> dict[str, dict[str, str]]:
    """Return the documents that a partner accepted as a row holds them."""
    return {
        name: {"version": accepted.version, "at": accepted.at.isoformat()}
        for name, accepted in enrolment.documents.items()
    }


def enrolment_from(row: Item) -> Enrolment:
    """Return an enrolment from its row."""
    return Enrolment(
        partner_id=row["partner_id"],
        program_id=row["program_id"],
        terms_version=row["terms_version"],
        accepted_at=datetime.fromisoformat(row["accepted_at"]),
        tier=row["tier"],
        group=row["group"],
        cause=row["cause"],
        judged_version=row.get("judged_version", 0),
        documents={
            name: Acceptance(version=each["version"], at=datetime.fromisoformat(each["at"]))
            for name, each in row.get("documents", {}).items()
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Partners:
    """Partners in the core table, their personal data in the vault."""

    client: "DynamoDBClient"
    core: str
    vault: str

    def partner(self, partner_id: str) -> Partner | None:
        """Read a partner consistently."""
        row = get(self.client, self.core, keys.partner(partner_id))
        return partner_from(row) if row else None

    def person(self, subject_id: str) -> dict[str, Any] | None:
        """Read the personal data of a partner or lead, or None if it was erased."""
        row = get(self.client, self.vault, keys.person(subject_id))
        if row is None:
            return None
        return {name: value for name, value in row.items() if name not in (names.PK, names.SK)}

    def add_partner(self, partner: Partner, person: Mapping[str, Any], *, mark: str) -> Partner:
        """Store a partner and the person; answer the stored one if this request stored it before.

        Raises:
            ConflictError: ``partner_exists`` when the id is taken.
        """
        row = {**partner_row(partner), "created_by": mark}
        try:
            transact(
                self.client,
                [
                    put_new(self.core, keys.partner(partner.partner_id), row),
                    put_new(self.vault, keys.person(partner.partner_id), dict(person)),
                ],
            )
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return partner_from(found)
            raise ConflictError("partner_exists", "this partner id is taken") from error
        return partner

    def save_partner(
        self,
        partner: Partner,
        *,
        before: Partner,
        changed: Sequence[str],
        person: Mapping[str, Any],
        move: Move | None,
        mark: str,
    ) -> None:
        """Write changed fields, changed personal data and the move together.

        Raises:
            StaleVersionError: when the status or the address changed since ``before`` was read.
        """
        row = partner_row(partner)
        operations = [
            update(
                self.core,
                keys.partner(partner.partner_id),
                assign={name: row[name] for name in changed} or {"status": partner.status},
                expect={"status": before.status, "email_hmac": before.email_hmac},
            )
        ]
        if person:
            operations.append(
                update(self.vault, keys.person(partner.partner_id), assign=dict(person))
            )
        if move:
            key = keys.partner_move(partner.partner_id, move.at.isoformat(), mark)
            operations.append(put_new(self.core, key, {**asdict(move), "at": move.at.isoformat()}))
        transact(self.client, operations)

    def moves(self, partner_id: str) -> list[Move]:
        """Return the last changes of a partner's status, newest first."""
        partition, prefix = keys.partner_moves(partner_id)
        rows = query(
            self.client,
            self.core,
            partition,
            prefix=prefix,
            limit=MOST_MOVES,
            newest_first=True,
        )
        return [
            Move(
                before=row["before"],
                after=row["after"],
                actor=row["actor"],
                reason=row["reason"],
                at=datetime.fromisoformat(row["at"]),
            )
            for row in rows
        ]

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Read a partner's enrolment in a programme."""
        row = get(self.client, self.core, keys.enrolment(partner_id, program_id))
        return enrolment_from(row) if row else None

    def save_enrolment(self, enrolment: Enrolment, *, before: Enrolment | None) -> None:
        """Write an enrolment if it is still as it was read, or still absent.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        expect: dict[str, object] = {names.PK: ABSENT}
        if before is not None:
            expect = {
                "terms_version": before.terms_version,
                "accepted_at": before.accepted_at.isoformat(),
                "judged_version": before.judged_version or ABSENT,
                "documents": documents_row(before) or ABSENT,
            }
        key = keys.enrolment(enrolment.partner_id, enrolment.program_id)
        transact(self.client, [put(self.core, key, enrolment_row(enrolment), expect=expect)])
