"""What explanations and histories are made of: facts, rewards, reasons, terms and movements."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.programs import terms_from
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.rewards import rewards_of_referral, trace_of
from shared.adapters.dynamodb.statements import Statements
from shared.domain.books import Movement
from shared.domain.facts import Fact
from shared.domain.programs import PublishedTerms
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward
from shared.domain.verdicts import TraceLine

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations:
    """Reasons in the core table, movements in the books table."""

    client: "DynamoDBClient"
    core: str
    books: str

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral consistently."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def trace(self, referral_id: str) -> tuple[TraceLine, ...]:
        """Return the stored trace lines."""
        return trace_of(self.client, self.core, referral_id)

    def terms(self, program_id: str, version: int) -> PublishedTerms | None:
        """Read the terms that judge a referral."""
        row = get(self.client, self.core, keys.terms(program_id, version))
        return terms_from(row) if row else None

    def facts(self, referral_id: str) -> list[Fact]:
        """Return all facts of a referral, by id."""
        partition, prefix = keys.fact(referral_id, "")
        return [fact_from(row) for row in query(self.client, self.core, partition, prefix=prefix)]

    def rewards(self, referral_id: str) -> tuple[Reward, ...]:
        """Return the rewards of a referral, of every beneficiary."""
        return rewards_of_referral(self.client, self.core, referral_id)

    def movements(self, referral_id: str, *, limit: int) -> tuple[Movement, ...]:
        """Return the newest movements of a referral's rewards in all books."""
        statements = Statements(client=self.client, core=self.core, books=self.books)
        found, _ = statements.of_referral(referral_id, after="", limit=limit)
        return found
