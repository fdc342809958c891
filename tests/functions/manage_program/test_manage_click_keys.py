"""The keys that sign click tokens: renewed without losing a click."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.keyring_rows import keyring_from
from shared.domain.click_tokens import KNOWN_AFTER, MAX_KEYS, ClickToken, Keyring, issue, read
from tests.functions.manage_program.conftest import CORE, NOW

if TYPE_CHECKING:
    from datetime import datetime

    from tests.functions.manage_program.conftest import Api, Reply

ROTATE = "/keyrings/click/rotate"


def ring_of(api: Api) -> Keyring:
    row = get(api.store, CORE, keys.click_keyring())
    assert row is not None
    return keyring_from(row)


def rotate(api: Api, mark: str = "") -> Reply:
    return api.send("POST", ROTATE, headers={"idempotency-key": mark} if mark else None)


def a_click(at: datetime) -> ClickToken:
    return ClickToken(
        click_id="clk_1", code="spring", partner_id="ptr_1", program_id="prg_1", clicked_at=at
    )


def test_a_rotated_ring_signs_with_the_new_key_and_verifies_with_both(api: Api) -> None:
    api.program()
    before = ring_of(api)
    old = issue(a_click(NOW), before)
    api.clock[0] = NOW + timedelta(days=1)

    reply = rotate(api)

    after = ring_of(api)
    later = api.clock[0] + KNOWN_AFTER
    assert 201 == reply.status
    assert [
        {
            "id": "k2",
            "created_at": "2026-11-22T10:00:00.000Z",
            "signs_from": "2026-11-22T10:10:00.000Z",
        },
        {
            "id": "k1",
            "created_at": "2026-11-21T10:00:00.000Z",
            "signs_from": "2026-11-21T10:00:00.000Z",
        },
    ] == reply.body["keys"]
    new = issue(a_click(later), after)
    assert ("k1", "k2") == (old.split(".")[1], new.split(".")[1])
    assert a_click(NOW) == read(old, after, program_id="prg_1")
    assert a_click(later) == read(new, after, program_id="prg_1")


def test_secrets_are_never_shown(api: Api) -> None:
    api.program()

    shown = str(rotate(api).body) + str(api.send("GET", "/keyrings/click").body)

    for key in ring_of(api).keys:
        assert 32 == len(key.secret)
        assert key.secret.hex() not in shown
        assert repr(key.secret) not in shown


def test_each_key_has_a_secret_of_its_own(api: Api) -> None:
    api.program()
    rotate(api)

    assert 2 == len({key.secret for key in ring_of(api).keys})


def test_a_request_that_comes_twice_makes_one_key(api: Api) -> None:
    api.program()

    first, second = rotate(api, "once"), rotate(api, "once")

    assert first.body == second.body
    assert 2 == len(ring_of(api).keys)


def test_a_request_that_died_after_its_write_makes_one_key(api: Api) -> None:
    api.program()

    def die(request: dict[str, Any], _answer: object) -> None:
        if "renewed_by" in str(request):
            raise ConnectionResetError

    api.store.after["transact_write_items"] = die
    assert 500 == rotate(api, "once").status
    del api.store.after["transact_write_items"]

    assert 201 == rotate(api, "once").status
    assert 2 == len(ring_of(api).keys)


def test_two_who_rotate_at_once_both_get_their_key(api: Api) -> None:
    api.program()
    lost: list[int] = []

    def race(request: dict[str, Any]) -> None:
        if "renewed_by" in str(request) and not lost:
            lost.append(1)
            assert 201 == rotate(api).status

    api.store.before["transact_write_items"] = race

    assert 201 == rotate(api).status
    assert ["k1", "k2", "k3"] == sorted(key.key_id for key in ring_of(api).keys)


def test_one_who_always_loses_is_told_so(api: Api) -> None:
    api.program()
    busy: list[int] = []

    def race(request: dict[str, Any]) -> None:
        if "renewed_by" in str(request) and not busy:
            busy.append(1)
            assert 201 == rotate(api).status
            busy.clear()

    api.store.before["transact_write_items"] = race

    reply = rotate(api)

    assert (409, "stale_version") == (reply.status, reply.code)


def test_a_ring_that_is_full_of_young_keys_is_not_renewed(api: Api) -> None:
    api.program()
    for _ in range(MAX_KEYS - 1):
        assert 201 == rotate(api).status

    reply = rotate(api)

    assert (409, "keyring_full") == (reply.status, reply.code)
    assert MAX_KEYS == len(ring_of(api).keys)
    api.clock[0] = NOW + timedelta(days=91)
    assert 201 == rotate(api).status
    assert MAX_KEYS == len(ring_of(api).keys)


def test_before_the_first_programme_there_is_a_ring_too(api: Api) -> None:
    assert ["k1"] == [key["id"] for key in api.send("GET", "/keyrings/click").body["keys"]]
    assert 422 == api.send("GET", "/keyrings/click", query="a=1").status
