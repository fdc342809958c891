"""Rewards that others fulfil, and the reports of what became of them."""

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.partners import status_of
from shared.adapters.dynamodb.referrals import referral_from
from shared.adapters.dynamodb.rewards import reward_from, reward_key, reward_row
from shared.adapters.dynamodb.transactions import put, put_new, transact, update
from shared.domain.aggregate import Guard, Standing
from shared.domain.events import Event
from shared.domain.fulfilments import Fulfilment
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def report_row(report: Fulfilment) -> Item:
    """Return the row of a report."""
    return {**asdict(report), "at": report.at.isoformat(), "cause": list(report.cause)}


def report_from(row: Item) -> Fulfilment:
    """Return a report from its row."""
    return Fulfilment(
        reward_id=row["reward_id"],
        number=row["number"],
        outcome=row["outcome"],
        actor=row["actor"],
        reason=row["reason"],
        reference=row["reference"],
        at=datetime.fromisoformat(row["at"]),
        mark=row["mark"],
        # Reports had none when only people made them.
        cause=tuple(row.get("cause", ())),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fulfilments:
    """Satisfies ``ports.FulfilmentStore`` with the core table. Every read is consistent."""

    client: "DynamoDBClient"
    core: str

    def referral(self, referral_id: str) -> Referral | None:
        """Read the head of a referral."""
        row = get(self.client, self.core, keys.referral(referral_id))
        return referral_from(row) if row else None

    def standing(self, partner_id: str, program_id: str) -> Standing | None:
        """Read a partner's standing in a programme."""
        row = get(self.client, self.core, keys.standing(partner_id, program_id))
        if row is None:
            return None
        return Standing(
            partner_id=partner_id, program_id=program_id, sums=row["sums"], version=row["version"]
        )

    def reward(self, guard: Guard, reward_id: str) -> Reward | None:
        """Return one reward under its guard."""
        if isinstance(guard, Standing):
            group = keys.partner_reward(guard.partner_id, guard.program_id, "", "", "")
        else:
            group = keys.reward(guard.referral_id, "", "", "")
        partition, prefix = group[0], group[1].rstrip("#") + "#"
        rewards = map(reward_from, query(self.client, self.core, partition, prefix=prefix))
        return next((reward for reward in rewards if reward.reward_id == reward_id), None)

    def partner_status(self, partner_id: str) -> str:
        """Read a partner's status; "" if there is no such partner."""
        return status_of(self.client, self.core, partner_id)

    def reports(self, guard: Guard, reward_id: str) -> list[Fulfilment]:
        """Return the reports on a reward, oldest first."""
        partition, prefix = keys.fulfilments(guard_key(guard), reward_id)
        return [report_from(row) for row in query(self.client, self.core, partition, prefix=prefix)]

    def report(self, guard: Guard, reward: Reward, report: Fulfilment, event: Event) -> None:
        """Write reward, report and event if the guard is still at the version that was read.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        head = update(
            self.core,
            guard_key(guard),
            assign={"version": guard.version + 1},
            expect={"version": guard.version},
        )
        place = keys.fulfilment(guard_key(guard), report.reward_id, report.number)
        transact(
            self.client,
            [
                head,
                # This is still the reward that was read: every change of one raises the version.
                put(self.core, reward_key(reward), reward_row(reward)),
                put_new(self.core, place, report_row(report)),
                stored(self.core, event, now=report.at),
            ],
        )


def guard_key(guard: Guard) -> keys.Key:
    """Locate the row that guards rewards."""
    if isinstance(guard, Standing):
        return keys.standing(guard.partner_id, guard.program_id)
    return keys.referral(guard.referral_id)
