"""Rows of rewards and of the decision trace, and the reads that lists need."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from shared import names
from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import query
from shared.adapters.dynamodb.codec import Item
from shared.domain.entitlements import Allowance
from shared.domain.rewards import BY_REFERRAL, Lot, Reward
from shared.domain.terms import PARTNER
from shared.domain.verdicts import TraceLine

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient


def reward_key(reward: Reward) -> keys.Key:
    """Locate a reward's row: with its referral, or in the partner's own file."""
    identity = (reward.rule_id, reward.occurrence, reward.holder_id)
    if reward.scope == BY_REFERRAL:
        return keys.reward(reward.subject_id, *identity)
    return keys.partner_reward(reward.subject_id, reward.program_id, *identity)


def reward_row(reward: Reward) -> Item:
    """Return the row of a reward with its list entries and, while a hold runs, its due entry."""
    listed_as = f"{reward.subject_id}#{reward.reward_id}"
    row: Item = {
        "reward_id": reward.reward_id,
        "scope": reward.scope,
        "subject_id": reward.subject_id,
        "program_id": reward.program_id,
        "rule_id": reward.rule_id,
        "occurrence": reward.occurrence,
        "role": reward.role,
        "holder_id": reward.holder_id,
        "kind": reward.kind,
        "currency": reward.currency,
        "terms_version": reward.terms_version,
        "effective_at": reward.effective_at.isoformat(),
        "sequence": reward.sequence,
        "lots": [
            {
                "sequence": lot.sequence,
                "amount_minor": lot.amount_minor,
                "release_at": lot.release_at.isoformat(),
            }
            for lot in reward.lots
        ],
        "payable_minor": reward.payable_minor,
        "clearing_minor": reward.clearing_minor,
        "paid_minor": reward.paid_minor,
        "reversed_minor": reward.reversed_minor,
        "clawed_back_minor": reward.clawed_back_minor,
        "held": reward.held,
        "benefit": dict(reward.benefit),
        "benefit_state": reward.benefit_state,
        "worth_minor": reward.worth_minor,
        **keys.in_list("RWD", reward.program_id, listed_as, spread_by=reward.reward_id),
    }
    if reward.allowances:
        row["allowances"] = [asdict(allowance) for allowance in reward.allowances]
    if reward.role == PARTNER:
        row |= keys.of_partner("RWD", reward.holder_id, listed_as)
    if reward.release_at and not reward.held:
        row |= due_entry(reward, reward.release_at)
    return row


def due_entry(reward: Reward, when: datetime) -> dict[str, str]:
    """Return the attributes that make a reward due."""
    return keys.due(keys.DUE_RELEASE, when.isoformat(), spread_by=reward.reward_id)


def reward_from(row: Item) -> Reward:
    """Return a reward from its row."""
    return Reward(
        reward_id=row["reward_id"],
        scope=row["scope"],
        subject_id=row["subject_id"],
        program_id=row["program_id"],
        rule_id=row["rule_id"],
        occurrence=row["occurrence"],
        role=row["role"],
        holder_id=row["holder_id"],
        kind=row["kind"],
        currency=row["currency"],
        terms_version=row["terms_version"],
        effective_at=datetime.fromisoformat(row["effective_at"]),
        sequence=row["sequence"],
        lots=tuple(
            Lot(
                sequence=lot["sequence"],
                amount_minor=lot["amount_minor"],
                release_at=datetime.fromisoformat(lot["release_at"]),
            )
            for lot in row["lots"]
        ),
        payable_minor=row["payable_minor"],
        clearing_minor=row["clearing_minor"],
        paid_minor=row["paid_minor"],
        reversed_minor=row["reversed_minor"],
        clawed_back_minor=row["clawed_back_minor"],
        held=row["held"],
        benefit=row["benefit"],
        benefit_state=row["benefit_state"],
        worth_minor=row["worth_minor"],
        allowances=tuple(Allowance(**each) for each in row.get("allowances", ())),
    )


def trace_row(line: TraceLine) -> Item:
    """Return the row of one trace line."""
    return {
        "rule_id": line.rule_id,
        "occurrence": line.occurrence,
        "outcome": line.outcome,
        "code": line.code,
        "figures": dict(line.figures),
        "facts": list(line.facts),
        "release_at": line.release_at.isoformat() if line.release_at else None,
        "level": line.level,
    }


def trace_from(row: Item) -> TraceLine:
    """Return one trace line from its row."""
    release_at = row.get("release_at")
    return TraceLine(
        rule_id=row["rule_id"],
        occurrence=row["occurrence"],
        outcome=row["outcome"],
        code=row["code"],
        figures=row["figures"],
        facts=tuple(row["facts"]),
        release_at=datetime.fromisoformat(release_at) if release_at else None,
        level=row["level"],
    )


def rewards_of_referral(
    client: "DynamoDBClient", core_table: str, referral_id: str
) -> tuple[Reward, ...]:
    """Return all rewards of a referral, of every beneficiary."""
    partition, _ = keys.referral(referral_id)
    rows = query(client, core_table, partition, prefix="REWARD#")
    return tuple(reward_from(row) for row in rows)


def trace_of(client: "DynamoDBClient", core_table: str, referral_id: str) -> tuple[TraceLine, ...]:
    """Return the decision trace of a referral, by rule."""
    partition, _ = keys.referral(referral_id)
    return tuple(trace_from(row) for row in query(client, core_table, partition, prefix="TRACE#"))


def rewards_of_partner(
    client: "DynamoDBClient", core_table: str, partner_id: str, *, limit: int, before: str = ""
) -> Iterator[tuple[str, Reward]]:
    """Yield (place in the list, reward) of a partner, newest referral first."""
    index = (names.INDEX_PARTNER, names.PARTNER_PK, names.PARTNER_SK)
    rows = query(
        client,
        core_table,
        f"RWD#{partner_id}",
        index=index,
        limit=limit,
        before=before,
        newest_first=True,
    )
    for row in rows:
        yield row[names.PARTNER_SK], reward_from(row)
