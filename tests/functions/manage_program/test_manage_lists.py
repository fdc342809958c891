from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api


def walk(api: Api, path: str, query: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = api.send("GET", path, query=query + cursor).body
        found += page["items"]
        if page["next_cursor"] is None:
            return found
        cursor = f"&cursor={page['next_cursor']}"


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_pages_together_are_the_whole_list_newest_first(api: Api, limit: int) -> None:
    made = []
    for number in range(7):
        made.append(api.program(f"prg_{number}")["id"])
        api.clock[0] += timedelta(seconds=1)

    found = [item["id"] for item in walk(api, "/programs", f"limit={limit}")]

    assert list(reversed(made)) == found


def test_an_exact_page_is_the_last_one(api: Api) -> None:
    api.program()

    assert api.send("GET", "/programs", query="limit=1").body["next_cursor"] is None


@pytest.mark.parametrize("limit", ["0", "101", "-1", "x", "", "1.5", "1e1", "\u0661"])
def test_a_bad_limit_is_refused(api: Api, limit: str) -> None:
    reply = api.send("GET", "/programs", query=f"limit={limit}")

    assert (reply.status, reply.paths) == (422, ["limit"])


def test_a_cursor_is_of_one_list_and_its_filters(api: Api) -> None:
    for number in range(3):
        api.program(f"prg_{number}")
        api.partner()
    cursor = api.send("GET", "/programs", query="limit=1").body["next_cursor"]

    for path, query in (
        ("/partners", ""),
        ("/keys", ""),
        ("/links", "program_id=prg_1&"),
    ):
        reply = api.send("GET", path, query=f"{query}cursor={cursor}")
        assert (reply.status, reply.paths) == (422, ["cursor"])


def test_a_cursor_that_was_touched_is_refused(api: Api) -> None:
    for number in range(3):
        api.program(f"prg_{number}")
    cursor = str(api.send("GET", "/programs", query="limit=1").body["next_cursor"])
    assert api.send("GET", "/programs", query=f"limit=1&cursor={cursor}").status == 200
    swapped = {"A": "B"}

    for place in range(len(cursor) - 1):
        bad = cursor[:place] + swapped.get(cursor[place], "A") + cursor[place + 1 :]
        assert api.send("GET", "/programs", query=f"cursor={bad}").status == 422


@pytest.mark.parametrize("cursor", ["", "AAAA", "A" * 25, "A" * 40, "A" * 2_001, "%00", "%FF%FE"])
def test_a_cursor_that_is_none_is_refused(api: Api, cursor: str) -> None:
    reply = api.send("GET", "/programs", query=f"cursor={cursor}")

    assert (reply.status, reply.paths) == (422, ["cursor"])


@pytest.mark.parametrize(
    ("query", "path"),
    [("surprise=1", "surprise"), ("limit=1&limit=2", "limit"), ("x" * 300 + "=1", "x" * 100)],
)
def test_what_no_list_knows_is_refused(api: Api, query: str, path: str) -> None:
    reply = api.send("GET", "/programs", query=query)

    assert (reply.status, reply.paths) == (422, [path])


def test_too_many_parameters_are_malformed(api: Api) -> None:
    query = "&".join(f"a{n}=1" for n in range(30))

    assert api.send("GET", "/programs", query=query).status == 400


@pytest.mark.parametrize("path", ["/referrals", "/rewards", "/movements", "/links", "/balances"])
def test_an_id_in_a_filter_has_the_shape_of_one(api: Api, path: str) -> None:
    reply = api.send("GET", path, query="partner_id=%00")

    assert (reply.status, reply.paths) == (422, ["partner_id"])
