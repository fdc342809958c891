from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.usecases import run_job
from shared.usecases.run_simulation import Simulation
from tests.builders.evaluated import Evaluation
from tests.builders.managed import referred
from tests.builders.money import DAY, START, Story

if TYPE_CHECKING:
    from tests.functions.manage_program.conftest import Api

PATH = "/programs/prg_demo/simulations"
WON: dict[str, Any] = {
    "id": "commission",
    "beneficiary": "partner",
    "milestone": "won",
    "kind": "cash",
    "value": {"percent": "10", "of": "deal_amount"},
}
DRAFT = {"name": "Draft", "rules": [{**WON, "value": {"percent": "15", "of": "deal_amount"}}]}


def asking(**changes: object) -> dict[str, Any]:
    period = {"from": "2026-01-01T00:00:00Z", "to": "2027-01-01T00:00:00Z"}
    return {"definition": DRAFT, **period, **changes}


@pytest.fixture
def history(api: Api, monkeypatch: pytest.MonkeyPatch) -> Evaluation:
    """Seven won deals of three partners and one of nobody, paid at ten per cent."""
    api.program("prg_demo")
    api.made("/programs/prg_demo/terms", {"name": "Live", "rules": [WON]})
    evaluation = Evaluation(api, monkeypatch, times=2)
    partners = [api.partner(f"P{number}", f"p{number}@a.example") for number in range(3)]
    for partner_id in partners:
        body = {"partner_id": partner_id, "program_id": "prg_demo", "accept_terms": True}
        api.made("/enrolments", body)
    for number in range(8):
        partner_id = partners[number % 3] if number < 7 else ""
        story = Story(
            referral_id=f"ref_{number}",
            deal_id=f"D-{number}",
            partner_id=partner_id,
            start=START + 30 * number * DAY,
        )
        story.submitted().reviewed("accepted").amount("1000.00").stage("won")
        head = {"program_id": "prg_demo", "partner_id": partner_id or None, "review": "accepted"}
        referred(api, story, referral_id=story.referral_id, **head)
        evaluation.module._post_rewards(story.referral_id, _trigger())
    return evaluation


def _trigger() -> Any:  # noqa: ANN401 - a builder
    from shared.usecases.effects import Trigger  # noqa: PLC0415

    return Trigger(correlation_id="evt_c", causation_id="evt_c", hops=0)


def started(api: Api, **changes: object) -> str:
    reply = api.send("POST", PATH, asking(**changes))
    assert reply.status == 202, reply.body
    return f"{PATH}/{reply.body['id']}"


def money_rows(api: Api) -> list[dict[str, Any]]:
    dump = api.store.dump()
    return dump["books"] + [
        row for row in dump["core"] if row["pk"].split("#")[0] in {"REF", "PTR", "BOOK", "PRG"}
    ]


def test_a_simulation_tells_cost_difference_and_who_wins(api: Api, history: Evaluation) -> None:
    before = money_rows(api)
    path = started(api)
    assert ("planning", None) == (
        api.send("GET", path).body["status"],
        api.send("GET", path).body["result"],
    )

    history.pump()

    shown = api.send("GET", path).body
    result = shown["result"]
    assert "done" == shown["status"]
    assert {"referrals": 8, "referrals_done": 8, "chunks": 4, "chunks_done": 4} == shown["progress"]
    assert ("1050.00", "700.00", "350.00") == tuple(
        result[name]["amount"] for name in ("simulated", "paid", "delta")
    )
    assert (8, 3, 3, 0) == (
        result["referrals"],
        result["partners"],
        result["partners_winning"],
        result["partners_losing"],
    )
    assert ["150.00", "100.00", "100.00"] == [line["delta"]["amount"] for line in result["winners"]]
    first = result["cost"][0]
    assert ("commission", "2026-01", "150.00", "100.00", "50.00") == (
        first["rule_id"],
        first["month"],
        *(first[name]["amount"] for name in ("simulated", "paid", "delta")),
    )
    assert before == money_rows(api)


