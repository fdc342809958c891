"""A migration of all of a partner's referrals moves what judges the partner's bonuses too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.client import get
from shared.adapters.dynamodb.transactions import transact, update
from shared.usecases import settle_partner
from shared.usecases.dry_ledger import DryLedger
from shared.usecases.post_rewards import post_rewards
from tests.builders.jobs import DRAFT, LIVE, RULE, Office
from tests.builders.ledger import CORE
from tests.usecases.test_control_jobs import spoil

if TYPE_CHECKING:
    from shared.domain.migration import Item

PAIR: dict[str, Any] = {
    **RULE,
    "id": "pair",
    "occurrence": "every_nth",
    "nth": 2,
    "value": {"fixed": "70.00"},
}
RETRO = {
    **RULE,
    "tiers": {
        "by": "count",
        "milestone": "won",
        "mode": "retroactive",
        "steps": [{"from": 3, "percent": "20"}],
    },
}


def terms(*rules: dict[str, Any], **top: Any) -> dict[str, Any]:  # noqa: ANN401 - any field
    return {"name": "T", "rules": list(rules), **top}


def pair(amount: str, **changes: object) -> dict[str, Any]:
    return {**PAIR, "value": {"fixed": amount}, **changes}


OLD = terms(RULE, PAIR)


def migrated(office: Office, **options: Any) -> str:  # noqa: ANN401 - of a migration
    job_id = office.migrate(**options)
    office.pump()
    assert "done" == office.job(job_id).state
    return job_id


def of_partner(office: Office, job_id: str, partner_id: str = "ptr_1") -> Item:
    found = office.migrations.item(job_id, f"~{partner_id}")
    assert found
    return found


def bonuses(office: Office, partner_id: str = "ptr_1") -> dict[str, int]:
    return {
        occurrence: reward.net_minor
        for occurrence, reward in office.stored.partner_rewards(partner_id).items()
    }


def enrolment(office: Office, partner_id: str = "ptr_1") -> tuple[int, int | None]:
    row = get(office.stored.client, CORE, keys.enrolment(partner_id, "prg_1"))
    assert row
    return row["terms_version"], row.get("judged_version")


def test_bonuses_follow_and_what_was_accepted_stays_on_record() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=5)
    assert {"count:2": 7_000, "count:4": 7_000} == bonuses(office)

    job_id = migrated(office)

    assert {"count:2": 9_000, "count:4": 9_000} == bonuses(office)
    assert (1, 2) == enrolment(office)
    assert {"migrated": 5, "partner:migrated": 1} == dict(office.job(job_id).counts)
    item = of_partner(office, job_id)
    assert ("migrated", 1, [("count:2", 7_000, 9_000), ("count:4", 7_000, 9_000)]) == (
        item.outcome,
        item.from_version,
        [(each.occurrence, each.before_minor, each.after_minor) for each in item.changes],
    )
    office.outcome(job_id)


def test_new_referrals_count_for_the_bonuses_under_the_version_that_judges_them() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=2)
    migrated(office)

    for number in (7, 8):
        office.win(number)
    office.pump()

    assert {"count:2": 9_000, "count:4": 9_000} == bonuses(office)


@pytest.mark.parametrize(
    "draft", [terms(RULE, pair("90.00")), terms(RULE, PAIR, pair("5", id="x"))]
)
def test_a_preview_tells_what_the_migration_then_does(draft: dict[str, Any]) -> None:
    office = Office(OLD, draft, deals=5)
    before = bonuses(office)

    previewed = of_partner(office, migrated(office, preview=True))

    assert before == bonuses(office)
    assert ((1, None), "would_change") == (enrolment(office), previewed.outcome)
    assert previewed.changes
    done = of_partner(office, migrated(office))
    assert previewed.changes == done.changes


def test_a_preview_knows_sums_that_only_the_migration_makes() -> None:
    """Nothing counts for the new bonus before: its sums come with the referrals."""
    office = Office(LIVE, terms(RULE, PAIR), deals=5)

    previewed = of_partner(office, migrated(office, preview=True))

    assert [("count:2", 0, 7_000), ("count:4", 0, 7_000)] == [
        (each.occurrence, each.before_minor, each.after_minor) for each in previewed.changes
    ]
    assert previewed.changes == of_partner(office, migrated(office)).changes
    assert {"count:2": 7_000, "count:4": 7_000} == bonuses(office)


def test_caps_limit_previewed_bonuses_as_they_limit_posted_ones() -> None:
    cap = {"id": "life", "scope": "partner", "per": "lifetime", "limit": "600.00"}
    draft = terms(RULE, pair("400.00"), caps=[cap])
    office = Office(OLD, draft, deals=5)

    previewed = of_partner(office, migrated(office, preview=True))
    done = of_partner(office, migrated(office))

    posted = bonuses(office)
    assert 60_000 >= sum(posted.values()) > 40_000
    # A preview judges bonuses beside what is taken of caps now, and referrals take theirs first.
    assert posted == {each.occurrence: each.after_minor for each in done.changes}
    assert 60_000 == sum(each.after_minor or 0 for each in previewed.changes)


def test_who_would_lose_bonuses_keeps_what_judges_them() -> None:
    office = Office(OLD, terms(RULE, pair("60.00")), deals=5)

    job_id = migrated(office)

    assert {"count:2": 7_000, "count:4": 7_000} == bonuses(office)
    assert (1, None) == enrolment(office)
    assert ("would_lose", -2_000) == (
        of_partner(office, job_id).outcome,
        sum(
            (each.after_minor or 0) - (each.before_minor or 0)
            for each in of_partner(office, job_id).changes
        ),
    )
    assert {"migrated": 5, "partner:would_lose": 1} == dict(office.job(job_id).counts)


def test_losing_bonuses_can_be_asked_for() -> None:
    office = Office(OLD, terms(RULE, pair("60.00")), deals=5)

    migrated(office, no_decrease=False)

    assert {"count:2": 6_000, "count:4": 6_000} == bonuses(office)


@pytest.mark.parametrize("live", [OLD, terms(RETRO)])
def test_a_referral_that_a_bonus_counts_does_not_leave_by_default(live: dict[str, Any]) -> None:
    office = Office(live, DRAFT, deals=5)
    before = bonuses(office)

    job_id = migrated(office)

    assert {"would_lose": 5, "partner:referrals_stay": 1} == dict(office.job(job_id).counts)
    assert (before, (1, None)) == (bonuses(office), enrolment(office))
    migrated(office, no_decrease=False)
    assert {0} == set(bonuses(office).values())
    assert (1, 2) == enrolment(office)


def test_a_partner_moves_only_with_all_referrals() -> None:
    spoiled = terms({**RULE, "value": {"percent": "5", "of": "deal_amount"}}, pair("90.00"))
    office = Office(OLD, spoiled, deals=3)

    job_id = migrated(office)

    assert {"would_lose": 3, "partner:referrals_stay": 1} == dict(office.job(job_id).counts)
    assert {"count:2": 7_000} == bonuses(office)


def test_each_partner_is_judged_apart() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=5, partners=2)
    transact(
        office.stored.client,
        [update(CORE, keys.enrolment("ptr_2", "prg_1"), assign={"judged_version": 2})],
    )

    job_id = migrated(office)

    assert {"migrated": 5, "partner:migrated": 1, "partner:already_there": 1} == dict(
        office.job(job_id).counts
    )


def test_named_referrals_move_no_partner() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=2)

    job_id = migrated(office, referrals=["ref_1", "ref_2"])

    assert {"migrated": 2} == dict(office.job(job_id).counts)
    assert ({"count:2": 7_000}, (1, None)) == (bonuses(office), enrolment(office))


def test_who_is_not_enrolled_has_no_bonuses_to_judge() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=0)
    office.win(1, "ptr_stranger")

    assert {"migrated": 1} == dict(office.job(migrated(office)).counts)


def test_partners_are_looked_at_in_as_many_steps_as_it_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settle_partner, "MOST", 1)
    office = Office(OLD, terms(RULE, pair("90.00")), deals=9, partners=3)
    office.out_of_time = lambda: True

    job_id = migrated(office)

    assert {"migrated": 9, "partner:migrated": 3} == dict(office.job(job_id).counts)
    assert [{"count:2": 9_000}] * 3 == [bonuses(office, f"ptr_{each}") for each in (1, 2, 3)]


def test_a_partner_whose_file_cant_be_read_stops_no_other() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=4, partners=2)
    reward = keys.partner_reward("ptr_1", "prg_1", "pair", "count:2", "ptr_1")
    transact(office.stored.client, [update(CORE, reward, assign={"effective_at": "never"})])
    job_id = office.migrate()

    for _ in range(20):
        for row in office.waiting():
            office.handled.add(row["event_id"])
            if '"type":"partner"' not in row["envelope"].replace(" ", ""):
                office.take(row)

    assert {"migrated": 4, "partner:unreadable": 1, "partner:migrated": 1} == dict(
        office.job(job_id).counts
    )


def test_terms_accepted_meanwhile_are_seen() -> None:
    """Between reading and writing the partner accepts the very terms that all moves to."""
    office = Office(OLD, terms(RULE, pair("90.00")), deals=2)
    raced: list[bool] = []

    def race(request: dict[str, Any]) -> None:
        if not raced and "judged_version" in str(request):
            raced.append(True)
            accept = update(CORE, keys.enrolment("ptr_1", "prg_1"), assign={"terms_version": 2})
            transact(office.stored.client, [accept])

    office.stored.client.before["transact_write_items"] = race
    job_id = migrated(office)

    assert [True] == raced
    assert ("already_there", (2, None)) == (of_partner(office, job_id).outcome, enrolment(office))


def test_a_bonus_posted_meanwhile_is_seen() -> None:
    """Between reading and writing another success is settled."""
    office = Office(OLD, terms(RULE, pair("90.00")), deals=3)
    raced: list[bool] = []

    def race(request: dict[str, Any]) -> None:
        if not raced and "judged_version" in str(request):
            raced.append(True)
            office.win(4)
            office.stored.settle_partner()

    office.stored.client.before["transact_write_items"] = race
    job_id = migrated(office)

    assert [True] == raced
    changes = of_partner(office, job_id).changes
    assert ["count:2", "count:4"] == [each.occurrence for each in changes]
    assert {"count:2": 9_000, "count:4": 9_000} == bonuses(office)


def test_a_preview_tells_bonuses_that_only_the_sums_change() -> None:
    """The partner accepted the newer terms long ago; the old referrals come after."""
    office = Office(LIVE, terms(RULE, PAIR), deals=2)
    accept = update(CORE, keys.enrolment("ptr_1", "prg_1"), assign={"terms_version": 2})
    transact(office.stored.client, [accept])

    previewed = of_partner(office, migrated(office, preview=True))
    migrated(office)

    assert ("already_there", ["count:2"]) == (
        previewed.outcome,
        [each.occurrence for each in previewed.changes],
    )
    assert {"count:2": 7_000} == bonuses(office)


def test_a_referral_that_pins_more_than_one_try_may_is_looked_at_to_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("shared.usecases.post_rewards.MAX_PINS", 1)
    caps = [
        {"id": name, "scope": "partner", "per": per, "limit": "900.00"}
        for name, per in (("life", "lifetime"), ("year", "calendar_year"))
    ]
    office = Office(LIVE, terms(RULE, pair("90.00"), caps=caps), deals=1)

    job_id = migrated(office)

    assert {"migrated": 1, "partner:migrated": 1} == dict(office.job(job_id).counts)


def test_many_changes_are_told_in_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.domain.migration.MAX_CHANGES", 2)
    office = Office(OLD, terms(RULE, pair("90.00")), deals=6)

    item = of_partner(office, migrated(office))

    assert (2, 1) == (len(item.changes), item.left_out)
    assert {9_000} == set(bonuses(office).values())


def test_what_broke_while_posting_is_posted_by_the_stored_event(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=2)
    failed: list[bool] = []

    def broken(ledger: Any, *arguments: Any, **tools: Any) -> Any:  # noqa: ANN401 - as the real one
        if not isinstance(ledger, DryLedger):
            failed.append(True)
            raise KeyError
        return post_rewards(ledger, *arguments, **tools)

    monkeypatch.setattr("shared.usecases.migrate_referrals.post_rewards", broken)
    job_id = migrated(office)

    assert [True, True] == failed
    assert 2 == office.job(job_id).counts["migrated"]


def test_one_unreadable_referral_is_no_reason_to_leave_a_partner_behind() -> None:
    office = Office(OLD, terms(RULE, pair("90.00")), deals=5)
    spoil(office, "ref_3")

    job_id = migrated(office)

    assert {"migrated": 4, "unreadable": 1, "partner:migrated": 1} == dict(
        office.job(job_id).counts
    )
