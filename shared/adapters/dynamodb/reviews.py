"""Reads and the review of one referral, for the management of a programme."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.referrals import fact_from, fact_row, referral_from
from shared.adapters.dynamodb.transactions import put_new, transact, update
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.referrals import Referral

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviews:
    """Referrals in the core table."""

    client: "DynamoDBClient"
    core: str

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral consistently."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def facts(self, referral_id: str) -> list[Fact]:
        """Return all facts of a referral, by id."""
        partition, prefix = keys.fact(referral_id, "")
        return [fact_from(row) for row in query(self.client, self.core, partition, prefix=prefix)]

    def has_fact(self, referral_id: str, fact_id: str) -> bool:
        """Tell whether a fact is stored."""
        return get(self.client, self.core, keys.fact(referral_id, fact_id)) is not None

    def record_review(
        self, referral: Referral, fact: Fact, event: Event, *, version: int, now: datetime
    ) -> None:
        """Write the decision, its fact and its event if the referral is still at ``version``.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        head = update(
            self.core,
            keys.referral(referral.referral_id),
            assign={"review": referral.review, "version": referral.version},
            expect={"version": version},
        )
        transact(
            self.client,
            [
                head,
                put_new(self.core, keys.fact(referral.referral_id, fact.fact_id), fact_row(fact)),
                stored(self.core, event, now=now),
            ],
        )
