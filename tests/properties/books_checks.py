"""What must be so of the stored money after any step, and what once everything is settled."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.books import book_from, movement_from
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.rewards import reward_from
from shared.domain import books
from shared.domain import facts as kinds
from shared.domain.deal import ACCEPTED, SUBMITTED
from shared.domain.entitlements import Parties, shares_of
from shared.domain.evaluation import evaluate
from shared.domain.rewards import CLAW_BACK, EARN, MATURE, REVERSE, Reward
from shared.domain.terms import FACE_VALUE_KINDS, PARTNER
from tests.builders.ledger import BOOKS, CORE, Stored

if TYPE_CHECKING:
    import random

    from shared.domain.books import Movement
    from shared.domain.facts import Fact
    from shared.domain.referrals import Referral

Row = dict[str, Any]


class Snapshot:
    """All rows at one moment, read back the way the product reads them."""

    def __init__(self, stored: Stored) -> None:
        dump = stored.client.dump()
        self.raw = {(row["pk"], row["sk"]): repr(row) for row in dump.get(BOOKS, [])}
        self.by_book: dict[str, list[Movement]] = defaultdict(list)
        for row in dump.get(BOOKS, []):
            movement = movement_from(row)
            self.by_book[movement.holder_id].append(movement)
        core = dump[CORE]
        self.books = [book_from(row) for row in core if row["pk"].startswith("BOOK#")]
        self.rewards = [reward_from(row) for row in core if row["sk"].startswith("REWARD#")]
        self.standings = {
            row["pk"].removeprefix("PTR#"): row["sums"]
            for row in core
            if row["sk"].startswith("STANDING#")
        }
        self.caps = {(row["pk"], row["sk"]): row["used"] for row in core if "#CAP" in mark(row)}
        self.facts: dict[str, list[Fact]] = defaultdict(list)
        self.heads: dict[str, Referral] = {}
        for row in core:
            referral_id = row["pk"].removeprefix("REF#")
            if row["sk"].startswith("FACT#"):
                self.facts[referral_id].append(fact_from(row))
            elif row["pk"].startswith("REF#") and row["sk"] == "META":
                self.heads[referral_id] = referral_from(row)


def mark(row: Row) -> str:
    return "#CAP" if str(row["sk"]).startswith("CAP#") else ""


def check_always(snapshot: Snapshot, before: dict[tuple[str, str], str], limits: Row) -> None:
    """Check what holds after every step, crashes and lost races included."""
    check_nothing_was_edited(snapshot, before)
    check_books(snapshot)
    check_rewards(snapshot)
    check_sums(snapshot)
    check_caps(snapshot, limits)


def check_nothing_was_edited(snapshot: Snapshot, before: dict[tuple[str, str], str]) -> None:
    assert before == {key: snapshot.raw.get(key) for key in before}


def check_books(snapshot: Snapshot) -> None:
    known = {book.holder_id for book in snapshot.books}
    assert set(snapshot.by_book) <= known
    for book in snapshot.books:
        rows = sorted(snapshot.by_book[book.holder_id], key=lambda row: row.seq)
        assert books.broken_at(rows) is None
        assert (len(rows), rows[-1].hash) == (book.seq, book.head)
        assert books.fold(rows) == book.balances
        for currency in {row.currency for row in rows}:
            own = [v for name, v in book.balances.items() if name.endswith(f"|{currency}")]
            assert 0 == sum(own)
        assert all(row.amount_minor > 0 for row in rows)
        assert len(rows) == len({row.natural_key for row in rows})


def check_rewards(snapshot: Snapshot) -> None:
    """Each stage of a reward is the sum of its movements, and no more is taken than was earned."""
    steps: dict[str, Counter[str]] = defaultdict(Counter)
    for rows in snapshot.by_book.values():
        for row in rows:
            steps[row.reward_id][row.step] += row.amount_minor
    assert set(steps) <= {reward.reward_id for reward in snapshot.rewards}
    for reward in snapshot.rewards:
        done = steps[reward.reward_id]
        pending = done[EARN] - done[REVERSE] - done[MATURE]
        assert (pending, done[MATURE] - done[CLAW_BACK]) == (
            reward.pending_minor,
            reward.payable_minor,
        )
        assert (done[REVERSE], done[CLAW_BACK]) == (
            reward.reversed_minor,
            reward.clawed_back_minor,
        )
        assert reward.pending_minor >= 0
        assert 0 <= done[REVERSE] + done[CLAW_BACK] <= done[EARN]
        assert all(lot.amount_minor > 0 for lot in reward.lots)


def check_sums(snapshot: Snapshot) -> None:
    added: dict[str, Counter[str]] = defaultdict(Counter)
    for head in snapshot.heads.values():
        for name, amount in head.counting.items():
            partner_id, _, key = name.partition("/")
            added[partner_id][key] += amount
    for partner_id in added.keys() | snapshot.standings.keys():
        kept = {key: v for key, v in snapshot.standings.get(partner_id, {}).items() if v}
        assert {key: v for key, v in added[partner_id].items() if v} == kept


def check_caps(snapshot: Snapshot, limits: Row) -> None:
    """What is taken of a cap is what is pinned under it, and never more than its limit."""
    pinned: Counter[tuple[str, str]] = Counter()
    for told in snapshot.facts.values():
        for fact in kinds.in_order(told):
            if fact.kind != kinds.ALLOWANCE_PINNED:
                continue
            data = fact.data
            place = ("PRG#prg_1", f"CAP#{data['cap']}#{data['period']}")
            if data["scope"] == PARTNER:
                place = (f"PTR#{data['holder_id']}", f"CAP#prg_1#{data['cap']}#{data['period']}")
            pinned[place] += int(data["allowed_minor"])
    for reward in snapshot.rewards:
        for row in reward.allowances:
            place = keys.program_cap("prg_1", row.cap_id, row.period)
            if row.scope == PARTNER:
                place = keys.partner_cap(reward.holder_id, "prg_1", row.cap_id, row.period)
            pinned[place] += row.allowed_minor
            if reward.kind in FACE_VALUE_KINDS:
                assert reward.net_minor <= row.allowed_minor
    assert {place: used for place, used in snapshot.caps.items() if used} == {
        place: used for place, used in pinned.items() if used
    }
    for (_, name), used in snapshot.caps.items():
        cap_id = next(part for part in name.split("#") if part in limits)
        assert 0 <= used <= limits[cap_id]


def check_settled(stored: Stored, snapshot: Snapshot, chooser: random.Random) -> None:
    """Check that rewards are what the terms say of the facts, whatever the facts' order."""
    terms = stored.ledger.terms("prg_1", 1)
    of_referral: dict[str, list[Reward]] = defaultdict(list)
    for reward in snapshot.rewards:
        of_referral[reward.referral_id].append(reward)
    for referral_id, head in snapshot.heads.items():
        aggregate = stored.ledger.load(referral_id)
        assert aggregate is not None
        mixed = [*aggregate.facts, *chooser.choices(aggregate.facts, k=3)]
        chooser.shuffle(mixed)
        evaluation = evaluate(terms, mixed, aggregate.parties)
        assert (frozenset(), ()) == (evaluation.positions, evaluation.allowances)
        owner = evaluation.introducer
        assert head.counting == {f"{owner}/{k}": v for k, v in evaluation.contributions.items()}
        due = {row.identity: row for row in evaluation.entitlements}
        posted = {row.identity: row for row in of_referral[referral_id]}
        assert set(due) <= set(posted)
        for identity, reward in posted.items():
            if reward.kind in FACE_VALUE_KINDS:
                expected = due[identity].amount_minor if identity in due else 0
                assert expected == reward.net_minor
            else:
                assert ("issued" if identity in due else "voided") == reward.benefit_state
            if identity in due:
                assert due[identity].held == reward.held
        lines = {(line.rule_id, line.occurrence): line for line in evaluation.trace}
        assert lines == {(line.rule_id, line.occurrence): line for line in aggregate.trace}


def check_one_earns(stored: Stored, snapshot: Snapshot) -> None:
    """Check that one referral at most is entitled to anything for what merged deals reached."""
    terms = stored.ledger.terms("prg_1", 1)
    milestones = {rule.rule_id: rule.milestone for rule in terms.rules}
    earning: dict[tuple[str, str], set[str]] = defaultdict(set)
    for referral_id, head in snapshot.heads.items():
        heir = head
        while heir.merged_into:
            heir = snapshot.heads[heir.merged_into]
        parties = Parties(lead_id=head.lead_id, shares=shares_of(snapshot.facts[referral_id]))
        evaluation = evaluate(terms, snapshot.facts[referral_id], parties)
        for each in evaluation.entitlements:
            milestone = milestones[each.rule_id]
            if milestone not in {SUBMITTED, ACCEPTED}:
                earning[heir.referral_id, milestone].add(referral_id)
    assert all({heir_id} == of for (heir_id, _), of in earning.items())
