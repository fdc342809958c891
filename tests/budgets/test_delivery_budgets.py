"""What a delivery asks of the store: call by call, and the same whatever is stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.stock import measured
from shared.names import DUE_SK, LIST_SK, PK, SK
from tests.builders.deliveries import Desk, change, referral, token, updated

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.meter import Usage

SOURCE = "get SRC/META"
STORE = "transact: put DLV/META, put OUT/EVENT, put DLV/BODY"
READ = ["get DLV/META", SOURCE, "get DLV/BODY", "get DEAL/BINDING"]
READ_REFERRAL = ["get REF/META", "query REF FACT"]
PARK = "transact: update DLV/META, update DLV/BODY, conditioncheck DEAL/BINDING, put DEAL/PARKED"
SETTLE = "transact: update DLV/META"
READ_WAITING = "query DEAL PARKED"
APPEND = "transact: update REF/META, put REF/FACT, put OUT/EVENT"
BIND = f"{APPEND}, put DEAL/BINDING, delete LINK/OPEN"


def binding(desk: Desk, number: int = 1, deal: str = "9") -> str:
    """Receive what binds a deal to a referral by its click."""
    return desk.standard(updated({"id": deal, "stage": "won"}, {"click_id": token(number)}))


def amount(desk: Desk, text: str = "100.00", deal: str = "9") -> str:
    """Receive a deal's amount, which names no referral."""
    return desk.standard(updated({"id": deal, "amount": text}))


def received(desk: Desk, receive: Callable[[], str]) -> Usage:
    return measured(desk.client, receive)


def applied(desk: Desk, delivery_id: str, state: str) -> Usage:
    found = []
    usage = measured(desk.client, lambda: found.append(desk.apply(delivery_id)))
    assert [state] == [each.state for each in found]
    return usage


def test_receiving_from_hubspot() -> None:
    desk = Desk()

    usage = received(desk, lambda: desk.hubspot(change("dealstage", "won")))

    assert [SOURCE, STORE] == usage.labels
    assert (1, 6, 1) == (usage.read_units, usage.write_units, usage.index_units)


def test_receiving_a_standard_delivery_remembers_its_message_id() -> None:
    desk = Desk()

    usage = received(desk, lambda: amount(desk))

    assert [SOURCE, f"{STORE}, put MSG/META"] == usage.labels
    assert (1, 8, 1) == (usage.read_units, usage.write_units, usage.index_units)


def test_receiving_the_same_bytes_again_takes_the_same_calls() -> None:
    desk = Desk()
    desk.hubspot(change("dealstage", "won"))

    usage = received(desk, lambda: desk.hubspot(change("dealstage", "won")))

    assert [SOURCE, STORE] == usage.labels


def test_other_bytes_under_a_known_message_id_take_one_more_transaction() -> None:
    desk = Desk()
    desk.standard(updated({"id": "9", "amount": "1.00"}), "msg_same")

    usage = received(
        desk, lambda: desk.standard(updated({"id": "9", "amount": "2.00"}), "msg_same")
    )

    assert [SOURCE, f"{STORE}, put MSG/META", STORE] == usage.labels


def test_a_delivery_that_binds_its_deal() -> None:
    desk = Desk()
    delivery_id = binding(desk)

    usage = applied(desk, delivery_id, "applied")

    assert [
        *READ,
        "get KEYRING/RING",
        "get TOUCH/REF",
        *READ_REFERRAL,
        BIND,
        SETTLE,
        READ_WAITING,
    ] == usage.labels
    assert (9, 12, 3) == (usage.read_units, usage.write_units, usage.index_units)


def test_a_delivery_for_a_deal_that_is_bound() -> None:
    desk = Desk()
    desk.apply(binding(desk))
    delivery_id = amount(desk)

    usage = applied(desk, delivery_id, "applied")

    assert [
        *READ,
        *READ_REFERRAL,
        APPEND,
        SETTLE,
        READ_WAITING,
    ] == usage.labels


def test_a_delivery_that_is_applied_again_writes_nothing() -> None:
    desk = Desk()
    delivery_id = binding(desk)
    desk.apply(delivery_id)

    usage = applied(desk, delivery_id, "applied")

    assert [*READ, *READ_REFERRAL, READ_WAITING] == usage.labels
    assert 0 == usage.write_units


def test_a_delivery_for_a_deal_that_nobody_bound_is_parked() -> None:
    desk = Desk()
    delivery_id = amount(desk)

    usage = applied(desk, delivery_id, "parked")

    assert [*READ, PARK, READ_WAITING] == usage.labels
    assert (5, 8, 1) == (usage.read_units, usage.write_units, usage.index_units)


def fill(desk: Desk, times: int) -> None:
    """Store a bound and a parked deal as the product does, and copies beside them."""
    start = len(desk.client.changes)
    desk.add(referral(900), 900)
    desk.apply(binding(desk, 900, deal="900"))
    desk.apply(amount(desk, deal="unbound"))
    rows = {
        (change.table, change.new_image[PK]["S"], change.new_image[SK]["S"]): change.new_image
        for change in desk.client.changes[start:]
        if change.new_image
    }
    for number in range(times):
        for (table, pk, sk), row in rows.items():
            copy = {**row, PK: {"S": f"{pk}-{number}"}}
            for name in {LIST_SK, DUE_SK} & copy.keys():
                copy[name] = {"S": f"{row[name]['S']}-{number}"}
            desk.client._table(table).rows[copy[PK]["S"], sk] = copy


def test_nothing_grows_with_what_is_stored() -> None:
    found: list[dict[str, Usage]] = []
    for behind in (10, 1_000):
        desk = Desk()
        fill(desk, behind)
        parked, binds = amount(desk, deal="other"), binding(desk)
        found.append(
            {
                "receive": received(desk, lambda desk=desk: amount(desk)),  # type: ignore[misc]
                "bind": applied(desk, binds, "applied"),
                "park": applied(desk, parked, "parked"),
            }
        )

    small, large = found
    for operation, usage in small.items():
        assert usage.labels == large[operation].labels
        assert usage.figures() == large[operation].figures()


def test_a_delivery_reads_the_facts_of_its_own_referral_only() -> None:
    """One query, as long as the referral's own story: 100 facts fit into 10 units."""
    desk = Desk()
    desk.apply(binding(desk))
    for number in range(99):
        desk.apply(amount(desk, f"{number + 1}.00"))

    usage = applied(desk, amount(desk, "1000.00"), "applied")

    assert 9 == usage.round_trips
    reads = {call.label: call.read_units for call in usage.calls}
    assert 5 < reads["query REF FACT"] <= 10
