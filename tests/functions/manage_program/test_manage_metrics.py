from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from shared.adapters.dynamodb.activity import Activity
from shared.domain.activity import Arrival
from shared.usecases.roll_up_activity import roll_up_activity
from tests.builders.activity import CRAWLER, a_click
from tests.functions.manage_program.conftest import CORE, NOW

if TYPE_CHECKING:
    from shared.domain.clicks import Click
    from tests.functions.manage_program.conftest import Api

ZERO = {"clicks": 0, "humans": 0, "bots": 0, "uniques": 0, "uniques_estimated": False}


def count(api: Api, *clicks: Click) -> None:
    """Counts clicks as the roll-up does."""
    roll_up_activity(
        [Arrival(sequence=place, click=one) for place, one in enumerate(clicks)],
        "5a" * 6,
        Activity(client=api.store, core=CORE),
        is_crawler=lambda agent: agent == CRAWLER,
        now=NOW,
    )


def clicked(number: int, day: int = 20, **changes: Any) -> Click:  # noqa: ANN401 - any field
    at = datetime(2026, 11, day, 12, tzinfo=UTC)
    return a_click(number, program_id="prg_demo", clicked_at=at, **changes)


def asked(api: Api, **query: str) -> Any:  # noqa: ANN401 - a JSON body
    wanted = {"program_id": "prg_demo", "from": "2026-11-19", "to": "2026-11-21", **query}
    reply = api.send("GET", "/metrics", query=urlencode(wanted))
    assert reply.status == 200, reply.body
    return reply.body


def totals(api: Api, **query: str) -> tuple[int, int]:
    found = asked(api, **query)["totals"]
    return found["clicks"], found["uniques"]


def test_every_day_is_told_and_the_sum(api: Api) -> None:
    api.program()
    count(
        api,
        clicked(1),
        clicked(1, code="autumn"),
        clicked(2, user_agent=CRAWLER),
        clicked(1, day=21),
        clicked(3, day=18),
        clicked(4, day=22),
    )

    some = {"clicks": 3, "humans": 2, "bots": 1, "uniques": 1, "uniques_estimated": False}
    one = {**ZERO, "clicks": 1, "humans": 1, "uniques": 1}
    assert {
        "program_id": "prg_demo",
        "from": "2026-11-19",
        "to": "2026-11-21",
        "days": [
            {"day": "2026-11-19", **ZERO},
            {"day": "2026-11-20", **some},
            {"day": "2026-11-21", **one},
        ],
        "totals": {**ZERO, "clicks": 4, "humans": 3, "bots": 1, "uniques": 2},
    } == asked(api)


def test_figures_are_told_apart(api: Api) -> None:
    partner_id = api.enrolled()
    link = api.made(
        "/links",
        {
            "program_id": "prg_demo",
            "partner_id": partner_id,
            "destination": "https://www.example.com/",
            "code": "spring",
        },
    )
    own = {"partner_id": partner_id, "code": link["code"]}
    count(
        api,
        clicked(1, **own, campaign="a#b", asset="banner"),
        clicked(2, **own, campaign="a#b"),
        clicked(2, **own),
        clicked(3, partner_id=partner_id, code="other"),
        clicked(4, partner_id="ptr_2", code="third", campaign="a#b"),
    )

    assert (5, 4) == totals(api)
    assert (4, 3) == totals(api, partner_id=partner_id)
    assert (3, 2) == totals(api, link="SPRING")
    assert (2, 2) == totals(api, link="spring", campaign="a#b")
    assert (1, 1) == totals(api, partner_id="ptr_2")
    assert (0, 0) == totals(api, partner_id="ptr_2", link="spring")
    assert (3, 3) == totals(api, campaign="a#b")
    assert (2, 2) == totals(api, campaign="")
    assert (1, 1) == totals(api, campaign="a#b", asset="banner")
    assert (0, 0) == totals(api, campaign="a")


def test_the_last_thirty_days_are_told_by_default(api: Api) -> None:
    api.program()

    found = api.send("GET", "/metrics", query="program_id=prg_demo").body

    assert ("2026-10-23", "2026-11-21", 30) == (found["from"], found["to"], len(found["days"]))


def test_a_long_campaign_is_found_as_clicks_remember_it(api: Api) -> None:
    api.program()
    count(api, clicked(1, campaign="x" * 48))

    assert (1, 1) == totals(api, campaign="x" * 100)


def test_days_of_the_edge_are_in(api: Api) -> None:
    api.program()
    count(api, clicked(1), clicked(2, campaign="c"))

    assert (2, 2) == totals(api, **{"from": "2026-11-20", "to": "2026-11-20"})


@pytest.mark.parametrize(
    ("query", "path", "code"),
    [
        ("", "program_id", "required"),
        ("program_id=prg_demo&from=2026-11-22", "from", "out_of_range"),
        ("program_id=prg_demo&from=2026-08-21&to=2026-11-21", "from", "too_long"),
        ("program_id=prg_demo&from=yesterday", "from", "not_a_day"),
        ("program_id=prg_demo&to=2026-W01-1", "to", "not_a_day"),
        ("program_id=prg_demo&to=2026-02-30", "to", "not_a_day"),
        ("program_id=prg_demo&to=0001-01-01", "to", "out_of_range"),
        ("program_id=prg_demo&to=9999-12-31", "to", "out_of_range"),
        ("program_id=prg_demo&link=nobody", "link", "unknown"),
        ("program_id=prg_demo&link=no%20code", "code", "bad_code"),
        ("program_id=prg_demo&country=DE", "country", "unknown_field"),
    ],
)
def test_what_can_not_be_told_is_refused(api: Api, query: str, path: str, code: str) -> None:
    api.program()

    reply = api.send("GET", "/metrics", query=query)

    assert 422 == reply.status
    assert [(path, code)] == [(each["path"], each["code"]) for each in reply.body["errors"]]


def test_ninety_two_days_can_be_asked_for(api: Api) -> None:
    api.program()

    found = asked(api, **{"from": "2026-08-22", "to": "2026-11-21"})

    assert 92 == len(found["days"])


def test_a_link_of_another_programme_is_unknown(api: Api) -> None:
    partner_id = api.enrolled()
    link = {"partner_id": partner_id, "destination": "https://www.example.com/", "code": "spring"}
    api.made("/links", {"program_id": "prg_demo", **link})
    api.program("prg_other")

    reply = api.send("GET", "/metrics", query="program_id=prg_other&link=spring")

    assert (422, ["link"]) == (reply.status, reply.paths)


def test_a_programme_that_does_not_exist_has_no_figures(api: Api) -> None:
    assert 404 == api.send("GET", "/metrics", query="program_id=prg_none").status


def test_reading_takes_one_query_however_many_clicks_there_were(api: Api) -> None:
    api.program()
    calls = []
    for clicks in (10, 1_000):
        count(api, *(clicked(number) for number in range(clicks)))
        api.store.calls.clear()
        asked(api)
        calls.append([name for name, _ in api.store.calls])

    assert calls[0] == calls[1]
    assert 1 == calls[0].count("query")
