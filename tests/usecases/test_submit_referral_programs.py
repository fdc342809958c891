from __future__ import annotations

import pytest

from shared.adapters.dynamodb import keys
from shared.domain.errors import ConflictError, NotFoundError, UnavailableError
from shared.domain.keyed import Receipt
from shared.usecases.show_receipt import show_receipt
from shared.usecases.submit_referral import CREATED, open_program
from tests.builders.intake import (
    CORE,
    NOW,
    VAULT,
    World,
    program,
    submission,
)


@pytest.fixture
def world() -> World:
    return World()


def referrals_in(world: World) -> list[str]:
    return [row["referral_id"] for row in world.rows("REF#") if row["sk"] == keys.META]


def test_a_programme_without_terms_takes_nothing(world: World) -> None:
    world.save_program(program(terms_version=0))

    with pytest.raises(ConflictError) as refused:
        world.submit(submission())

    assert "program_has_no_terms" == refused.value.code
    assert [] == referrals_in(world)


@pytest.mark.parametrize("status", ["pilot", "active", "paused"])
def test_a_running_or_paused_programme_takes_forms(world: World, status: str) -> None:
    world.save_program(program(status=status))

    assert CREATED == world.submit(submission()).outcome


@pytest.mark.parametrize("status", ["draft", "closed"])
def test_a_draft_or_closed_programme_is_not_there(world: World, status: str) -> None:
    world.save_program(program(status=status))

    with pytest.raises(NotFoundError):
        world.submit(submission())


def test_an_unknown_programme_is_not_there(world: World) -> None:
    with pytest.raises(NotFoundError):
        open_program(world.store, "prg_none")


def test_a_missing_server_secret_is_an_outage(world: World) -> None:
    pk, sk = keys.server_keyring()
    world.client.delete_item(TableName=CORE, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    with pytest.raises(UnavailableError):
        world.submit(submission())


def test_the_receipt_says_when_and_nothing_else(world: World) -> None:
    received = world.submit(submission())

    shown = show_receipt(world.store, received.receipt)

    when = NOW.replace(microsecond=0)
    assert Receipt(referral_id=received.referral_id, received_at=when) == shown


def test_a_receipt_that_we_did_not_sign_is_not_there(world: World) -> None:
    with pytest.raises(NotFoundError):
        show_receipt(world.store, "ref_1.0." + "A" * 22)


def test_before_the_first_programme_no_receipt_is_there() -> None:
    world = World()
    received = world.submit(submission())
    pk, sk = keys.server_keyring()
    world.client.delete_item(TableName=CORE, Key={"pk": {"S": pk}, "sk": {"S": sk}})

    with pytest.raises(NotFoundError):
        show_receipt(world.store, received.receipt)


def test_keyrings_are_read_once_in_five_minutes(world: World) -> None:
    seconds = [0.0]
    store = type(world.store)(world.client, core=CORE, vault=VAULT, clock=lambda: seconds[0])

    def reads() -> int:
        world.client.calls.clear()
        store.server_secret()
        return len(world.client.calls)

    assert [1, 0] == [reads(), reads()]
    seconds[0] = 299.9
    assert 0 == reads()
    seconds[0] = 300.0
    assert 1 == reads()
