"""The redirect in Lambda's own runtime client: what a start loads, and what it takes.

The budgets themselves are judged by ``python -m bench.redirect``, which measures times too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench.redirect import budgets, certificates, cold, store, warm
from bench.redirect.budgets import Verdict, judged
from bench.redirect.cold import Started
from bench.redirect.runtime import Runtime, RuntimeFailedError
from bench.redirect.store import Counts
from bench.redirect.warm import CACHED, CLIENT, HANDLERS, NOOP, OURS, UNCACHED, Plan
from bench.timing import Timings
from tests.builders.redirect import location_of

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.loopback,
    pytest.mark.skipif(not cold.has_runtime_client(), reason="awslambdaric is for Linux alone"),
]


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[store.Store]:
    made = certificates.make(tmp_path_factory.mktemp("certificates"))
    with store.running(made) as running:
        yield running


def test_a_start_loads_little(service: store.Store) -> None:
    modules = cold.modules(service)

    assert {"awslambdaric.bootstrap", "functions.track_click.handler"} < set(modules)
    assert len(modules) <= budgets.MAX_START_MODULES


@pytest.mark.slow
@pytest.mark.skipif(not cold.can_count(), reason="valgrind is not installed")
def test_a_start_takes_few_instructions(service: store.Store) -> None:
    assert cold.instructions(OURS, service) <= budgets.MAX_START_INSTRUCTIONS


def test_all_handlers_do_the_same_work(service: store.Store) -> None:
    plan = Plan(starts=1, rounds=1, requests=3, unmeasured=1)

    timings = warm.measure(service, plan)

    names = {OURS, CLIENT, warm.RESOURCE}
    expected = {NOOP, *(name + mode for name in names for mode in (CACHED, UNCACHED))}
    assert expected == set(timings.seconds)


@pytest.mark.parametrize("name", [OURS, CLIENT, warm.RESOURCE])
def test_each_handler_sends_the_visitor_on(service: store.Store, name: str) -> None:
    runtime = Runtime(HANDLERS[name], service)
    try:
        before = service.counts()
        location = location_of(runtime.invoke(warm.request("spring")))
        assert location.startswith("https://shop.example/offer?plan=pro&utm_source=social&")
        assert "&click_id=v1.k2." in location
        assert Counts(gets=1, puts=1) == service.counts() - before
    finally:
        runtime.stop()


def test_a_handler_that_fails_is_no_measurement(service: store.Store) -> None:
    runtime = Runtime(HANDLERS[OURS], service)
    try:
        with pytest.raises(RuntimeFailedError):
            runtime.invoke({"requestContext": {}})
    finally:
        runtime.stop()
    with pytest.raises(RuntimeFailedError):
        Runtime("bench.redirect.nobody.handler", service)


def test_a_budget_that_is_not_met_is_called_so() -> None:
    timings = {OURS + CACHED: (0.5, 0.41, 0.39), CLIENT + CACHED: (1.0, 1.0, 1.0)}
    started = Started(
        clock=Timings(seconds={}), instructions={OURS: 329_000_000}, modules=("a",) * 161
    )

    verdicts = list(judged(Timings(seconds=timings), started))

    assert [False, True, False] == [verdict.is_met for verdict in verdicts]
    assert "FAIL x: 161.00 of 160.00" == Verdict(what="x", limit=160, found=161).line()
    assert "PASS x: 0.40 of 0.40" == Verdict(what="x", limit=0.4, found=0.4).line()
