"""``python -m bench.cost`` writes the figures of ``docs/cost.md`` anew; its words stay."""

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Final

from bench.cost import clicks, edge, prices, referrals, volume
from bench.cost.clicks import PROFILES, bill
from bench.cost.prices import MILLION, Line, total
from bench.cost.rows import ROWS
from bench.report import table
from shared.domain.visitors import KNOWN

PAGE: Final = Path(__file__).resolve().parents[2] / "docs" / "cost.md"
_PART: Final = re.compile(r"(<!-- figures: (\w+) -->\n).*?(<!-- end of figures -->)", re.DOTALL)
_SHORT: Final = 100
"""Quantities from here on are shown whole."""


def main(path: Path = PAGE) -> int:
    """Write the page anew."""
    path.write_text(renewed(path.read_text("utf-8")), "utf-8")
    return 0


def renewed(page: str) -> str:
    """Return the page with all its figures worked out anew.

    Raises:
        KeyError: it asks for figures that nobody knows.
    """
    return _PART.sub(lambda part: f"{part[1]}\n{FIGURES[part[2]]()}\n{part[3]}", page)


def sizes() -> str:
    """Return bytes and units of what is stored and sent."""
    rows = [
        ("a usual click's row", ROWS.click, ROWS.write_units(ROWS.click)),
        ("what a visitor is answered, headers included", ROWS.answer, None),
        ("a line of the access log", len(clicks.ACCESS_LINE) + prices.LOG_LINE_OVERHEAD, None),
    ]
    for visitors, shards in ((1, 1), (30, 4), (KNOWN, 4), (KNOWN, 24), (1_000_000, 24)):
        size = ROWS.counter(visitors=visitors, shards=shards)
        whom = f"a link's counter: visitors {visitors:,}, shards {shards}"
        rows.append((whom, size, ROWS.write_units(size)))
    cells = [(what, f"{size:,}", "" if units is None else f"{units}") for what, size, units in rows]
    return table(("what", "bytes", "write units"), cells)


def profiles() -> str:
    """Return what the profiles assume."""
    rows = [
        (
            f"**{one.name}**: {one.says}",
            f"{one.hits:.1%}",
            f"{one.cold:.1%}",
            f"{clicks.redirect_ms(one):.0f}",
            f"{one.batch:,}",
            f"{one.links + one.programmes:,}",
            f"{one.writes}",
            f"{clicks.roll_up_ms(one):.0f}",
            f"{one.on_a_day:,}",
        )
        for one in PROFILES
    ]
    columns = (
        "profile",
        "links remembered",
        "cold starts",
        "ms of `track_click`",
        "clicks in a batch",
        "counters it writes",
        "units each",
        "ms of a batch",
        "clicks of a link and day",
    )
    return table(columns, rows)


def per_million() -> str:
    """Return the whole bill of a million clicks, line by line."""
    bills = [bill(profile) for profile in PROFILES]
    rows = [
        (line.what, _price(line), *(_cell(lines[place]) for lines in bills))
        for place, line in enumerate(bills[0])
    ]
    for what, part in (("redirect", clicks.redirect), ("counting", clicks.counting)):
        sums = (_dollars(MILLION * total(part(profile))) for profile in PROFILES)
        rows.append((f"**{what}**", "", *(f"**{text}**" for text in sums)))
    sums = (_dollars(MILLION * total(lines)) for lines in bills)
    rows.append(("**all in**", "", *(f"**{text}**" for text in sums)))
    budget = _dollars(clicks.BUDGET)
    verdicts = (_verdict(MILLION * total(lines)) for lines in bills)
    rows.append((f"against the budget of {budget}", "", *verdicts))
    return table(("what", "price", *(one.name for one in PROFILES)), rows)


def months() -> str:
    """Return bills of a month, what is paid at rest included."""
    rest = total(volume.at_rest())
    rows = [
        (f"{number:,}", *(_dollars(rest + number * total(bill(one))) for one in PROFILES))
        for number in volume.VOLUMES
    ]
    return table(("clicks a month", *(one.name for one in PROFILES)), rows)


