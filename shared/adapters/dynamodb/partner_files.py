"""A partner's file in a programme: how far it is settled, and its rewards and lines by pieces."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get, query
from shared.adapters.dynamodb.rewards import reward_from, trace_from
from shared.domain.aggregate import PartnerFile, Settled, Standing
from shared.domain.rewards import Reward
from shared.domain.verdicts import TraceLine

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

    from shared.adapters.dynamodb.codec import Item


def read_standing(
    client: "DynamoDBClient", core_table: str, partner_id: str, program_id: str
) -> Standing:
    """Return what a partner's referrals add up to, and how far the file is settled."""
    row = get(client, core_table, keys.standing(partner_id, program_id))
    return Standing(
        partner_id=partner_id,
        program_id=program_id,
        sums=row["sums"] if row else {},
        movers=row.get("movers", {}) if row else {},
        settled=_settled_from(row.get("settled") if row else None),
        version=row["version"] if row else 0,
    )


def accepted_version(
    client: "DynamoDBClient", core_table: str, partner_id: str, program_id: str
) -> int | None:
    """Return the version that the partner accepted, or that a migration moved the bonuses to."""
    row = get(client, core_table, keys.enrolment(partner_id, program_id))
    return judged_version(row) if row else None


def judged_version(enrolment: Mapping[str, Any]) -> int:
    """Return the version that judges an enrolment's bonuses, from its row."""
    version: int = enrolment.get("judged_version") or enrolment["terms_version"]
    return version


def read_file(
    client: "DynamoDBClient", core_table: str, partner_id: str, program_id: str
) -> PartnerFile | None:
    """Return a partner's whole file, if the partner is enrolled."""
    enrolment = get(client, core_table, keys.enrolment(partner_id, program_id))
    if enrolment is None:
        return None
    standing = read_standing(client, core_table, partner_id, program_id)
    partition, rewards, lines = _places(standing)
    return PartnerFile(
        standing=standing,
        terms_version=judged_version(enrolment),
        accepted_version=enrolment["terms_version"],
        rewards=tuple(map(reward_from, query(client, core_table, partition, prefix=rewards))),
        trace=tuple(map(trace_from, query(client, core_table, partition, prefix=lines))),
    )


def read_reward(
    client: "DynamoDBClient", core_table: str, standing: Standing, rule_id: str, occurrence: str
) -> Reward | None:
    """Return one reward of a partner's file."""
    holder_id = standing.partner_id
    key = keys.partner_reward(holder_id, standing.program_id, rule_id, occurrence, holder_id)
    row = get(client, core_table, key)
    return reward_from(row) if row else None


def read_rows(
    client: "DynamoDBClient", core_table: str, standing: Standing, after: str, limit: int
) -> tuple[tuple[Reward, ...], tuple[TraceLine, ...], str | None]:
    """Return the next rewards and then lines of a partner's file, and the place behind them.

    Places are sort keys.
    """
    partition, *prefixes = _places(standing)
    found: dict[str, list[Item]] = {prefix: [] for prefix in prefixes}
    left = limit
    for prefix in prefixes:
        if after[: len(prefix)] > prefix:
            continue
        start = after if after.startswith(prefix) else ""
        rows = query(client, core_table, partition, prefix=prefix, limit=left, after=start)
        found[prefix] += rows
        left -= len(found[prefix])
        if not left:
            end: str | None = found[prefix][-1][names.SK]
            break
    else:
        end = None
    rewards, lines = found.values()
    return tuple(map(reward_from, rewards)), tuple(map(trace_from, lines)), end


def _places(standing: Standing) -> tuple[str, str, str]:
    """Return the partition, and how the keys of rewards and of trace lines begin."""
    place = standing.partner_id, standing.program_id
    partition, rewards = keys.partner_reward(*place, "", "", "")
    _, lines = keys.partner_trace(*place, "", "")
    return partition, f"{rewards.rstrip('#')}#", f"{lines.rstrip('#')}#"


def settled_row(settled: Settled) -> dict[str, object]:
    """Return how far a file is settled, as its standing keeps it."""
    return {
        "terms_version": settled.terms_version,
        "forfeits": settled.forfeits,
        "seen": {key: list(sums) for key, sums in settled.seen.items()},
        "left": settled.left,
    }


def _settled_from(row: Mapping[str, Any] | None) -> Settled:
    if row is None:
        return Settled()
    return Settled(
        terms_version=row["terms_version"],
        forfeits=row["forfeits"],
        seen={key: tuple(sums) for key, sums in row["seen"].items()},
        left=row["left"],
    )
