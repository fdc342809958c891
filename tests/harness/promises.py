"""What must be so once everything is at rest, read from the rows: caps, counts, leads, news."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.programs import terms_from
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.rewards import reward_from
from shared.adapters.dynamodb.waiting import LEAD_CLAIM
from shared.domain import facts as kinds
from shared.domain.events import REWARD_MATURED, REWARD_POSTED
from shared.domain.fulfilments import REWARD_FULFILLED
from shared.domain.money import money_json, parse_amount
from shared.domain.terms import PARTNER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shared.domain.facts import Fact
    from shared.domain.rewards import Reward

Row = dict[str, Any]

_NEWS = {REWARD_POSTED, REWARD_MATURED, REWARD_FULFILLED}


def broken_promises(core: list[Row]) -> list[str]:
    """Return which promises the rows of the core table break."""
    heads = {
        row["referral_id"]: referral_from(row)
        for row in core
        if row["pk"].startswith("REF#") and row["sk"] == "META"
    }
    facts: dict[str, list[Fact]] = defaultdict(list)
    for row in core:
        if row["pk"].startswith("REF#") and row["sk"].startswith("FACT#"):
            facts[row["pk"].removeprefix("REF#")].append(fact_from(row))
    rewards = [reward_from(row) for row in core if row["sk"].startswith("REWARD#")]
    programs = {referral_id: head.program_id for referral_id, head in heads.items()}
    return [
        *_caps(core, _pinned(programs, facts, rewards)),
        *_counts(core, heads.values()),
        *_closed_links(core),
        *_leads(core),
        *_news(core, rewards),
    ]


# -- caps ----------------------------------------------------------------------------------------


def _pinned(
    programs: Mapping[str, str], facts: Mapping[str, list[Fact]], rewards: Iterable[Reward]
) -> Counter[keys.Key]:
    taken: Counter[keys.Key] = Counter()
    for referral_id, told in facts.items():
        for fact in kinds.in_order(told):
            if fact.kind == kinds.ALLOWANCE_PINNED:
                data = fact.data
                place = (programs[referral_id], data["cap"], data["period"])
                taken[_cap_key(data["scope"], data["holder_id"], *place)] += data["allowed_minor"]
    for reward in rewards:
        for row in reward.allowances:
            place = (reward.program_id, row.cap_id, row.period)
            taken[_cap_key(row.scope, reward.holder_id, *place)] += row.allowed_minor
    return taken


def _cap_key(scope: str, holder_id: str, program_id: str, cap_id: str, period: str) -> keys.Key:
    if scope == PARTNER:
        return keys.partner_cap(holder_id, program_id, cap_id, period)
    return keys.program_cap(program_id, cap_id, period)


def _caps(core: list[Row], pinned: Counter[keys.Key]) -> list[str]:
    """A cap's counter is the sum of what is pinned under it, and keeps to the limit."""
    used = {(row["pk"], row["sk"]): row["used"] for row in core if row["sk"].startswith("CAP#")}
    found = [
        f"{key} says {used.get(key, 0)}, pinned are {pinned[key]}"
        for key in sorted(used.keys() | pinned.keys())
        if used.get(key, 0) != pinned[key]
    ]
    definitions: list[Any] = [
        terms_from(row).definition for row in core if row["sk"].startswith("TERMS#")
    ]
    limits = {
        cap["id"]: parse_amount(cap["limit"], "USD")
        for definition in definitions
        for cap in definition.get("caps", ())
    }
    for key, taken in used.items():
        cap_id = next(part for part in key[1].split("#") if part in limits)
        if not 0 <= taken <= limits[cap_id]:
            found.append(f"{key} took {taken} of {limits[cap_id]}")
    return found


# -- counts, leads, news -------------------------------------------------------------------------


def _counts(core: list[Row], heads: Iterable[Any]) -> list[str]:
    """A partner's sums are what the referrals' heads say that they added."""
    added: dict[keys.Key, Counter[str]] = defaultdict(Counter)
    for head in heads:
        for name, amount in head.counting.items():
            partner_id, _, key = name.partition("/")
            added[keys.standing(partner_id, head.program_id)][key] += amount
    kept: dict[keys.Key, Counter[str]] = {
        (row["pk"], row["sk"]): Counter(row["sums"])
        for row in core
        if row["sk"].startswith("STANDING#")
    }
    return [
        f"{key} counts {+kept.get(key, Counter())}, the heads say {+added[key]}"
        for key in sorted({*kept, *added})
        if +kept.get(key, Counter()) != +added[key]
    ]


def _closed_links(core: list[Row]) -> list[str]:
    """A link is closed by its cap only when it has taken as many clicks since it has this cap."""
    tallies = {(row["code"], row["since"]): row["clicks"] for row in core if "since" in row}
    return [
        f"{row['code']} is closed before it is at its cap"
        for row in core
        if row.get("cap_reached")
        and tallies.get((row["code"], row["cap_from"]), -1) < row["click_cap"]
    ]


def _leads(core: list[Row]) -> list[str]:
    """A lead of a programme is one referral's, and each referral stands by its claim."""
    claims = {row["pk"]: row["referral_id"] for row in core if row["sk"] == "CLAIM"}
    found = []
    for row in core:
        claim = row.get(LEAD_CLAIM)
        if row["sk"] == "META" and claim and not row.get("taken_over_by"):
            key = keys.lead_claim(row["program_id"], claim)[0]
            if claims.get(key) != row["referral_id"]:
                found.append(f"{row['referral_id']} does not hold its lead")
    return found


def _news(core: list[Row], rewards: Iterable[Reward]) -> list[str]:
    """What was told last of a reward is what it is; that it was given and released was told."""
    told: dict[str, tuple[int, Row]] = {}
    names: dict[str, set[str]] = defaultdict(set)
    for row in core:
        if row["sk"] != "EVENT" or row["name"] not in _NEWS:
            continue
        envelope = json.loads(row["envelope"])
        version = envelope["aggregate"]["version"]
        for each in _told(row["name"], envelope["data"]):
            names[each["reward_id"]].add(row["name"])
            before, last = told.get(each["reward_id"], (-1, {}))
            if before < version:
                told[each["reward_id"]] = version, {**last, **each}
    found = []
    for reward in rewards:
        _, last = told.get(reward.reward_id, (0, {}))
        net = money_json(reward.net_minor, reward.currency)
        if (last.get("state"), last.get("net", net)) != (reward.state, net):
            found.append(f"{reward.reward_id} is not what was told of it: {last}")
        if REWARD_POSTED not in names[reward.reward_id]:
            found.append(f"nobody was told of {reward.reward_id}")
        # What a person takes back is payable at once, and never released.
        if reward.payable_minor > 0 and REWARD_MATURED not in names[reward.reward_id]:
            found.append(f"nobody was told that {reward.reward_id} was released")
    return found


def _told(name: str, data: Row) -> list[Row]:
    if name == REWARD_FULFILLED:
        return [{"reward_id": data["reward_id"], "state": data["outcome"]}]
    rewards: list[Row] = data["rewards"]
    return rewards
