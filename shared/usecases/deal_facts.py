"""Write facts of a deal to the referral that has it, each transaction under its version."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final, TypeVar

from shared.domain.deal_changes import mirror
from shared.domain.deliveries import Binding, is_deal
from shared.domain.errors import NotFoundError, StaleVersionError
from shared.domain.events import FACTS_CHANGED, Event
from shared.domain.facts import Fact
from shared.domain.referrals import Referral
from shared.ports import DeliveryStore, NewId

TRIES: Final = 5
_Made = TypeVar("_Made")
_FACTS_AT_ONCE: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The store, and what the facts and events of one run carry."""

    store: DeliveryStore
    now: datetime
    new_id: NewId
    hops: int
    correlation_id: str
    causation_id: str


def persist(work: Callable[[], _Made]) -> _Made:
    """Do the work, anew whenever others wrote first.

    Raises:
        StaleVersionError: when they kept doing so.
    """
    for _ in range(TRIES - 1):
        try:
            return work()
        except StaleVersionError:
            continue
    return work()


def lineage(store: DeliveryStore, referral: Referral | None) -> list[Referral]:
    """Return a referral and those that took its deal over, one after the other; the last has it.

    Raises:
        NotFoundError: when there is no such referral, or a successor is gone.
    """
    line = [referral] if referral else []
    while line and line[-1].merged_into:
        following = store.referral(line[-1].merged_into)
        line = [*line, following] if following else []
    if not line:
        raise NotFoundError
    return line


def write(
    run: Run,
    head: Referral,
    known: Iterable[Fact],
    missing: Sequence[Fact],
    *,
    deal: tuple[str, str],
    binding: Binding | None,
) -> None:
    """Write facts that the referral does not know yet, and a new binding with the first of them.

    ``deal`` are the ids of the source and of its deal.

    Raises:
        StaleVersionError: when the referral or the binding is not as it was read.
        UnavailableError: when the store does not answer.
    """
    told = list(known)
    chunks = [
        missing[start : start + _FACTS_AT_ONCE] for start in range(0, len(missing), _FACTS_AT_ONCE)
    ]
    for chunk in chunks or ([()] if binding else []):
        told += chunk
        head = mirrored(replace(head, version=head.version + 1), told, deal)
        event = changed(run, head, chunk) if chunk else None
        run.store.append_facts(head, chunk, event, binding=binding, now=run.now)
        binding = None


def mirrored(head: Referral, known: Sequence[Fact], deal: tuple[str, str]) -> Referral:
    """Return the head as lists show it. What stands for a deal is not shown as one."""
    source_id, deal_id = deal
    if not is_deal(deal_id):
        return head
    shown = mirror(known, source_id, deal_id)
    return replace(head, source_id=source_id, deal_id=shown["deal_id"], deal=shown)


def changed(run: Run, head: Referral, new: Iterable[Fact]) -> Event:
    """Return the event that announces new facts of a referral."""
    return Event(
        event_id=run.new_id("evt"),
        name=FACTS_CHANGED,
        occurred_at=run.now,
        program_id=head.program_id,
        aggregate_type="referral",
        aggregate_id=head.referral_id,
        aggregate_version=head.version,
        correlation_id=run.correlation_id,
        causation_id=run.causation_id,
        hops=run.hops + 1,
        data={"referral_id": head.referral_id, "kinds": sorted({fact.kind for fact in new})},
    )
