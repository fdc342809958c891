"""What an explanation is made of: the referral, its decision trace and its terms."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.programs import terms_from
from shared.adapters.dynamodb.referrals import referral_from
from shared.adapters.dynamodb.rewards import trace_of
from shared.domain.evaluation import TraceLine
from shared.domain.programs import PublishedTerms
from shared.domain.referrals import Referral

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanations:
    """Reasons in the core table."""

    client: "DynamoDBClient"
    core: str

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
