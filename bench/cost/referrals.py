"""The bill of a referral and of its rewards, from what the stored paths take under the meter.

One referral as in the worked example: a form after a click, three deliveries of a CRM (won, and
the amount twice), an acceptance by hand; three rewards in money and a benefit for the lead, which
mature. Units are counted as in ``tests/budgets``; durations are assumed.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from bench.cost import prices
from bench.cost.clicks import CALL_CPU_MS, LATENCY_MS, VCPU_MB
from bench.cost.prices import Line
from bench.meter import Usage
from bench.stock import measured, story
from tests.builders.deliveries import Desk, token, updated
from tests.builders.intake import World, click_token, submission
from tests.builders.ledger import Stored
from tests.builders.money import DAY, START

MEMORY_MB: Final = Decimal(512)
OWN_MS: Final = Decimal(20)
"""Processor time of a call besides its calls to the store."""
COLD: Final = Decimal("0.2")
INIT_MS: Final = Decimal(3_000)
"""Billed with a cold start of a function with the SDK."""
MONEY_REWARDS: Final = 3
REWARDS: Final = 4
_MARKED_SENT: Final = Decimal(2)
"""Write units of marking an event as sent: the row, and its place in an index."""
_DELIVERIES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Some calls of functions. ``usage`` is what they took of the store, all together."""

    what: str
    usage: tuple[Usage, ...]
    requests: int = 0
    events: int = 0
    """Put on the bus. Each goes through the stream, and half of them come by the queue."""

    @property
    def reads(self) -> Decimal:
        """Read units."""
        return sum((Decimal(str(one.read_units)) for one in self.usage), Decimal())

    @property
    def writes(self) -> Decimal:
        """Write units, those of indexes and of marking events as sent included."""
        units = sum(one.write_units + one.index_units for one in self.usage)
        return units + self.events * _MARKED_SENT

    @property
    def trips(self) -> int:
        """Round trips."""
        return sum(one.round_trips for one in self.usage)


def parts() -> Iterator[Part]:
    """Yield the life of a referral, from the form to the money that is due."""
    world = World()
    form = measured(world.client, lambda: world.submit(submission(click_id=click_token())))
    yield Part(what="form", usage=(form,), requests=1, events=1)
    yield Part(
        what="three deliveries and an acceptance",
        usage=tuple(_deliveries()),
        # The acceptance is taken for one more.
        requests=_DELIVERIES + 1,
        events=2 * (_DELIVERIES + 1),
    )
    stored = Stored()
    stored.partner("active")
    told = story()
    stored.submit(told)
    posted = measured(stored.client, lambda: stored.settle(told))
    looked = measured(stored.client, lambda: stored.settle(told))
    yield Part(what="four rewards posted", usage=(posted,), events=_events(posted))
    yield Part(what="evaluations that find nothing to do", usage=(looked,) * _DELIVERIES)
    matured = measured(stored.client, lambda: stored.mature(START + 400 * DAY))
    yield Part(what="three rewards matured", usage=(matured,), events=_events(matured))


def _deliveries() -> Iterator[Usage]:
    desk = Desk()

    def delivered(receive: Callable[[], str]) -> Iterator[Usage]:
        found: list[str] = []
        yield measured(desk.client, lambda: found.append(receive()))
        yield measured(desk.client, lambda: desk.apply(found[0]))

    won = updated({"id": "9", "stage": "won"}, {"click_id": token(1)})
    yield from delivered(lambda: desk.standard(won))
    for amount in ("100.00", "200.00", "300.00"):
        yield from delivered(
            lambda amount=amount: desk.standard(updated({"id": "9", "amount": amount}))  # type: ignore[misc]
        )


def _events(usage: Usage) -> int:
    return sum(label.count("put OUT/EVENT") for label in usage.labels)


def bill(part: Part) -> list[Line]:
    """Return what a part of a referral's life costs."""
    calls = len(part.usage) + part.events
    cpu = (part.trips * CALL_CPU_MS + calls * OWN_MS) * VCPU_MB / MEMORY_MB
    milliseconds = cpu + (part.trips + part.events) * LATENCY_MS + calls * COLD * INIT_MS
    return [
        Line(
            what="HTTP API",
            quantity=Decimal(part.requests),
            unit="request",
            price=prices.HTTP_API,
        ),
        Line(
            what="functions, calls",
            quantity=Decimal(calls),
            unit="call",
            price=prices.LAMBDA_REQUEST,
        ),
        Line(
            what="functions, time",
            quantity=milliseconds / 1_000 * MEMORY_MB / 1_024,
            unit="GB-second",
            price=prices.LAMBDA_GB_SECOND,
        ),
        Line(what="reads", quantity=part.reads, unit="read unit", price=prices.READ_UNIT),
        Line(what="writes", quantity=part.writes, unit="write unit", price=prices.WRITE_UNIT),
        Line(
            what="bus and queue",
            quantity=Decimal(part.events),
            unit="event",
            # Half of the events are evaluated: sent, received and deleted.
            price=prices.BUS_EVENT + 3 * prices.QUEUE_REQUEST / 2,
        ),
    ]
