from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import referral_from
from shared.domain.errors import UnavailableError
from shared.domain.keyed import email_hmac
from shared.domain.leads import normalise_email
from shared.usecases.submit_referral import CREATED, QUARANTINED, REPEATED, open_program
from tests.builders.intake import (
    CORE,
    NOW,
    SECRET,
    VAULT,
    World,
    click_token,
    program,
    submission,
)

if TYPE_CHECKING:
    from shared.domain.referrals import Referral

LEAD_CLAIM = keys.lead_claim("prg_1", email_hmac(SECRET, normalise_email("lena@lead.test")))


@pytest.fixture
def world() -> World:
    return World()


def stored(world: World, referral_id: str) -> Referral:
    row = world.row(keys.referral(referral_id))
    assert row is not None
    return referral_from(row)


def events_of(world: World) -> list[dict[str, Any]]:
    return [json.loads(row["envelope"]) for row in world.rows("OUT#")]


def referrals_in(world: World) -> list[str]:
    return [row["referral_id"] for row in world.rows("REF#") if row["sk"] == keys.META]


def timeout() -> Exception:
    return ReadTimeoutError(endpoint_url="dynamodb")


def server_error() -> Exception:
    response: Any = {"Error": {"Code": "InternalServerError", "Message": "try again"}}
    return ClientError(response, "TransactWriteItems")


def test_a_repeat_gets_the_same_referral_and_stores_nothing_but_its_evidence(
    world: World,
) -> None:
    first = world.submit(submission(code="pia-code", company="Acme"))
    vault_before = world.client.dump()[VAULT]

    again = world.submit(
        submission("LENA+x@lead.test", code="otto-code"), now=NOW + timedelta(hours=1)
    )

    assert first.referral_id == again.referral_id
    assert REPEATED == again.outcome
    assert [first.referral_id] == referrals_in(world)
    assert "ptr_pia" == stored(world, first.referral_id).partner_id
    assert vault_before == world.client.dump()[VAULT]
    assert 1 == len(events_of(world))
    (repeat,) = [row for row in world.rows("REF#") if row["sk"].startswith("REPEAT#")]
    assert ("ptr_otto", "otto-code", "typed_code") == (
        repeat["partner_id"],
        repeat["link_code"],
        repeat["attribution"],
    )


def test_a_repeat_has_the_time_of_its_own_sending(world: World) -> None:
    world.submit(submission())

    again = world.submit(submission(), now=NOW + timedelta(hours=1))

    assert (NOW + timedelta(hours=1)).replace(microsecond=0) == again.received_at


def test_a_repeat_is_remembered_once_per_evidence(world: World) -> None:
    world.submit(submission())
    for code in ("pia-code", "pia-code", "otto-code", "no-such", "none-such", ""):
        world.submit(submission(code=code))

    repeats = [row for row in world.rows("REF#") if row["sk"].startswith("REPEAT#")]
    # Pia, Otto, and one for everything that proves nothing.
    assert 3 == len(repeats)


def test_the_same_lead_may_be_referred_in_another_programme(world: World) -> None:
    world.save_program(program(program_id="prg_2"))
    world.publish(2, {}, program_id="prg_2")
    first = world.submit(submission())

    other = world.submit(submission(code="pia-code"), program_id="prg_2")

    assert (CREATED, CREATED) == (first.outcome, other.outcome)
    assert first.referral_id != other.referral_id
    # The link belongs to the first programme.
    assert "unknown_code" == stored(world, other.referral_id).attribution


def test_two_leads_by_one_click_both_count_and_the_pointer_says_so(world: World) -> None:
    token = click_token()
    first = world.submit(submission("one@lead.test", click_id=token))

    second = world.submit(submission("two@lead.test", click_id=token))

    assert first.referral_id != second.referral_id
    assert "ptr_pia" == stored(world, second.referral_id).partner_id
    pointer = world.row(keys.touch("clk_1"))
    assert pointer is not None
    assert (first.referral_id, True) == (pointer["referral_id"], pointer["shared"])


def test_two_forms_at_the_same_moment_make_one_referral(world: World) -> None:
    answers = []

    def overtake(*_: object) -> None:
        world.client.before.clear()
        answers.append(world.submit(submission(code="otto-code")))

    world.client.before["transact_write_items"] = overtake
    answers.append(world.submit(submission(code="pia-code")))

    first, second = answers
    assert first.referral_id == second.referral_id
    assert [first.referral_id] == referrals_in(world)
    assert "ptr_otto" == stored(world, first.referral_id).partner_id
    assert 1 == len(events_of(world))


def test_many_threads_with_one_lead_make_one_referral(world: World) -> None:
    with ThreadPoolExecutor(8) as pool:
        received = list(pool.map(lambda _: world.submit(submission()), range(24)))

    assert 1 == len({each.referral_id for each in received})
    assert 1 == len(referrals_in(world))
    assert 1 == len([each for each in received if each.outcome == CREATED])


@pytest.mark.parametrize("trapped", [False, True])
def test_a_transaction_resent_after_its_success_ends_in_the_same_answer(
    world: World, *, trapped: bool
) -> None:
    # The store answers with an error although it wrote, so the adapter sends again.
    world.crash_once("transact_write_items", server_error, after=True)

    received = world.submit(submission(trapped=trapped))

    assert received.outcome == (QUARANTINED if trapped else CREATED)
    assert [received.referral_id] == referrals_in(world)
    assert [] == [row for row in world.rows("REF#") if row["sk"].startswith("REPEAT#")]


@pytest.mark.parametrize("after", [False, True])
def test_a_lost_answer_is_an_outage_and_the_next_try_ends_in_one_referral(
    world: World, *, after: bool
) -> None:
    world.crash_once("transact_write_items", timeout, after=after)

    with pytest.raises(UnavailableError):
        world.submit(submission())
    received = world.submit(submission())

    assert [received.referral_id] == referrals_in(world)


def test_any_failing_read_is_an_outage_and_stores_nothing(world: World) -> None:
    sent = submission(code="no-such", click_id=click_token())
    world.client.calls.clear()
    World.submit(world, replace(sent, lead=submission("probe@lead.test").lead))
    reads = [name for name, _ in world.client.calls].count("get_item")
    before = world.client.dump()

    for failing in range(reads):
        seen = iter(range(100))

        def fail(*_: object, failing: int = failing, seen: Any = seen) -> None:  # noqa: ANN401
            if next(seen) == failing:
                raise timeout()

        world.client.before["get_item"] = fail
        with pytest.raises(UnavailableError):
            world.submit(sent)

    assert reads >= 7
    assert before == world.client.dump()


def test_a_claim_that_vanishes_each_time_is_an_outage(world: World) -> None:
    def occupy(*_: object) -> None:
        world.save(LEAD_CLAIM, {"referral_id": "ref_x"})

    def vanish(*_: object) -> None:
        world.client.delete_item(
            TableName=CORE, Key={"pk": {"S": LEAD_CLAIM[0]}, "sk": {"S": LEAD_CLAIM[1]}}
        )

    store = world.store
    open_program(store, "prg_1")
    store.server_secret()
    world.client.before["transact_write_items"] = occupy
    world.client.before["get_item"] = vanish

    with pytest.raises(UnavailableError):
        world.submit(submission(), store=store)
