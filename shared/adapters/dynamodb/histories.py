"""What simulations read: referrals without their traces, and what partners were paid beside."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from shared import names
from shared.adapters.dynamodb import fx_rates, keys
from shared.adapters.dynamodb.client import query
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.rewards import reward_from
from shared.domain.aggregate import Aggregate
from shared.domain.rewards import Reward

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.codec import Item
    from shared.domain.referrals import Referral

# Facts, head and rewards sort below the trace, so one range leaves it out: half of the bytes.
_TRACE: Final = "TRACE#"


@dataclass(frozen=True, slots=True, kw_only=True)
class Histories:
    """Satisfies ``ports.HistoryReader`` with the core table. Safe to use from several threads."""

    client: "DynamoDBClient"
    core: str

    def history(self, referral_id: str) -> Aggregate | None:
        """Return a referral with its facts and rewards, in one query."""
        partition, head_key = keys.referral(referral_id)
        head: Referral | None = None
        facts: list[Item] = []
        rewards: list[Item] = []
        for row in query(self.client, self.core, partition, before=_TRACE):
            kind = row[names.SK].split("#", 1)[0]
            if row[names.SK] == head_key:
                head = referral_from(row)
            elif kind == "FACT":
                facts.append(row)
            elif kind == "REWARD":
                rewards.append(row)
        if head is None:
            return None
        return Aggregate(
            referral=head,
            facts=tuple(fact_from(row) for row in facts),
            rewards=tuple(reward_from(row) for row in rewards),
        )

    def success_rewards(self, partner_id: str, program_id: str) -> Sequence[Reward]:
        """Return what a partner was given for successes."""
        partition, prefix = keys.partner_reward(partner_id, program_id, "", "", "")
        rows = query(self.client, self.core, partition, prefix=prefix.rstrip("#") + "#")
        return [reward_from(row) for row in rows]

    def rate(self, program_id: str, currency: str, on: date) -> tuple[str, str] | None:
        """Return (rate, its date): the programme's newest rate not after ``on``."""
        return fx_rates.rate_on(self.client, self.core, program_id, currency, on)
