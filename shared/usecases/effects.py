"""Write effects: each is one transaction, and the same for referrals and partners' files."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Final

from shared.domain import books
from shared.domain.aggregate import Guard
from shared.domain.events import Event
from shared.domain.money import money_json
from shared.domain.posting import Posting
from shared.domain.referrals import Referral
from shared.domain.rewards import Change, Effect
from shared.domain.terms import FACE_VALUE_KINDS
from shared.domain.verdicts import TraceLine
from shared.ports import Ledger, NewId

if TYPE_CHECKING:
    from shared.domain.books import Book, Movement


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """What made us look: the event that is being handled."""

    correlation_id: str
    causation_id: str
    hops: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What one run did: transactions that posted effects, and movements in them.

    ``more`` says that it left work, which it announced.
    """

    effects: int = 0
    movements: int = 0
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Writes for one run; holds nothing that outlives it."""

    ledger: Ledger
    trigger: Trigger
    now: datetime
    new_id: NewId

    def post_all(
        self,
        guard: Guard,
        effects: Iterable[Effect],
        trace: Iterable[TraceLine],
        *,
        event_name: str,
    ) -> tuple[Guard, Posted]:
        """Post effect by effect; return the guard at its last version and what was done.

        Raises:
            StaleVersionError: when somebody else wrote first; what is posted stays posted.
        """
        lines = {(line.rule_id, line.occurrence): line for line in trace}
        posted = Posted()
        for effect in effects:
            line = lines.get((effect.rule_id, effect.occurrence))
            posting = self.posting(
                guard, effect.changes, (line,) if line else (), event_name=event_name
            )
            self.ledger.post(posting)
            guard = replace(guard, version=guard.version + 1)
            posted = Posted(
                effects=posted.effects + 1,
                movements=posted.movements + len(posting.movements),
            )
        return guard, posted

    def posting(
        self,
        guard: Guard,
        changes: tuple[Change, ...],
        trace: tuple[TraceLine, ...],
        *,
        event_name: str,
    ) -> Posting:
        """Return the transaction that makes these changes, on the books as they are now."""
        opened: dict[str, Book] = {}
        current: dict[str, Book] = {}
        movements: list[Movement] = []
        for change in changes:
            if not change.steps:
                continue
            holder_id = change.reward.holder_id
            if holder_id not in current:
                opened[holder_id] = self.ledger.book(holder_id, guard.program_id)
                current[holder_id] = opened[holder_id]
            current[holder_id], rows = books.post(
                current[holder_id],
                change,
                now=self.now,
                movement_ids=[self.new_id("mov") for _ in change.steps],
            )
            movements += rows
        return Posting(
            guard=guard,
            changes=changes,
            books=tuple((opened[holder_id], current[holder_id]) for holder_id in opened),
            movements=tuple(movements),
            trace=trace,
            event=self._event(event_name, guard, changes),
            now=self.now,
        )

    def explain(
        self,
        guard: Guard,
        stored: Sequence[TraceLine],
        trace: Sequence[TraceLine],
        effects: Iterable[Effect],
    ) -> None:
        """Store the lines that changed without an effect of their own; drop those that went."""
        known = {(line.rule_id, line.occurrence): line for line in stored}
        written = {(effect.rule_id, effect.occurrence) for effect in effects}
        wanted = {(line.rule_id, line.occurrence) for line in trace}
        changed = [
            line
            for line in trace
            if (line.rule_id, line.occurrence) not in written
            and known.get((line.rule_id, line.occurrence)) != line
        ]
        gone = [line for key, line in known.items() if key not in wanted]
        for start in range(0, max(len(changed), len(gone)), _LINES_AT_ONCE):
            part = slice(start, start + _LINES_AT_ONCE)
            self.ledger.explain(guard, changed[part], gone[part])

    def _event(self, name: str, guard: Guard, changes: tuple[Change, ...]) -> Event:
        is_referral = isinstance(guard, Referral)
        return Event(
            event_id=self.new_id("evt"),
            name=name,
            occurred_at=self.now,
            program_id=guard.program_id,
            aggregate_type="referral" if is_referral else "partner",
            aggregate_id=guard.referral_id if isinstance(guard, Referral) else guard.partner_id,
            aggregate_version=guard.version + 1,
            correlation_id=self.trigger.correlation_id,
            causation_id=self.trigger.causation_id,
            hops=self.trigger.hops + 1,
            data={"rewards": [_told(change) for change in changes]},
        )


# Two lists of at most so many actions, and a transaction holds 100.
_LINES_AT_ONCE: Final = 45


def _told(change: Change) -> dict[str, object]:
    reward = change.reward
    told: dict[str, object] = {
        "reward_id": reward.reward_id,
        "rule_id": reward.rule_id,
        "holder_id": reward.holder_id,
        "kind": reward.kind,
        "state": reward.state,
    }
    if reward.kind in FACE_VALUE_KINDS:
        told["net"] = money_json(reward.net_minor, reward.currency)
    return told