def test_caps_and_tiers_are_judged_over_all_chunks_in_the_order_of_time(
    api: Api, history: Evaluation
) -> None:
    tier = {"by": "count", "milestone": "won", "steps": [{"from": 2, "percent": "20"}]}
    budget = {"id": "all", "scope": "program", "per": "lifetime", "limit": "1000.00"}
    draft = {"name": "Draft", "rules": [{**WON, "tiers": tier}], "caps": [budget]}
    path = started(api, definition=draft)

    history.pump()

    result = api.send("GET", path).body["result"]
    # The first deal of each partner pays 100, the others 200, until 1,000 are spent.
    months = {line["month"]: line["simulated"]["amount"] for line in result["cost"]}
    assert ["100.00", "100.00", "100.00", "200.00", "200.00", "200.00", "100.00"] == [
        months[name] for name in sorted(months)
    ]
    assert [("all", "lifetime", "100.00", 1)] == [
        (cap["cap_id"], cap["period"], cap["cut"]["amount"], cap["rewards"])
        for cap in result["caps"]
    ]


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("page", [2, 1_000])
def test_the_size_of_steps_changes_nothing(
    api: Api, history: Evaluation, monkeypatch: pytest.MonkeyPatch, size: int, page: int
) -> None:
    monkeypatch.setattr(run_job, "PAGE", page)
    monkeypatch.setattr(Simulation, "chunk_size", size)
    path = started(api)

    history.pump()

    shown = api.send("GET", path).body
    assert ("done", 8, 8) == (
        shown["status"],
        shown["progress"]["referrals_done"],
        shown["progress"]["referrals"],
    )
    assert ("1050.00", "700.00") == tuple(
        shown["result"][name]["amount"] for name in ("simulated", "paid")
    )


def test_few_chunks_are_under_way_at_a_time(
    api: Api, history: Evaluation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Simulation, "chunk_size", 1)
    started(api)
    for _ in range(100):
        waiting = history.waiting()
        if not waiting:
            break
        assert len(waiting) <= run_job.LANES
        assert history.take(waiting[0])
        history.handled.append(waiting[0]["event_id"])
    assert not history.waiting()


def test_an_empty_programme_costs_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.program("prg_demo")
    evaluation = Evaluation(api, monkeypatch)
    path = started(api)

    evaluation.pump()

    shown = api.send("GET", path).body
    assert ("done", "0.00", []) == (
        shown["status"],
        shown["result"]["simulated"]["amount"],
        shown["result"]["cost"],
    )


@pytest.mark.parametrize(
    ("changes", "path", "code"),
    [
        ({"from": "2027-01-01T00:00:00Z"}, "to", "not_ascending"),
        ({"from": "2026-01-01"}, "from", "not_a_time"),
        ({"to": "soon"}, "to", "not_a_time"),
        ({"definition": []}, "definition", "wrong_type"),
        ({"definition": {"name": "x"}}, "definition.rules", "required"),
        ({"definition": {"name": "x", "rules": [], "windows": {"prior_days": 1.5}}},
         "definition.windows.prior_days", "number_not_allowed"),
        ({"note": 1}, "note", "unknown_field"),
    ],
)  # fmt: skip
def test_a_wrong_field_is_named(api: Api, changes: dict[str, Any], path: str, code: str) -> None:
    api.program("prg_demo")

    reply = api.send("POST", PATH, asking(**changes))

    error = reply.body["errors"][0]
    assert (422, path, code) == (reply.status, error["path"], error["code"])


def test_a_simulation_is_found_in_its_programme_only(api: Api) -> None:
    api.program("prg_demo")
    api.program("prg_other")
    path = started(api)

    assert 200 == api.send("GET", path).status
    for other in (
        path.replace("prg_demo", "prg_other"),
        path.replace("simulations", "migrations"),
        f"{PATH}/sim_none",
    ):
        assert 404 == api.send("GET", other).status
    assert 404 == api.send("POST", PATH.replace("prg_demo", "prg_none"), asking()).status


def test_a_simulation_is_started_once_per_request(api: Api) -> None:
    api.program("prg_demo")
    once = {"idempotency-key": "k-1"}

    first, again = (api.send("POST", PATH, asking(), headers=once) for _ in range(2))

    assert (202, first.body) == (again.status, again.body)
    assert 1 == sum(row["pk"].startswith("JOB#") for row in api.store.dump()["core"])