def gathering() -> str:
    """Return what a million clicks cost by traffic and by how long clicks are gathered."""
    cases = [
        volume.Traffic(clicks=number, gather_seconds=Decimal(seconds))
        for number in volume.VOLUMES
        for seconds in volume.GATHERED
    ]
    cases += [
        volume.Traffic(clicks=MILLION, gather_seconds=cases[-1].gather_seconds, environments=shared)
        for shared in (2, volume.SHARDS)
    ]
    cases.sort(key=lambda case: (case.clicks, case.gather_seconds, case.lanes()))
    rows = []
    for case in cases:
        one = case.profile()
        per_click = (one.links + one.programmes) / one.batch
        cost = MILLION * total(bill(one))
        rows.append(
            (
                f"{case.clicks:,}",
                f"{case.gather_seconds}",
                f"{case.lanes()}",
                f"{one.batch:,.1f}",
                f"{per_click:.3f}",
                f"{one.writes:.1f}",
                _dollars(MILLION * total(clicks.counting(one))),
                _dollars(cost),
                _verdict(cost),
            )
        )
    columns = (
        "clicks a month",
        "`gather_seconds`",
        "environments",
        "clicks in a batch",
        "counters written per click",
        "units each",
        "counting",
        "all in",
        "against the budget",
    )
    return table(columns, rows)


def at_rest() -> str:
    """Return what a month costs in which nothing happens."""
    lines = list(volume.at_rest())
    rows = [(line.what, f"{line.quantity:,.0f}", _dollars(line.dollars)) for line in lines]
    rows.append(("**together**", "", f"**{_dollars(total(lines))}**"))
    return table(("what", "a month", "dollars"), rows)


def a_referral() -> str:
    """Return what a referral takes, part by part."""
    parts = list(referrals.parts())
    rows = [
        (
            part.what,
            f"{part.requests}",
            f"{part.reads:,.0f}",
            f"{part.writes:,.0f}",
            f"{part.events}",
            _small(total(referrals.bill(part))),
        )
        for part in parts
    ]
    whole = sum((total(referrals.bill(part)) for part in parts), Decimal())
    rows.append(("**a referral**", "", "", "", "", f"**{_small(whole)}**"))
    columns = ("part", "requests", "read units", "write units", "events", "dollars")
    rewards = _rewards(parts)
    return table(columns, rows) + f"\nA thousand rewards, posted and matured: {rewards}.\n"


def _rewards(parts: Sequence[referrals.Part]) -> str:
    found = {part.what: total(referrals.bill(part)) for part in parts}
    posted = found["four rewards posted"] / referrals.REWARDS
    matured = found["three rewards matured"] / referrals.MONEY_REWARDS
    return _dollars(1_000 * (posted + matured))


def at_the_edge() -> str:
    """Return the two designs at the edge, line by line."""
    designs = (
        ("CloudFront Functions", list(edge.with_functions())),
        ("Lambda@Edge", list(edge.with_lambda())),
    )
    rows = [
        (name, line.what, _price(line), _cell(line)) for name, lines in designs for line in lines
    ]
    rows += [
        (name, "**all in**", "", f"**{_dollars(MILLION * total(lines))}**")
        for name, lines in designs
    ]
    more = _dollars(MILLION * total(edge.exactly()))
    rows.append(("either", "with a row for each click, as today: more", "", more))
    return table(("design", "what", "price", "a million clicks"), rows)


def _price(line: Line) -> str:
    if line.price < Decimal("0.00001"):
        return f"${_plain(line.price * MILLION)} per million {line.unit}s"
    return f"${_plain(line.price)} per {line.unit}"


def _cell(line: Line) -> str:
    """Return what a million clicks take of a line, and what that comes to."""
    quantity = line.quantity * MILLION
    shown = f"{quantity:,.0f}" if quantity >= _SHORT else f"{quantity:.3g}"
    return f"{shown} → {_dollars(quantity * line.price)}"


def _plain(value: Decimal) -> str:
    text = f"{value.normalize():f}"
    return text if "." in text and len(text.partition(".")[2]) > 1 else f"{value:.2f}"


def _dollars(value: Decimal) -> str:
    return f"${value.quantize(Decimal('0.01'), ROUND_HALF_UP):,}"


def _small(value: Decimal) -> str:
    return f"${value:.6f}"


def _verdict(cost: Decimal) -> str:
    if cost <= clicks.BUDGET:
        return "met"
    return f"missed by {_dollars(cost - clicks.BUDGET)}"


FIGURES: Final[Mapping[str, Callable[[], str]]] = {
    "sizes": sizes,
    "profiles": profiles,
    "per_million": per_million,
    "months": months,
    "gathering": gathering,
    "at_rest": at_rest,
    "a_referral": a_referral,
    "at_the_edge": at_the_edge,
}

if __name__ == "__main__":
    sys.exit(main())
