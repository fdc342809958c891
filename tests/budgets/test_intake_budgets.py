"""What taking a form in asks of the store: call by call, and the same whatever is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from bench.stock import measured
from shared.adapters.dynamodb import keys
from tests.builders.heirs import EMAIL, END, Heirs
from tests.builders.intake import World, click_token, program, submission

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.meter import Usage
    from shared.domain.leads import Submission

PROGRAM = "get PRG/META"
TERMS = "get PRG/TERMS"
RING = "get KEYRING/RING"
LINK = "get LINK/META"
CUSTOMER = "get CUSTOMER/META"
PARTNER = ["get PTR/META", "get PTR/ENR"]
ROWS = "put REF/META, put REF/FACT x2"
LEAD = "put PII/PERSON, put OUT/EVENT, put LEAD/CLAIM"
NOBODY = f"transact: {ROWS}, {LEAD}"
BY_CODE = f"transact: {ROWS}, put LINK/OPEN, {LEAD}"
BY_CLICK = f"{BY_CODE}, put TOUCH/REF"


def used(world: World, sent: Submission, *, warm: bool = False) -> Usage:
    """Return what a submission takes; a warm process has its keys already."""
    store = world.store
    if warm:
        store.server_secret()
        store.click_keyring()
    return measured(world.client, lambda: world.submit(sent, store=store))


# The newest terms say how to attribute, those that the partner accepted how to judge. Both are
# read once for each environment.
CASES: list[tuple[dict[str, Any], list[str], int]] = [
    ({}, [PROGRAM, RING, TERMS, NOBODY], 12),
    ({"code": "pia-code"}, [PROGRAM, RING, TERMS, LINK, *PARTNER, TERMS, BY_CODE], 14),
    ({"via": "pia-code"}, [PROGRAM, RING, TERMS, LINK, *PARTNER, TERMS, BY_CODE], 14),
    ({"click_id": "CLICK"}, [PROGRAM, RING, TERMS, RING, *PARTNER, TERMS, BY_CLICK], 16),
    ({"code": "no-such-code"}, [PROGRAM, RING, TERMS, LINK, NOBODY], 12),
    ({"click_id": "forged"}, [PROGRAM, RING, TERMS, RING, NOBODY], 12),
    (
        {"trapped": True, "code": "pia-code"},
        [PROGRAM, RING, TERMS, f"transact: {ROWS}, put PII/PERSON"],
        8,
    ),
]


@pytest.mark.parametrize(("sent", "calls", "write_units"), CASES)
def test_first_submission(sent: dict[str, Any], calls: list[str], write_units: int) -> None:
    fields = {**sent}
    if fields.get("click_id") == "CLICK":
        fields["click_id"] = click_token()

    usage = used(World(), submission(**fields))

    assert calls == usage.labels
    assert write_units == usage.write_units


def test_a_warm_process_reads_the_keys_no_more() -> None:
    usage = used(World(), submission(click_id=click_token()), warm=True)

    assert [PROGRAM, TERMS, *PARTNER, TERMS, BY_CLICK] == usage.labels


def test_published_terms_are_read_once_in_an_environment() -> None:
    world = World()
    store = world.store
    world.submit(submission(code="pia-code"), store=store)
    other = submission("other@lead.test", code="pia-code")

    usage = measured(world.client, lambda: world.submit(other, store=store))

    assert [PROGRAM, LINK, *PARTNER, BY_CODE] == usage.labels


def test_a_repeat_stores_its_evidence_and_nothing_else() -> None:
    world = World()
    world.submit(submission())

    usage = used(world, submission(code="pia-code"), warm=True)

    assert [
        PROGRAM,
        TERMS,
        LINK,
        *PARTNER,
        TERMS,
        BY_CODE,
        "get LEAD/CLAIM",
        "transact: put REF/REPEAT",
    ] == usage.labels


def test_a_second_lead_by_one_click_takes_one_more_transaction() -> None:
    world = World()
    world.submit(submission(click_id=click_token()))

    usage = used(world, submission("other@lead.test", click_id=click_token()), warm=True)

    assert [
        PROGRAM,
        TERMS,
        *PARTNER,
        TERMS,
        BY_CLICK,
        "get LEAD/CLAIM",
        "get TOUCH/REF",
        f"{BY_CODE}, update TOUCH/REF",
    ] == usage.labels


def later(who: str = "otto", **first: str) -> tuple[Heirs, Callable[[], Usage]]:
    """A lead whose protection is over, and what another form takes in a warm process."""
    world = Heirs()
    store = world.store
    world.submit(submission(EMAIL, **({"code": "pia-code"} | first)), store=store)
    sent = submission(EMAIL, code=f"{who}-code")
    return world, lambda: measured(world.client, lambda: world.submit(sent, now=END, store=store))


KNOWN = [PROGRAM, LINK, *PARTNER, BY_CODE, "get LEAD/CLAIM", "get REF/META"]


def test_to_take_a_lead_over_takes_two_reads_and_one_more_transaction() -> None:
    _, run = later()

    usage = run()

    both = (
        "put REF/META, put REF/FACT x3, put LINK/OPEN, put PII/PERSON, put OUT/EVENT x2,"
        " put LEAD/CLAIM, update REF/META"
    )
    assert [*KNOWN, "query REF FACT", f"transact: {both}"] == usage.labels
    # The first transaction failed on the claim, and is paid for all the same.
    assert 14 + 20 == usage.write_units


def test_a_lead_with_a_deal_is_left_without_reading_its_facts() -> None:
    world, run = later()
    (head,) = [row for row in world.rows("REF#") if row["sk"] == keys.META]
    world.save(keys.referral(head["referral_id"]), {**head, "deal_id": "D-1"})

    assert [*KNOWN, "transact: put REF/REPEAT"] == run().labels


def test_the_same_partner_leaves_the_lead_without_reading_its_facts() -> None:
    _, run = later("pia")

    assert [*KNOWN, "transact: put REF/REPEAT"] == run().labels


def test_terms_that_split_read_every_partner() -> None:
    world = Heirs()
    world.publish(2, {"attribution": {"split": "equal"}})
    sent = submission(codes=("pia-code", "otto-code"))

    usage = used(world, sent, warm=True)

    reads = [PROGRAM, TERMS, LINK, *PARTNER, LINK, *PARTNER, TERMS]
    assert [*reads, BY_CODE] == usage.labels


def test_a_list_of_customers_takes_two_reads_at_most() -> None:
    world = World()
    world.save_program(program(customers_listed=True))

    usage = used(world, submission(), warm=True)

    assert [PROGRAM, TERMS, CUSTOMER, CUSTOMER, NOBODY] == usage.labels


def test_nothing_grows_with_what_was_submitted_before() -> None:
    """Nor for one link, nor for one partner."""
    world = World()
    usages = []
    submitted = 0
    for behind in (10, 1_000):
        for number in range(submitted, behind):
            world.submit(submission(f"lead{number}@lead.test", code="pia-code"))
        submitted = behind
        sent = submission(
            f"measured{behind}@lead.test", click_id=click_token(click_id=f"m{behind}")
        )
        usages.append(used(world, sent))

    small, large = usages
    assert small.labels == large.labels
    assert small.figures() == large.figures()
