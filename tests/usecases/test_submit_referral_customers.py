"""Whether a lead was a customer already is looked up at the submission and pinned."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bench.stock import measured
from shared.adapters.dynamodb.customers import Customers
from shared.domain import customers
from tests.builders.heirs import Heirs
from tests.builders.intake import CORE, NOW, SECRET, program, submission

LISTED = ("ann@acme.test", "bob@gmail.com")
LOOK_UP = "get CUSTOMER/META"


@pytest.fixture
def world() -> Heirs:
    world = Heirs()
    world.save_program(program(customers_listed=True))
    entries = [customers.by_email(SECRET, each) for each in LISTED]
    entries.append(customers.by_domain(SECRET, "globex.test"))
    store = Customers(client=world.client, core=CORE)
    store.add_customers("prg_1", entries, actor="Grace", now=NOW)
    return world


def is_customer(world: Heirs, email: str, **changes: Any) -> object:  # noqa: ANN401 - any field
    received = world.submit(submission(email, **changes))
    return world.pinned(received.referral_id)["attributes"]["existing_customer"]


@pytest.mark.parametrize(
    ("email", "expected"),
    [
        ("Ann+x@acme.test", True),
        ("else@acme.test", False),
        ("anybody@Globex.test", True),
        ("b.o.b@googlemail.com", True),
        ("eve@gmail.com", False),
    ],
)
def test_addresses_and_companies_on_the_list(world: Heirs, email: str, *, expected: bool) -> None:
    assert expected is is_customer(world, email)


def test_a_form_can_not_say_so_itself(world: Heirs) -> None:
    said = {"existing_customer": "true"}

    assert is_customer(world, "eve@lead.test", metadata=said) is False
    assert is_customer(world, "ann@acme.test", metadata={"existing_customer": ""}) is True


def test_another_programmes_list_does_not_count(world: Heirs) -> None:
    world.save_program(program(program_id="prg_2", customers_listed=True))
    world.publish(2, {}, program_id="prg_2")

    received = world.submit(submission("ann@acme.test"), program_id="prg_2")

    assert world.pinned(received.referral_id)["attributes"] == {"existing_customer": False}


def test_grades_see_it(world: Heirs) -> None:
    known = {"field": "existing_customer", "op": "eq", "value": True}
    quality = {
        "grades": [{"grade": "K", "when": {"all": [known]}}],
        "otherwise": "N",
        "decide": {"K": "reject"},
    }
    world.publish(2, {"lead_quality": quality})

    received = world.submit(submission("ann@acme.test"))

    assert "rejected" == world.head(received.referral_id).review


@pytest.mark.parametrize(
    ("email", "reads"), [("eve@lead.test", 2), ("eve@gmail.com", 1), ("ann@acme.test", 1)]
)
def test_it_takes_a_read_for_the_address_and_one_for_the_company(
    world: Heirs, email: str, reads: int
) -> None:
    usage = measured(world.client, lambda: world.submit(submission(email)))

    assert reads == usage.labels.count(LOOK_UP)


def test_who_has_no_list_reads_none(world: Heirs) -> None:
    world.save_program(program())

    usage = measured(world.client, lambda: world.submit(submission("ann@acme.test")))

    assert 0 == usage.labels.count(LOOK_UP)


def test_nothing_is_looked_up_for_a_trapped_form(world: Heirs) -> None:
    sent = replace(submission("ann@acme.test"), trapped=True)

    usage = measured(world.client, lambda: world.submit(sent))

    assert 0 == usage.labels.count(LOOK_UP)


def test_the_list_names_nobody(world: Heirs) -> None:
    assert "acme" not in repr(world.client.dump()).lower()
    assert "globex" not in repr(world.client.dump()).lower()


def test_what_was_pinned_stays_when_the_list_changes(world: Heirs) -> None:
    received = world.submit(submission("ann@acme.test"))
    store = Customers(client=world.client, core=CORE)

    store.remove_customer("prg_1", customers.by_email(SECRET, "ann@acme.test"))

    assert world.pinned(received.referral_id)["attributes"]["existing_customer"] is True
    assert is_customer(world, "an+n@acme.test") is False
