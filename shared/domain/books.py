"""The books: append-only double entry, one hash chain per holder.

Every movement debits one account and credits another by the same positive amount, so debits
equal credits by construction. An account is (stage, holder, programme, kind, currency); within a
holder's book it is written ``stage|kind|currency``.

=========  =========  =========
step       debit      credit
=========  =========  =========
earn       expense    pending
mature     pending    payable
reverse    pending    expense
claw_back  payable    expense
=========  =========  =========

A movement belongs to the month of its ``posted_at``, in the programme's time zone; when it happened
is its ``effective_at``. Within a book ``posted_at`` never goes back, whatever the clocks of the
writers say, so nothing is posted into a month before one that has a row.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from typing import Final

from shared.domain.rewards import BY_REFERRAL, CLAW_BACK, EARN, MATURE, REVERSE, Change, Step

EXPENSE: Final = "expense"
PENDING: Final = "pending"
PAYABLE: Final = "payable"
CLEARING: Final = "clearing"
PAID: Final = "paid"

_ACCOUNTS: Final[Mapping[str, tuple[str, str]]] = {
    EARN: (EXPENSE, PENDING),
    MATURE: (PENDING, PAYABLE),
    REVERSE: (PENDING, EXPENSE),
    CLAW_BACK: (PAYABLE, EXPENSE),
}
"""Step -> (stage debited, stage credited)."""

GENESIS: Final = "0" * 64
"""What the first movement of a book names as its predecessor."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Book:
    """A holder's book in a programme: all balances and the head of the hash chain.

    Balances count credits less debits, in minor units, by ``stage|kind|currency``; they sum to
    zero per kind and currency. ``posted_at`` is that of the last movement.
    """

    holder_id: str
    program_id: str
    seq: int = 0
    head: str = GENESIS
    posted_at: datetime | None = None
    balances: Mapping[str, int] = field(default_factory=dict)

    def balance(self, stage: str, kind: str, currency: str) -> int:
        """Return the balance of one account in minor units."""
        return self.balances.get(account(stage, kind, currency), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Movement:
    """One row of the books. ``amount_minor`` is always positive."""

    movement_id: str
    natural_key: str
    holder_id: str
    role: str
    program_id: str
    scope: str
    subject_id: str
    reward_id: str
    rule_id: str
    occurrence: str
    sequence: int
    step: str
    debit: str
    credit: str
    kind: str
    currency: str
    amount_minor: int
    cause: tuple[str, ...]
    terms_version: int
    posted_at: datetime
    effective_at: datetime
    seq: int
    prev_hash: str
    hash: str = ""

    @property
    def referral_id(self) -> str:
        """Return the referral behind it, or "" if it is for the partner's successes."""
        return self.subject_id if self.scope == BY_REFERRAL else ""


def account(stage: str, kind: str, currency: str) -> str:
    """Name an account within a holder's book."""
    return f"{stage}|{kind}|{currency}"


def natural_key(change: Change, step: str, sequence: int) -> str:
    """Return what makes a movement the same movement, whoever tries to post it."""
    reward = change.reward
    if step == MATURE:
        return f"MAT#{reward.reward_id}#{sequence:06d}"
    return (
        f"MOV#{reward.scope}#{reward.subject_id}#{reward.rule_id}#{reward.occurrence}"
        f"#{reward.role}#{sequence:06d}"
    )


def post(
    book: Book, change: Change, *, now: datetime, movement_ids: Sequence[str]
) -> tuple[Book, tuple[Movement, ...]]:
    """Return the book after a change, and the movements to append. The change may have none.

    ``movement_ids`` are fresh ids, one for each step.
    """
    balances = dict(book.balances)
    movements = []
    seq, head = book.seq, book.head
    posted_at = max(now, book.posted_at or now)
    for step, movement_id in zip(change.steps, movement_ids, strict=True):
        seq += 1
        movement = _movement(
            book, change, step, movement_id=movement_id, posted_at=posted_at, seq=seq, head=head
        )
        head = chain_hash(movement)
        movements.append(replace(movement, hash=head))
        _count(balances, movement)
    if movements:
        book = replace(book, seq=seq, head=head, balances=balances, posted_at=posted_at)
    return book, tuple(movements)


def _movement(
    book: Book,
    change: Change,
    step: Step,
    *,
    movement_id: str,
    posted_at: datetime,
    seq: int,
    head: str,
) -> Movement:
    reward = change.reward
    debit, credit = _ACCOUNTS[step.step]
    return Movement(
        movement_id=movement_id,
        natural_key=natural_key(change, step.step, step.sequence),
        holder_id=book.holder_id,
        role=reward.role,
        program_id=reward.program_id,
        scope=reward.scope,
        subject_id=reward.subject_id,
        reward_id=reward.reward_id,
        rule_id=reward.rule_id,
        occurrence=reward.occurrence,
        sequence=step.sequence,
        step=step.step,
        debit=debit,
        credit=credit,
        kind=reward.kind,
        currency=reward.currency,
        amount_minor=step.amount_minor,
        cause=change.cause,
        terms_version=reward.terms_version,
        posted_at=posted_at,
        effective_at=reward.effective_at,
        seq=seq,
        prev_hash=head,
    )


def chain_hash(movement: Movement) -> str:
    """Hash a movement together with its predecessor's hash."""
    row = asdict(replace(movement, hash=""))
    text = json.dumps(row, sort_keys=True, separators=(",", ":"), default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(type(value).__name__)


def fold(movements: Iterable[Movement]) -> dict[str, int]:
    """Return the balances that the movements add up to, by account."""
    balances: dict[str, int] = {}
    for movement in movements:
        _count(balances, movement)
    return balances


def _count(balances: dict[str, int], movement: Movement) -> None:
    for stage, sign in ((movement.debit, -1), (movement.credit, 1)):
        name = account(stage, movement.kind, movement.currency)
        balances[name] = balances.get(name, 0) + sign * movement.amount_minor


def broken_at(movements: Iterable[Movement]) -> int | None:
    """Return the place of the first row that breaks the chain, or None if it is whole.

    ``movements`` must be in the order of ``seq``.
    """
    head = GENESIS
    latest: datetime | None = None
    for place, movement in enumerate(movements):
        if (
            movement.seq != place + 1
            or movement.prev_hash != head
            or movement.hash != chain_hash(movement)
            or (latest and movement.posted_at < latest)
        ):
            return place
        head, latest = movement.hash, movement.posted_at
    return None
