"""The benchmark runs and writes its results; what it measures has tests of its own."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bench import cases
from bench.__main__ import main
from bench.report import table
from bench.timing import Spread, Timings, time_all
from shared.domain.facts import MAX_FACTS

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_quick_run_shows_and_writes_every_table(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["--quick", "--out", str(tmp_path)])

    shown = capsys.readouterr().out
    markdown = (tmp_path / "bench.md").read_text("utf-8")
    document = json.loads((tmp_path / "bench.json").read_text("utf-8"))
    assert shown.startswith(markdown)
    assert "python -m bench --quick" == document["command"]
    assert {"date", "python", "cpu_count"} < document.keys()
    assert 4 == len(document["evaluations_per_second"])
    assert 5 == len(document["growth"])
    assert all(f"### {title}" in markdown for title in document["stored"])


def test_the_largest_case_is_as_large_as_may_be() -> None:
    case = cases.deal_changes(MAX_FACTS)

    assert (50, 1_000) == (len(case.terms.rules), len(case.facts))
    assert len({fact.fact_id for fact in case.facts}) == len(case.facts)


def test_the_cases_grant_what_they_are_said_to_measure() -> None:
    assert 4 == len(cases.worked_example().evaluate().entitlements)
    # 60 facts, 8 of them the head: every invoice is shared once.
    shared = cases.billed(60, cases.one_recurring_rule())
    assert 52 == len(shared.evaluate().entitlements)
    for refunds in ("deal", "invoice"):
        refunded = cases.billed(60, cases.one_recurring_rule(), refunds=refunds)
        assert 60 == len(refunded.facts)
        totals = [
            sum(entitlement.amount_minor for entitlement in case.evaluate().entitlements)
            for case in (refunded, shared)
        ]
        assert totals[0] < totals[1]


def test_ratios_are_paired_by_round() -> None:
    timings = Timings(seconds={"a": (2.0, 6.0, 40.0), "b": (1.0, 2.0, 10.0)})

    assert Spread(median=3.0, least=2.0, greatest=4.0) == timings.ratio("a", "b")
    assert Spread(median=1 / 6, least=1 / 40, greatest=1 / 2) == timings.per_second("a")


def test_every_round_runs_everything_in_an_order_that_turns() -> None:
    ran: list[str] = []
    work = {name: (lambda name=name: ran.append(name)) for name in "abc"}

    timings = time_all(work, rounds=3, least_seconds=0)

    assert "abc" + "abc" + "bca" + "cab" == "".join(ran)
    assert [3, 3, 3] == [len(timings.seconds[name]) for name in "abc"]


def test_numbers_stand_to_the_right_and_columns_under_each_other() -> None:
    assert ("| what | units |\n| ---- | ----: |\n| a    |     1 |\n| bb   |    20 |\n") == table(
        ("what", "units"), [("a", "1"), ("bb", "20")]
    )
