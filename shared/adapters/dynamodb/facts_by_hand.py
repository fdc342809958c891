"""Facts that people state, and proposals of those that take two persons."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import keys, lists
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.partners import enrolment_from, partner_from
from shared.adapters.dynamodb.programs import program_from, terms_from
from shared.adapters.dynamodb.referrals import fact_from, fact_row, referral_from
from shared.adapters.dynamodb.transactions import (
    ConditionFailedError,
    put_new,
    transact,
    update,
)
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.partners import Enrolment, Partner
from shared.domain.programs import Program, PublishedTerms
from shared.domain.proposals import OPEN, Proposal
from shared.domain.referrals import Referral

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def proposal_row(proposal: Proposal) -> Item:
    """Return the row of a proposal; the store removes it some time after it expired."""
    return {
        "proposal_id": proposal.proposal_id,
        "referral_id": proposal.referral_id,
        "kind": proposal.kind,
        "data": dict(proposal.data),
        "reason": proposal.reason,
        "proposed_by": proposal.proposed_by,
        "proposed_at": proposal.proposed_at.isoformat(),
        "expires_at": proposal.expires_at.isoformat(),
        "based_on": proposal.based_on,
        "retracts": proposal.retracts,
        "state": proposal.state,
        "approved_by": proposal.approved_by,
        names.TTL: int(proposal.expires_at.timestamp()),
    }


def proposal_from(row: Item) -> Proposal:
    """Return a proposal from its row."""
    return Proposal(
        proposal_id=row["proposal_id"],
        referral_id=row["referral_id"],
        kind=row["kind"],
        data=row["data"],
        reason=row["reason"],
        proposed_by=row["proposed_by"],
        proposed_at=datetime.fromisoformat(row["proposed_at"]),
        expires_at=datetime.fromisoformat(row["expires_at"]),
        based_on=row["based_on"],
        retracts=row.get("retracts"),
        state=row["state"],
        approved_by=row["approved_by"],
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FactsByHand:
    """Satisfies ``ports.HandStore`` with the core table. Every read is consistent."""

    client: "DynamoDBClient"
    core: str

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def facts(self, referral_id: str) -> list[Fact]:
        """Return all facts of a referral, by id."""
        partition, prefix = keys.fact(referral_id, "")
        return [fact_from(row) for row in query(self.client, self.core, partition, prefix=prefix)]

    def program(self, program_id: str) -> Program | None:
        """Read a programme."""
        row = get(self.client, self.core, keys.program(program_id))
        return program_from(row) if row else None

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Read one version of the terms."""
        row = get(self.client, self.core, keys.terms(program_id, version))
        return terms_from(row) if row else None

    def enrolment(self, partner_id: str, program_id: str) -> Enrolment | None:
        """Read a partner's enrolment."""
        row = get(self.client, self.core, keys.enrolment(partner_id, program_id))
        return enrolment_from(row) if row else None

    def partner(self, partner_id: str) -> Partner | None:
        """Read a partner."""
        row = get(self.client, self.core, keys.partner(partner_id))
        return partner_from(row) if row else None

    def proposal(self, referral_id: str, proposal_id: str) -> Proposal | None:
        """Read a proposal."""
        row = get(self.client, self.core, keys.proposal(referral_id, proposal_id))
        return proposal_from(row) if row else None

    def proposals(self, referral_id: str) -> list[Proposal]:
        """Return the proposals of a referral, oldest first."""
        partition, prefix = keys.proposal(referral_id, "")
        rows = query(self.client, self.core, partition, prefix=prefix)
        return [proposal_from(row) for row in rows]

    def add_proposal(self, proposal: Proposal, *, mark: str) -> Proposal:
        """Store a proposal; answer the stored one if this request stored it before.

        Raises:
            StaleVersionError: when the id is taken.
        """
        row = {**proposal_row(proposal), "created_by": mark}
        key = keys.proposal(proposal.referral_id, proposal.proposal_id)
        try:
            transact(self.client, [put_new(self.core, key, row)])
        except ConditionFailedError as error:
            found = error.failed.get(0)
            if found and found.get("created_by") == mark:
                return proposal_from(found)
            raise
        return proposal

    def add_fact(
        self,
        before: Referral,
        after: Referral,
        fact: Fact,
        event: Event,
        *,
        proposal: Proposal | None,
        now: datetime,
    ) -> None:
        """Write the fact and its event under the version that was read, and close its proposal.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        referral_id = before.referral_id
        head: Item = {"version": after.version}
        if after.partner_id and after.partner_id != before.partner_id:
            head["partner_id"] = after.partner_id
            head |= keys.of_partner(lists.REFERRALS, after.partner_id, referral_id)
        operations = [
            update(
                self.core,
                keys.referral(referral_id),
                assign=head,
                expect={"version": before.version},
            ),
            put_new(self.core, keys.fact(referral_id, fact.fact_id), fact_row(fact)),
            stored(self.core, event, now=now),
        ]
        if proposal is not None:
            operations.append(
                update(
                    self.core,
                    keys.proposal(referral_id, proposal.proposal_id),
                    assign={"state": proposal.state, "approved_by": proposal.approved_by},
                    expect={"state": OPEN},
                )
            )
        transact(self.client, operations)
