"""What two honest runs may number differently is masked; all the rest of the tables must agree."""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared import names
from shared.adapters.dynamodb.books import movements_of_book
from shared.adapters.dynamodb.counter_rows import marks_from
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.domain import books
from shared.domain.evaluation import evaluate
from shared.domain.rewards import BY_PARTNER, BY_REFERRAL
from tests.harness.cloud import BOOKS, CORE, Cloud, Saved
from tests.harness.promises import broken_promises

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_ID = re.compile(r"\b([a-z]{3}_|)[0-9a-hjkmnp-tv-z]{26}\b")
# Chains and versions follow from ids, from how often somebody had to try and who came first.
_FOLLOWING = ("hash", "prev_hash", "head", "seq", "version")
# A request that died is claimed anew, a little later.
_CLAIMED = ("locked_until", "expires_at_epoch")
# Secrets are drawn for each run of a request, and the last one is stored.
_DRAWN = ("sha256", "secrets", "secret")
# Which of some equal partitions a row is listed in follows from its id.
_SHARD = re.compile(r"#\d+$")
_SHARDED = (names.LIST_PK, names.DUE_PK, names.PROGRAM_PK)

_LIST = re.compile(r'\["[^\[\]{}]*"\]')
_ROUNDS = 2
"""Ids are told apart by the rows that name them, and by the ids that these name besides."""

# When we came to bind a deal and to post an adjustment.
_WHEN = ("bound_at", "posted_at")
_RUN = re.compile(r"\brun_[0-9a-hjkmnp-tv-z]{26}\b")


def essence(cloud: Cloud, before: Saved) -> list[str]:
    """Return every row as text, with ids minted since ``before`` numbered by where they stand."""
    known = set(_ids_in(before))
    stored = cloud.store.dump()
    runs = {row.get(name) for row in stored[CORE] for name in ("run_id", "merged_by")}
    rows = [
        (table, _masked(row))
        for table, items in stored.items()
        for row in items
        if not row[names.PK].startswith(names.OUTBOX_PREFIX) and not _is_left_over(row, runs)
    ]
    numbers = _numbered([_text([table, row]) for table, row in rows], known)
    return sorted(_text([table, _renamed(row, numbers)]) for table, row in rows)


def _numbered(rows: Iterable[str], known: set[str]) -> dict[str, str]:
    """Number ids by the rows that name them, and these by the numbers of the other ids in them.

    Lists of ids are in no stable order, so they are read as sets.
    """
    naming = [(row, {m[0]: m[1] for m in _ID.finditer(row) if m[0] not in known}) for row in rows]
    prefixes = {each: prefix for _, found in naming for each, prefix in found.items()}
    numbers = prefixes
    for _ in range(_ROUNDS):
        places: dict[str, list[str]] = {each: [] for each in prefixes}
        for row, found in naming:
            for each, prefix in found.items():
                places[each].append(_shown(row, {**numbers, each: f"{prefix}*"}))
        marks = {each: _text(sorted(where)) for each, where in places.items()}
        ranks = {mark: rank for rank, mark in enumerate(sorted(set(marks.values())))}
        numbers = {each: f"{prefixes[each]}new{ranks[mark]}" for each, mark in marks.items()}
    return numbers


def _shown(row: str, numbers: Mapping[str, str]) -> str:
    shown = _ID.sub(lambda m: numbers.get(m[0], m[0]), row)
    return _LIST.sub(lambda m: ", ".join(sorted(m[0][1:-1].split(", "))), shown)


def _is_left_over(row: Mapping[str, Any], runs: set[Any]) -> bool:
    """Tell whether a run of a job's step that died wrote it: nobody ever reads that."""
    kind, *_, run_id, _ = (*str(row.get(names.SK)).split("#"), "", "")
    return row[names.PK].startswith("JOB#") and kind in {"RESULT", "PAGE"} and run_id not in runs


def outcome(cloud: Cloud) -> list[str]:
    """Return all that must be the same however late the work is done.

    Facts, heads, decision traces, bindings, deliveries: every row but those that tell how money
    moved until it stood where it stands. What is evaluated late moves in fewer steps; ``amounts``
    and ``releases`` tell what it comes to. A simulation sees what is there when it runs. The ids
    that the doors mint must be the same in what is compared.
    """
    rows = [
        [table, {name: value for name, value in _masked(row).items() if name not in _WHEN}]
        for table, items in cloud.store.dump().items()
        for row in items
        if table != BOOKS and not _is_way(row)
    ]
    return sorted(_RUN.sub("run", _text(row)) for row in rows)


def _is_way(row: Mapping[str, Any]) -> bool:
    partition, kind = str(row[names.PK]), str(row[names.SK])
    return partition.startswith((names.OUTBOX_PREFIX, "BOOK#", "JOB#sim_")) or kind.startswith(
        ("REWARD#", "FULFIL#")
    )


def releases(cloud: Cloud) -> list[str]:
    """Return what of each reward is still pending until when.

    A bonus for a count is held from when it was posted, so its date says nothing here.
    """
    found = []
    for row in cloud.store.dump()[CORE]:
        due: Counter[str] = Counter()
        for lot in row.get("lots", ()):
            until = "later" if row["scope"] == BY_PARTNER else lot["release_at"]
            due[until] += lot["amount_minor"]
        found += [_text([row[names.PK], row[names.SK], sorted(due.items())])] if due else []
    return found


