"""What explanations and histories are made of: facts, rewards, reasons, terms and movements."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys, partner_files
from shared.adapters.dynamodb.adjustments import read_adjustment
from shared.adapters.dynamodb.books import movements_of_subject
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.fulfilments import guard_key, report_from
from shared.adapters.dynamodb.partners import status_of
from shared.adapters.dynamodb.programs import terms_from
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.rewards import rewards_of_referral, trace_of
from shared.domain.adjustments import Adjustment
from shared.domain.aggregate import Guard, PartnerFile, subject_of
from shared.domain.books import Movement
from shared.domain.facts import Fact
from shared.domain.fulfilments import Fulfilment
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

    def partner_status(self, partner_id: str) -> str:
        """Read a partner's status; "" if there is no such partner."""
        return status_of(self.client, self.core, partner_id)

    def partner_file(self, partner_id: str, program_id: str) -> PartnerFile | None:
        """Return an enrolled partner's file."""
        return partner_files.read_file(self.client, self.core, partner_id, program_id)

    def fact(self, referral_id: str, fact_id: str) -> Fact | None:
        """Read one fact of a referral."""
        row = get(self.client, self.core, keys.fact(referral_id, fact_id))
        return fact_from(row) if row else None

    def adjustment(self, adjustment_id: str) -> Adjustment | None:
        """Read an adjustment."""
        return read_adjustment(self.client, self.core, adjustment_id)

    def movements(self, guard: Guard, rewards: Iterable[Reward]) -> Iterator[Movement]:
        """Yield the movements of a guard's rewards but releases, each reward's in order."""
        subject = subject_of(guard, 0)
        for holder_id in sorted({reward.holder_id for reward in rewards}):
            yield from movements_of_subject(self.client, self.books, holder_id, subject)

    def reports(self, guard: Guard) -> Iterator[Fulfilment]:
        """Yield what became of a guard's benefits."""
        partition, prefix = keys.fulfilments(guard_key(guard))
        for row in query(self.client, self.core, partition, prefix=prefix):
            yield report_from(row)
