"""The cost page says what the arithmetic says, and the arithmetic starts from what is true."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from bench.cost import clicks, volume
from bench.cost.__main__ import PAGE, renewed
from bench.cost.clicks import BUDGET, BUNDLED, PROFILES, SPARSE, VIRAL, bill
from bench.cost.prices import MILLION, total
from bench.cost.volume import Traffic
from infra.catalogue import ROLL_UP_ACTIVITY, TRACK_CLICK
from shared.adapters.dynamodb.counter_rows import COUNTERS_KEPT
from shared.domain.clicks import KEPT_FOR

ROOT = Path(__file__).parents[2]
ROUND = replace(
    SPARSE,
    hits=Decimal("0.5"),
    cold=Decimal(0),
    batch=Decimal(4),
    links=Decimal(2),
    programmes=Decimal(1),
    writes=Decimal(3),
    reads=Decimal(2),
    on_a_day=Decimal(1),
)


def test_the_page_shows_the_figures_as_they_are_now() -> None:
    page = PAGE.read_text("utf-8")

    assert renewed(page) == page, "run `make docs`"
    assert 8 == page.count("<!-- figures: ")


def test_a_page_with_another_figure_is_not_as_it_should_be() -> None:
    page = PAGE.read_text("utf-8")
    other = page.replace("1,000,000 → $1.00", "1,000,000 → $1.01", 1)

    assert page != other
    assert page == renewed(other)


@pytest.mark.parametrize(
    ("what", "dollars"),
    [
        ("HTTP API", "1.00"),
        ("`track_click`, calls", "0.20"),
        # 0.6 + half of 0.2 ms at 512/1769, one and a half round trips; half a GB.
        ("`track_click`, time", "0.0661240"),
        ("click rows", "0.625"),
        ("reads of links and keys", "0.03125"),
        ("`roll_up_activity`, calls", "0.05"),
        # 3 + 5 trips of 1.2 + 4 * 0.2 ms at 1024/1769, five round trips; for four clicks.
        ("`roll_up_activity`, time", "0.1397667"),
        # Three counters of two units by half, and two links; for four clicks.
        ("reads of counters, and of links for their caps", "0.15625"),
        ("writes of counters", "1.40625"),
    ],
)
def test_lines_are_what_one_gets_by_hand(what: str, dollars: str) -> None:
    (line,) = [line for line in bill(ROUND) if line.what == what]

    assert abs(Decimal(dollars) - MILLION * line.dollars) < Decimal("0.000001")


def test_a_bill_is_the_sum_of_its_lines() -> None:
    lines = bill(VIRAL)

    assert sum(line.quantity * line.price for line in lines) == total(lines)


def test_where_the_budget_is_met_and_where_not() -> None:
    costs = {one.name: MILLION * total(bill(one)) for one in PROFILES}

    assert costs["viral"] < costs["bundled"] <= BUDGET < costs["sparse"]
    # Whatever is done to counting, the redirect alone leaves room for it.
    assert MILLION * total(clicks.redirect(BUNDLED)) <= BUDGET


def test_to_gather_longer_never_costs_more() -> None:
    for number in volume.VOLUMES:
        found = [
            Traffic(clicks=number, gather_seconds=Decimal(seconds)).profile()
            for seconds in volume.GATHERED
        ]
        costs = [total(clicks.counting(one)) for one in found]
        assert sorted(costs, reverse=True) == costs
        assert all(1 <= one.batch <= volume.MAX_BATCH for one in found)
        assert all(one.links <= min(one.batch, volume.LINKS) for one in found)


def test_clicks_that_come_alone_take_two_counters_each() -> None:
    alone = Traffic(clicks=Decimal(1), gather_seconds=Decimal(60)).profile()

    assert abs((alone.links + alone.programmes) / alone.batch - 2) < Decimal("0.0001")


def test_measured_times_are_not_rounded_down() -> None:
    results = json.loads((ROOT / "bench" / "results" / "redirect.json").read_text("utf-8"))
    found = results["warm_ms"]
    cached = found["Goodword, link cached"]["median"]

    assert cached <= float(clicks.REDIRECT_CPU_MS)
    assert found["Goodword, link not cached"]["median"] <= float(
        clicks.REDIRECT_CPU_MS + clicks.REDIRECT_READ_CPU_MS
    )
    assert found["boto3 client, link not cached"]["median"] - found["boto3 client, link cached"][
        "median"
    ] <= float(clicks.CALL_CPU_MS)


def test_settings_are_those_of_the_product() -> None:
    events = (ROOT / "infra" / "events.py").read_text("utf-8")

    assert TRACK_CLICK.memory_mb == int(clicks.REDIRECT_MB)
    assert ROLL_UP_ACTIVITY.memory_mb == int(clicks.ROLL_UP_MB)
    assert KEPT_FOR.days + 2 == int(clicks.CLICK_DAYS)
    assert COUNTERS_KEPT.days == int(clicks.COUNTER_DAYS)
    assert ["300"] == re.findall(r"gather_seconds=(\d+)", events)
    assert [f"{int(volume.MAX_BATCH):_}"] == re.findall(r"batch=(\d+_\d+)", events)


def test_the_access_log_has_the_fields_that_are_paid_for() -> None:
    template = (ROOT / "infra" / "api.py").read_text("utf-8")

    assert list(json.loads(clicks.ACCESS_LINE)) == re.findall(r'"(\w+)": "\$context', template)


def test_the_readme_says_what_the_page_says() -> None:
    section = (
        (ROOT / "README.md").read_text("utf-8").partition("## Cost\n")[2].partition("\n## ")[0]
    )
    costs = [f"${MILLION * total(bill(one)):.2f}" for one in (VIRAL, BUNDLED, SPARSE)]

    assert [*costs, f"${BUDGET}"] == re.findall(r"\$[2-9]\.[0-9]{2}\b", section)