def amounts(cloud: Cloud) -> list[str]:
    """Return what everybody holds, without how it came about."""
    rows = cloud.store.dump()[CORE]
    books = [
        _text([row[names.PK], {name: minor for name, minor in row["balances"].items() if minor}])
        for row in rows
        if row[names.PK].startswith("BOOK#")
    ]
    rewards = [
        _text([row[names.PK], row["rule_id"], row["occurrence"], row["holder_id"], *_held(row)])
        for row in rows
        if row.get(names.SK, "").startswith("REWARD#")
    ]
    return sorted(books + [reward for reward in rewards if not reward.endswith("[0, 0]]")])


def _held(row: Mapping[str, Any]) -> tuple[Any, ...]:
    pending = sum(lot["amount_minor"] for lot in row["lots"])
    return row["benefit_state"], [pending, row["payable_minor"]]


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)


def _renamed(value: Any, numbers: Mapping[str, str]) -> Any:  # noqa: ANN401 - any value of a row
    if isinstance(value, str):
        return _ID.sub(lambda m: numbers.get(m[0], m[0]), value)
    if isinstance(value, dict):
        return {name: _renamed(inner, numbers) for name, inner in value.items()}
    if isinstance(value, list):
        renamed = [_renamed(inner, numbers) for inner in value]
        return sorted(renamed) if all(isinstance(inner, str) for inner in value) else renamed
    return value


def _ids_in(saved: Saved) -> list[str]:
    return [m[0] for rows in saved.tables.values() for m in _ID.finditer(repr(rows))]


def _masked(row: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {*_FOLLOWING, *_DRAWN}
    if row[names.PK].startswith("IDEM#"):
        left_out.update(_CLAIMED)
    kept = {name: value for name, value in row.items() if name not in left_out}
    if "marks" in row:
        kept["marks"] = sorted(marks_from(row["marks"]).items())
    if row[names.PK].startswith("KEYRING#"):
        kept["keys"] = [key["key_id"] for key in row["keys"]]
    for name in _SHARDED:
        if name in kept:
            kept[name] = _SHARD.sub("#", str(kept[name]))
    return kept


def broken_money(cloud: Cloud) -> list[str]:
    """Return which promises about money do not hold; the list is empty when all do."""
    found: list[str] = []
    ledger = DynamoLedger(cloud.store, core_table=CORE, books_table=BOOKS)
    rows = cloud.store.dump()
    net: dict[str, int] = {}
    for partition in sorted({row[names.PK] for row in rows.get(BOOKS, [])}):
        _, holder_id, program_id = partition.split("#")
        movements = movements_of_book(cloud.store, BOOKS, holder_id, program_id)
        book = ledger.book(holder_id, program_id)
        if books.broken_at(movements) is not None:
            found.append(f"chain of {partition} is broken")
        if books.fold(movements) != book.balances:
            found.append(f"balances of {partition} are not the sum of its movements")
        if sum(book.balances.values()):
            found.append(f"accounts of {partition} do not sum to zero")
        for movement in movements:
            sign = {"earn": 1, "reverse": -1, "claw_back": -1}.get(movement.step, 0)
            net[movement.reward_id] = net.get(movement.reward_id, 0) + sign * movement.amount_minor
    referrals = [row["referral_id"] for row in rows[CORE] if _is_head(row)]
    for referral_id in referrals:
        found += _unsettled(ledger, referral_id, net)
    found += [f"unsent event {row['name']}" for row in rows[CORE] if _is_unsent(row)]
    found += [f"dead letter {message.body[:200]}" for message in cloud.dead]
    return found + broken_promises(rows[CORE])


def _unsettled(ledger: DynamoLedger, referral_id: str, net: Mapping[str, int]) -> list[str]:
    """Compare what the terms say of a referral with its rewards, and these with the books."""
    aggregate = ledger.load(referral_id)
    assert aggregate is not None
    head = aggregate.referral
    terms = ledger.terms(head.program_id, head.terms_version)
    evaluation = evaluate(terms, aggregate.facts, aggregate.parties)
    wanted = {e.identity: e.amount_minor for e in evaluation.entitlements if e.amount_minor}
    held = {
        (reward.rule_id, reward.occurrence, reward.holder_id): reward.net_minor
        for reward in aggregate.rewards
        if reward.net_minor
    }
    found = [] if wanted == held else [f"{referral_id} holds {held}, its terms say {wanted}"]
    return found + [
        f"{reward.reward_id} is {reward.net_minor}, its movements {net.get(reward.reward_id, 0)}"
        for reward in aggregate.rewards
        if reward.scope == BY_REFERRAL and reward.net_minor != net.get(reward.reward_id, 0)
    ]


def _is_head(row: Mapping[str, Any]) -> bool:
    return bool(row[names.PK].startswith("REF#") and row.get(names.SK) == "META")


def _is_unsent(row: Mapping[str, Any]) -> bool:
    return bool(row[names.PK].startswith(names.OUTBOX_PREFIX) and names.DUE_PK in row)
