"""A fault at any AWS call of applying deliveries, then redelivery: the same as without it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from shared.domain.errors import GoodwordError
from tests.builders.deliveries import Desk, change, updated

if TYPE_CHECKING:
    from collections.abc import Callable


class Crash(BaseException):
    """The process is gone: no ``except Exception`` may swallow it."""


def _error(code: str) -> ClientError:
    reasons = [{"Code": "TransactionConflict"}] if code == "TransactionCanceledException" else []
    response: Any = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": reasons}
    return ClientError(response, "x")


FAULTS: dict[str, tuple[str, Callable[[], BaseException]]] = {
    "crash before": ("before", Crash),
    "crash after": ("after", Crash),
    "service error": ("before", lambda: _error("InternalServerError")),
    "conflict": ("before", lambda: _error("TransactionCanceledException")),
    "no connection": ("before", lambda: ConnectTimeoutError(endpoint_url="x")),
    "timeout after success": ("after", lambda: ReadTimeoutError(endpoint_url="x")),
}


def story() -> tuple[Desk, list[str]]:
    """Two deliveries wait, one binds two deals, one repeats; a strange stage stays parked."""
    desk = Desk()
    return desk, [
        desk.hubspot(change("dealstage", "won", minute=3), change("amount", "5", deal=8)),
        desk.hubspot(change("dealstage", "signed", minute=4), change("amount", "7.50")),
        desk.hubspot(
            change("goodword_referral", "ref_1"),
            change("goodword_referral", "code-2", deal=8),
            change("dealstage", "accepted"),
        ),
        desk.hubspot(change("dealstage", "won", minute=3, attemptNumber=1)),
        desk.standard(updated({"id": "D-1", "stage": "won"}, {"id": "ref_1"})),
    ]


def bound_first() -> tuple[Desk, list[str]]:
    """The same deliveries, the one that binds first."""
    desk, received = story()
    return desk, [received[2], *received[:2], *received[3:]]


def many_deals() -> tuple[Desk, list[str]]:
    """More deals in one delivery than one transaction holds."""
    desk = Desk(referrals=45)
    deals = range(1, 46)
    waits = desk.hubspot(*(change("amount", "1", deal=number) for number in deals))
    names = [change("goodword_referral", f"ref_{n}", deal=n) for n in deals]
    return desk, [waits, desk.hubspot(*names)]


def run(desk: Desk, received: list[str]) -> None:
    """Handles each delivery as the queue does: again and again until it succeeds."""
    for delivery_id in received:
        for _ in range(5):
            try:
                desk.apply(delivery_id)
            except (GoodwordError, Crash):
                continue
            break
        else:
            pytest.fail("never succeeded")


def fail_at(desk: Desk, fault: str, place: int) -> list[int]:
    """Lets the call with this number fail once; the result tells whether it came to that."""
    moment, error = FAULTS[fault]
    start = len(desk.client.calls)
    fired: list[int] = []

    def hook(*_arguments: object) -> None:
        if not fired and len(desk.client.calls) - start == place + 1:
            fired.append(place)
            raise error()

    getattr(desk.client, moment)["*"] = hook
    return fired


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("scene", [story, bound_first])
def test_a_fault_at_any_call_changes_nothing_in_the_end(
    fault: str, scene: Callable[[], tuple[Desk, list[str]]]
) -> None:
    desk, received = scene()
    run(desk, received)
    want = desk.essence()
    place = 0
    while True:
        desk, received = scene()
        fired = fail_at(desk, fault, place)
        run(desk, received)
        if not fired:
            break
        place += 1

        assert want == desk.essence(), place
    assert place > 20


@pytest.mark.parametrize("fault", ["crash before", "crash after"])
def test_a_fault_among_many_deals_changes_nothing_in_the_end(fault: str) -> None:
    desk, received = many_deals()
    start = len(desk.client.calls)
    run(desk, received)
    want = desk.essence()
    big = [
        place
        for place, (name, request) in enumerate(desk.client.calls[start:])
        if name == "transact_write_items" and len(request["TransactItems"]) > 5
    ]
    assert len(big) == 4
    for place in big:
        desk, received = many_deals()
        fired = fail_at(desk, fault, place)
        run(desk, received)

        assert fired == [place]
        assert want == desk.essence(), place


def test_both_orders_of_waiting_and_binding_end_alike() -> None:
    ends = []
    for scene in (story, bound_first):
        desk, received = scene()
        run(desk, received)
        ends.append(desk.essence())

    assert ends[0] == ends[1]


def test_every_new_fact_is_announced_whatever_fails() -> None:
    """Counted over all crashes: a fact without its event would never be paid."""
    place = 0
    while True:
        desk, received = story()
        fired = fail_at(desk, "crash after", place)
        run(desk, received)
        if not fired:
            break
        place += 1

        said = {(event["referral_id"], tuple(event["kinds"])) for event in _changed(desk)}
        kinds = {("ref_1", "stage_entered"), ("ref_1", "amount_set"), ("ref_2", "amount_set")}
        assert kinds == {(referral, kind) for referral, several in said for kind in several}


def _changed(desk: Desk) -> list[dict[str, Any]]:
    return desk.events("FactsChanged")
