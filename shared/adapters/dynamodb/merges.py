"""Deliveries as they are applied: with terms, and with two referrals that become one's deal."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from shared.adapters.dynamodb import keys, outbox
from shared.adapters.dynamodb.deliveries import Deliveries, binding_row
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.terms import published_terms
from shared.adapters.dynamodb.transactions import (
    Operation,
    delete,
    put,
    put_new,
    transact,
    update,
)
from shared.domain.deliveries import Binding
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.referrals import Referral
from shared.domain.terms import Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedDeliveries(Deliveries):
    """Satisfies ``ports.DeliveryStore`` with the core table and the vault."""

    def terms(self, program_id: str, version: int) -> Terms:
        """Read a published version of a programme's terms."""
        return published_terms(self.client, self.core, program_id, version)

    def merge_referrals(
        self,
        merged: Iterable[tuple[Referral, Fact, Event]],
        *,
        rebound: tuple[Binding, Binding] | None,
        now: datetime,
    ) -> None:
        """Write the heads under the condition of their versions, with their facts and events.

        Raises:
            StaleVersionError: when a referral or the binding is not as it was read.
            UnavailableError: when the store does not answer.
        """
        operations: list[Operation] = []
        for head, fact, event in merged:
            operations += [
                update(
                    self.core,
                    keys.referral(head.referral_id),
                    assign={
                        "version": head.version,
                        "source_id": head.source_id,
                        "deal_id": head.deal_id,
                        "deal": dict(head.deal),
                        "merged_into": head.merged_into,
                    },
                    expect={"version": head.version - 1},
                ),
                put_new(self.core, keys.fact(head.referral_id, fact.fact_id), fact_row(fact)),
                outbox.stored(self.core, event, now=now),
            ]
            if head.link_code:
                marker = keys.open_referral(head.link_code, head.referral_id)
                operations.append(delete(self.core, marker))
        if rebound:
            operations.append(self._rebind(*rebound))
        transact(self.client, operations)

    def _rebind(self, before: Binding, after: Binding) -> Operation:
        key = keys.deal_binding(before.source_id, before.deal_id)
        expected = {
            "referral_id": before.referral_id,
            "evidence_digest": before.evidence_digest,
        }
        return put(self.core, key, binding_row(after), expect=expected)
