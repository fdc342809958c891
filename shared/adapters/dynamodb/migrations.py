"""What migrations do to referrals and partners, in the core table beside their job."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.codec import Item as Row
from shared.adapters.dynamodb.outbox import stored
from shared.adapters.dynamodb.referrals import fact_row
from shared.adapters.dynamodb.simulations import ends
from shared.adapters.dynamodb.transactions import put, put_new, transact, update
from shared.domain.aggregate import PartnerFile
from shared.domain.events import Event
from shared.domain.facts import Fact
from shared.domain.jobs import Job
from shared.domain.migration import Item, RewardChange
from shared.domain.referrals import Referral

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Migrations:
    """Satisfies ``ports.MigrationStore`` with the core table."""

    client: "DynamoDBClient"
    core: str

    def item(self, job_id: str, place: str) -> Item | None:
        """Read what a migration did to a referral or a partner."""
        row = get(self.client, self.core, keys.job_item(job_id, place))
        return item_from(row) if row else None

    def items(self, job_id: str, *, before: str, limit: int) -> list[Item]:
        """Return what a migration did below ``before`` ("" at the top): partners, then referrals.

        Referrals come newest first.
        """
        partition, prefix = keys.job_item(job_id, "")
        # "$" sorts behind "#": above every item. What sorts below them is of another kind.
        top = f"{prefix}{before}" if before else f"{prefix[:-1]}$"
        rows = query(self.client, self.core, partition, before=top, limit=limit, newest_first=True)
        return [item_from(row) for row in rows if row[names.SK].startswith(prefix)]

    def add_item(self, job: Job, item: Item) -> None:
        """Store what a migration would do to a referral or a partner."""
        key = keys.job_item(job.job_id, item.place)
        transact(self.client, [put(self.core, key, _item_row(job, item))])

    def migrate(
        self, before: Referral, after: Referral, fact: Fact, event: Event, *, job: Job, item: Item
    ) -> None:
        """Write head, fact, event and item if the referral is as it was read.

        Raises:
            StaleVersionError: when somebody else wrote first.
        """
        referral_id = before.referral_id
        transact(
            self.client,
            [
                update(
                    self.core,
                    keys.referral(referral_id),
                    assign={"terms_version": after.terms_version, "version": after.version},
                    expect={"version": before.version},
                ),
                put_new(self.core, keys.fact(referral_id, fact.fact_id), fact_row(fact)),
                stored(self.core, event, now=event.occurred_at),
                put_new(self.core, keys.job_item(job.job_id, item.place), _item_row(job, item)),
            ],
        )

    def migrate_partner(self, before: PartnerFile, event: Event, *, job: Job, item: Item) -> None:
        """Write what judges the bonuses, event and item if nobody wrote to the file since.

        Raises:
            StaleVersionError: when somebody else wrote first, or the partner accepted other terms.
        """
        standing = before.standing
        key = keys.standing(standing.partner_id, standing.program_id)
        # Whoever settles the file at this moment must look again: hence its version.
        guard = put_new(self.core, key, {"sums": {}, "version": 1})
        if standing.version:
            guard = update(
                self.core,
                key,
                assign={"version": standing.version + 1},
                expect={"version": standing.version},
            )
        transact(
            self.client,
            [
                update(
                    self.core,
                    keys.enrolment(standing.partner_id, standing.program_id),
                    assign={"judged_version": job.settings["to_version"]},
                    expect={"terms_version": before.accepted_version},
                ),
                guard,
                stored(self.core, event, now=event.occurred_at),
                put_new(self.core, keys.job_item(job.job_id, item.place), _item_row(job, item)),
            ],
        )


def item_from(row: Row) -> Item:
    """Return what a migration did from its row."""
    fields: dict[str, Any] = {name: row[name] for name in Item.__dataclass_fields__ if name in row}
    fields["changes"] = tuple(RewardChange(**change) for change in row["changes"])
    return Item(**fields)


def _item_row(job: Job, item: Item) -> Row:
    return {**asdict(item), names.TTL: ends(job.requested_at)}
