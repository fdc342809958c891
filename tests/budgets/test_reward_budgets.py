"""What posting rewards asks of the store: call by call, and the same whatever is stored."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from bench import paths
from bench.stock import measured, stock, story
from shared.adapters.dynamodb.ledger import DynamoLedger
from shared.usecases.post_rewards import post_rewards
from tests.builders.ledger import BOOKS, CORE, TRIGGER, Stored
from tests.builders.money import START

if TYPE_CHECKING:
    from collections.abc import Iterable

    from bench.paths import Measured

READ_REFERRAL = "query REF"
READ_TERMS = ["get PRG/META", "get PRG/TERMS"]
READ_BOOK = "get BOOK/HEAD"
POST_MONEY = (
    "transact: update REF/META, put REF/REWARD, put BOOK/HEAD, put BOOK/MOV, put REF/TRACE, "
    "put OUT/EVENT"
)
POST_BENEFIT = (
    "transact: update REF/META, put REF/REWARD, put REF/FULFIL, put REF/TRACE, put OUT/EVENT"
)
CONTRIBUTE = "transact: update REF/META, update PTR/STANDING, put REF/FACT"
READ_FILE = ["get PTR/STANDING", "get PTR/ENR"]
POST_BONUS = (
    "transact: update PTR/STANDING, put PTR/REWARD, put BOOK/HEAD, put BOOK/MOV, put PTR/TRACE, "
    "put OUT/EVENT"
)


def test_first_posting() -> None:
    stored = Stored()
    told = story()
    stored.submit(told)

    usage = measured(stored.client, lambda: stored.settle(told))

    assert [
        READ_REFERRAL,
        *READ_TERMS,
        "get PTR/STANDING",
        CONTRIBUTE,
        READ_BOOK,
        POST_MONEY,
        POST_BENEFIT,
        READ_BOOK,
        POST_MONEY,
        READ_BOOK,
        POST_MONEY,
    ] == usage.labels
    assert (7, 52, 33) == (usage.read_units, usage.write_units, usage.index_units)


def test_re_amount() -> None:
    stored = Stored()
    told = story()
    stored.submit(told)
    stored.settle(told)
    told.amount("30000.00")
    stored.tell(told)

    usage = measured(stored.client, lambda: stored.settle(told))

    assert [
        READ_REFERRAL,
        *READ_TERMS,
        READ_BOOK,
        POST_MONEY,
        "transact: conditioncheck REF/META, put REF/TRACE",
    ] == usage.labels
    assert (5, 16, 9) == (usage.read_units, usage.write_units, usage.index_units)


def test_nothing_to_do() -> None:
    stored = Stored()
    told = story()
    stored.submit(told)
    stored.settle(told)

    usage = measured(stored.client, lambda: stored.settle(told))

    assert [READ_REFERRAL, *READ_TERMS] == usage.labels
    assert 0 == usage.write_units


def test_a_warm_process_reads_the_terms_no_more() -> None:
    stored = Stored()
    told = story()
    stored.submit(told)
    ledger = DynamoLedger(stored.client, core_table=CORE, books_table=BOOKS)

    def settle() -> None:
        post_rewards(
            ledger,
            told.referral_id,
            trigger=TRIGGER,
            now=START,
            new_id=stored.new_id,
            pause=lambda _attempt: None,
        )

    settle()
    usage = measured(stored.client, settle)

    assert [READ_REFERRAL] == usage.labels


def test_a_referral_that_does_not_exist_takes_one_read() -> None:
    stored = Stored()

    usage = measured(stored.client, lambda: stored.settle(story("ref_none")))

    assert [READ_REFERRAL] == usage.labels


def test_a_referral_that_counts_for_a_bonus_tells_the_partner() -> None:
    stored = Stored(paths.EVERY_FIFTH)
    told = story()
    stored.submit(told)

    usage = measured(stored.client, lambda: stored.settle(told))

    assert f"{CONTRIBUTE}, put OUT/EVENT" in usage.labels
    # One call more than without the rule: the line that says where it is decided.
    assert "transact: conditioncheck REF/META, put REF/TRACE" == usage.labels[-1]
    assert 13 == usage.round_trips


def test_settling_a_partner_with_nothing_to_do() -> None:
    stored = Stored(paths.EVERY_FIFTH)
    stored.enrol()
    paths.succeed(stored, 5)
    stored.settle_partner()

    usage = measured(stored.client, stored.settle_partner)

    assert [*READ_FILE, *READ_TERMS] == usage.labels
    assert 0 == usage.write_units


def test_settling_a_partner_with_a_bonus_due() -> None:
    stored = Stored(paths.EVERY_FIFTH)
    stored.enrol()
    stored.settle_partner()
    paths.succeed(stored, 4)
    stored.settle_partner()
    paths.succeed(stored, 5)

    usage = measured(stored.client, stored.settle_partner)

    assert [*READ_FILE, *READ_TERMS, "get PTR/REWARD", READ_BOOK, POST_BONUS] == usage.labels


def test_settling_a_partner_with_no_bonus_due_only_tells_the_count() -> None:
    stored = Stored(paths.EVERY_FIFTH)
    stored.enrol()
    paths.succeed(stored, 3)
    stored.settle_partner()
    paths.succeed(stored, 4)

    usage = measured(stored.client, stored.settle_partner)

    told = "transact: update PTR/STANDING, put PTR/TRACE"
    assert [*READ_FILE, *READ_TERMS, told] == usage.labels


def test_the_first_time_all_rows_of_a_file_are_looked_through() -> None:
    stored = Stored(paths.EVERY_FIFTH)
    stored.enrol()
    paths.succeed(stored, 1)

    usage = measured(stored.client, stored.settle_partner)

    looked = ["query PTR REWARD", "query PTR TRACE"]
    told = "transact: update PTR/STANDING, put PTR/TRACE"
    assert [*READ_FILE, *READ_TERMS, *looked, told] == usage.labels


def test_a_limit_is_read_once_and_moves_with_the_bonus() -> None:
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "500.00"}
    stored = Stored({**paths.EVERY_FIFTH, "caps": [cap]})
    stored.enrol()
    paths.succeed(stored, 4)
    stored.settle_partner()
    paths.succeed(stored, 5)

    usage = measured(stored.client, stored.settle_partner)

    posted = POST_BONUS.replace("put PTR/TRACE", "put PTR/CAP, put PTR/TRACE")
    read = [*READ_FILE, *READ_TERMS, "get PTR/REWARD", "get PTR/CAP", READ_BOOK]
    assert [*read, posted] == usage.labels


def test_one_period_of_many_is_settled_alone() -> None:
    stored = Stored({"name": "t", "rules": [paths.GROWTH]})
    stored.enrol()
    quarters = [f"{year}-Q{quarter}" for year in range(2010, 2023) for quarter in range(1, 5)]
    paths.sell(stored, dict.fromkeys(quarters, 10000))
    paths.settle_whole(stored)
    paths.sell(stored, {**dict.fromkeys(quarters, 10_000), "2019-Q3": 20_000})

    usage = measured(stored.client, stored.settle_partner)

    assert [*READ_FILE, *READ_TERMS, "get PTR/REWARD", READ_BOOK, POST_BONUS] == usage.labels
    assert len(quarters) == len(stored.partner_rewards())


def test_a_partner_that_is_not_enrolled_takes_one_read() -> None:
    stored = Stored(paths.EVERY_FIFTH)

    usage = measured(stored.client, stored.settle_partner)

    assert ["get PTR/STANDING"] == usage.labels


# -- whatever is stored ---------------------------------------------------------------------------


def by_operation(rows: Iterable[Measured]) -> dict[str, list[Measured]]:
    ordered = sorted(rows, key=lambda row: row.operation)
    return {name: list(group) for name, group in groupby(ordered, key=lambda row: row.operation)}


def assert_the_same(rows: Iterable[Measured]) -> None:
    found = by_operation(rows)
    assert 5 == len(found)
    for small, large in found.values():
        assert large.rows > 10 * small.rows
        assert small.usage.labels == large.usage.labels
        assert small.usage.read_units == large.usage.read_units
        assert small.usage.write_units == large.usage.write_units
        assert small.usage.index_units == large.usage.index_units


def test_nothing_grows_with_the_referrals_that_are_stored() -> None:
    assert_the_same(paths.by_stored((10, 1_000)))


def test_nothing_grows_with_the_referrals_that_a_partner_has() -> None:
    assert_the_same(paths.by_partner((10, 1_000)))


def test_what_is_measured_is_what_its_name_says() -> None:
    events = {
        row.operation: [label.count("put OUT/EVENT") for label in row.usage.labels].count(1)
        for row in paths.by_stored((10,))
    }

    assert {
        "post_rewards: first posting": 5,
        "post_rewards: re-amount": 1,
        "post_rewards: nothing to do": 0,
        "settle_partner, achievements: nothing to do": 0,
        "settle_partner, achievements: one bonus": 1,
    } == events


def test_the_stock_is_what_the_product_would_have_stored() -> None:
    copied = Stored()
    stock(copied, 1, of="ptr_x")
    posted = Stored()
    told = story("ref_n0000000", "ptr_x")
    posted.submit(told)
    posted.settle(told)

    def shape(stored: Stored) -> list[tuple[str, ...]]:
        return sorted(
            (table, row["pk"], row["sk"].split("#")[0], *sorted(row))
            for table, rows in stored.client.dump().items()
            for row in rows
            if not row["pk"].startswith(("OUT#", "PTR#", "PRG#")) and row["sk"] != "HEAD"
        )

    assert shape(posted) == shape(copied)
    assert len(shape(copied)) == 19


def test_nothing_grows_with_the_successes_that_were_rewarded_one_by_one() -> None:
    found = by_operation(paths.by_successes((10, 1_000, 10_000)))
    quiet, bonus = (
        [(row.usage.labels, row.usage.figures()) for row in rows]
        for rows in (
            found["settle_partner, every fifth: nothing to do"],
            found["settle_partner, every fifth: one bonus"],
        )
    )

    assert [quiet[0]] * 3 == quiet
    assert [bonus[0]] * 3 == bonus
    assert ([*READ_FILE, *READ_TERMS], 4) == (quiet[0][0], quiet[0][1]["read_units"])
    assert (7, 6, 12, 7) == tuple(
        bonus[0][1][name]
        for name in ("round_trips", "read_units", "write_units", "index_write_units")
    )


# -- what does grow, and how much -----------------------------------------------------------------


def test_looking_at_a_referral_reads_its_own_facts_in_one_call() -> None:
    small, large = paths.by_facts((10, 1_000))

    assert [READ_REFERRAL, *READ_TERMS] == small.usage.labels == large.usage.labels
    assert large.usage.rows_read == small.usage.rows_read + 990
    assert large.usage.read_units <= 80
