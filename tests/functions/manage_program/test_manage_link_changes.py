"""Links that are changed and retired."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.click_caps import ClickCaps
from shared.adapters.dynamodb.transactions import transact, update
from shared.domain.links import location
from tests.functions.manage_program.conftest import CORE

if TYPE_CHECKING:
    from shared.domain.click_caps import CapTally
    from shared.domain.links import Link
    from tests.functions.manage_program.conftest import Api, Reply


@pytest.fixture
def partner_id(api: Api) -> str:
    return api.enrolled()


def made(api: Api, partner_id: str, **changes: Any) -> str:  # noqa: ANN401
    body = {
        "partner_id": partner_id,
        "program_id": "prg_demo",
        "destination": "https://www.example.com/start",
        "code": "spring",
    }
    return str(api.made("/links", {**body, **changes})["code"])


def change(api: Api, **changes: Any) -> Reply:  # noqa: ANN401
    return api.send("PATCH", "/links/spring", changes)


def stored(api: Api, code: str = "spring") -> Link:
    found = api.services.links.link(code)
    assert found is not None
    return found


@pytest.mark.parametrize(
    "changes",
    [
        {"disabled": True},
        {"destination": "https://www.example.com/other?x=1#top"},
        {"expires_at": "2027-01-01T00:00:00.000Z"},
        {"campaign": "autumn"},
        {"asset": "flyer"},
        {"precedence": "no_forward"},
        {"add_via": False},
        {"click_cap": 100},
        {"own_utm": {"utm_source": "ada"}, "utm": {"utm_source": "ada"}},
    ],
)
def test_what_is_changed_is_stored_and_the_rest_stays(
    api: Api, partner_id: str, changes: dict[str, Any]
) -> None:
    before = api.send("GET", f"/links/{made(api, partner_id)}").body

    reply = change(api, **{name: v for name, v in changes.items() if name != "own_utm"})

    assert (200, {**before, **changes}) == (reply.status, reply.body)
    assert reply.body == api.send("GET", "/links/SPRING").body


def test_an_end_and_a_cap_can_be_taken_away(api: Api, partner_id: str) -> None:
    made(api, partner_id, expires_at="2027-01-01T00:00:00Z", click_cap=5)

    reply = change(api, expires_at=None, click_cap=None)

    assert (None, None) == (reply.body["expires_at"], reply.body["click_cap"])


def test_a_change_without_a_difference_writes_nothing(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    api.store.calls.clear()

    assert 200 == change(api, campaign="", disabled=False).status
    assert [] == [name for name, _ in api.store.calls if name != "get_item"]


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"destination": "https://evil.example/"}, "destination"),
        ({"destination": ""}, "destination"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"utm": {"source": "x"}}, "utm.source"),
        ({"utm": {"utm_source": "{email}"}}, "utm.utm_source"),
        ({"precedence": "link"}, "precedence"),
        ({"campaign": "*"}, "campaign"),
        ({"click_cap": -1}, "click_cap"),
        ({"click_cap": 0}, "click_cap"),
        ({"click_cap": 1_000_000_001}, "click_cap"),
        ({"click_cap": "5"}, "click_cap"),
        ({"code": "autumn"}, "code"),
        ({"partner_id": "ptr_2"}, "partner_id"),
        ({"cap_reached": False}, "cap_reached"),
        ({"disabled": None}, "disabled"),
    ],
)
def test_a_wrong_change_is_named_and_not_made(
    api: Api, partner_id: str, changes: dict[str, Any], path: str
) -> None:
    made(api, partner_id)
    before = stored(api)

    reply = change(api, **changes)

    assert (422, [path]) == (reply.status, reply.paths)
    assert before == stored(api)


@pytest.mark.parametrize("changes", [{"precedence": "link"}, {"click_cap": -1}, {"click_cap": 0}])
def test_a_new_link_is_held_to_the_same(api: Api, partner_id: str, changes: dict[str, Any]) -> None:
    body = {"partner_id": partner_id, "program_id": "prg_demo", "destination": "https://x.example/"}

    reply = api.send("POST", "/links", {**body, **changes})

    assert (422, list(changes)) == (reply.status, reply.paths)


def test_a_disabled_link_is_checked_again_when_it_is_enabled(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    api.send("PATCH", "/programs/prg_demo", {"landing_hosts": ["shop.example.com"]})

    assert 200 == change(api, disabled=True).status
    assert ["destination"] == change(api, disabled=False).paths
    assert ["destination"] == change(api, destination="https://evil.example/").paths
    moved = change(api, disabled=False, destination="https://shop.example.com/")
    assert 200 == moved.status


def test_a_change_takes_the_programmes_settings_anew(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    settings = {
        "click_param": "gw",
        "fallback_url": "https://www.example.com/gone",
        "keeps_ad_ids": True,
        "privacy_signals": "gpc_and_dnt",
    }
    api.send("PATCH", "/programs/prg_demo", settings)

    change(api)

    assert ("gw", "https://www.example.com/gone", True, "gpc_and_dnt") == (
        stored(api).click_param,
        stored(api).fallback_url,
        stored(api).keeps_ad_ids,
        stored(api).privacy_signals,
    )


def test_a_link_that_is_too_large_to_be_read_cheaply_is_refused(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    fallback = "https://www.example.com/" + "x" * 1_500
    api.send("PATCH", "/programs/prg_demo", {"fallback_url": fallback})

    reply = change(api, destination="https://www.example.com/" + "x" * 1_500)

    assert (422, ["destination"]) == (reply.status, reply.paths)
    # Closing it works all the same.
    assert 200 == change(api, disabled=True).status


def test_an_unknown_link_is_not_found(api: Api, partner_id: str) -> None:
    for code in ("nobody", "v1", "a", "x" * 41, "a_b"):
        for method, body in (("GET", None), ("PATCH", {}), ("DELETE", None)):
            assert 404 == api.send(method, f"/links/{code}", body).status
        assert 404 == api.send("GET", f"/links/{code}/qr.svg").status


def test_a_change_that_loses_the_race_is_made_on_what_is_there(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    lost: list[int] = []

    def other(_request: object) -> None:
        if not lost:
            lost.append(1)
            assert 200 == change(api, asset="flyer").status

    api.store.before["transact_write_items"] = other
    reply = change(api, campaign="autumn")

    assert ("flyer", "autumn") == (reply.body["asset"], reply.body["campaign"])
    assert reply.body == api.send("GET", "/links/spring").body


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"asset": "flyer"}), ("DELETE", None)])
def test_who_always_loses_the_race_is_told(
    api: Api, partner_id: str, method: str, body: object
) -> None:
    made(api, partner_id)
    key = keys.link("spring")
    count = iter(range(2, 100))

    def other(request: dict[str, Any]) -> None:
        if "other" not in str(request):
            assign = {"version": next(count), "other": True}
            transact(api.store, [update(CORE, key, assign=assign)])

    api.store.before["transact_write_items"] = other
    reply = api.send(method, "/links/spring", body)

    assert (409, "stale_version") == (reply.status, reply.code)


def test_a_link_that_was_stored_before_links_could_be_changed_can_be(
    api: Api, partner_id: str
) -> None:
    made(api, partner_id, utm={"utm_source": "ada"})
    new = ("version", "own_utm", "click_cap", "cap_from", "cap_reached", "retired_at")
    transact(api.store, [update(CORE, keys.link("spring"), assign={}, remove=new)])

    assert 200 == change(api, asset="flyer").status
    assert 200 == change(api, asset="poster").status
    assert ("poster", {"utm_source": "ada"}) == (stored(api).asset, stored(api).utm)


# Retiring


def test_a_retired_link_leads_nowhere_and_is_listed_nowhere(api: Api, partner_id: str) -> None:
    code = made(api, partner_id)

    reply = api.send("DELETE", f"/links/{code}")

    assert (200, "2026-11-21T10:00:00.000Z") == (reply.status, reply.body["retired_at"])
    assert not stored(api).is_live(api.clock[0])
    for query in ("program_id=prg_demo", f"partner_id={partner_id}"):
        assert [] == api.send("GET", "/links", query=query).body["items"]
    assert reply.body == api.send("GET", f"/links/{code}").body


def test_retiring_again_changes_nothing(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    first = api.send("DELETE", "/links/spring").body
    api.clock[0] = api.clock[0].replace(hour=12)

    assert first == api.send("DELETE", "/links/spring").body


def test_a_retired_code_is_never_given_to_anybody_again(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    api.send("DELETE", "/links/spring")
    other = api.partner("Bob", "bob@partner.example")
    api.made("/enrolments", {"partner_id": other, "program_id": "prg_demo", "accept_terms": True})

    for holder in (partner_id, other):
        body = {
            "partner_id": holder,
            "program_id": "prg_demo",
            "destination": "https://www.example.com/",
            "code": "Spring",
        }
        reply = api.send("POST", "/links", body)
        assert (409, "code_taken") == (reply.status, reply.code)
    assert partner_id == stored(api).partner_id


@pytest.mark.parametrize("changes", [{"disabled": False}, {"campaign": "x"}, {}])
def test_a_retired_link_does_not_come_back(
    api: Api, partner_id: str, changes: dict[str, Any]
) -> None:
    made(api, partner_id)
    api.send("DELETE", "/links/spring")

    reply = change(api, **changes)

    assert (409, "link_retired") == (reply.status, reply.code)


def test_the_code_of_a_retired_link_introduces_nobody(api: Api, partner_id: str) -> None:
    from shared.domain.attribution import TYPED_CODE, Refusal, from_code  # noqa: PLC0415

    made(api, partner_id)
    api.send("DELETE", "/links/spring")

    judged = from_code(TYPED_CODE, stored(api), program_id="prg_demo", now=api.clock[0])

    assert Refusal(reason="link_disabled") == judged


# Caps


def tally(api: Api, clicks: int) -> None:
    """Counts clicks as the roll-up does."""
    caps = ClickCaps(client=api.store, core=CORE)
    before: CapTally = caps.tally(stored(api))
    link = stored(api)
    transact(
        api.store,
        [
            update(
                CORE,
                keys.cap_tally(
                    link.program_id, link.partner_id, link.code, before.since.isoformat()
                ),
                assign={"clicks": clicks, "marks": {}, "version": 1},
            )
        ],
    )
    if clicks >= link.click_cap:
        caps.close(link)


def test_a_link_at_its_cap_says_so_and_is_dead(api: Api, partner_id: str) -> None:
    made(api, partner_id, click_cap=10)
    assert stored(api).is_live(api.clock[0])

    tally(api, 10)

    assert api.send("GET", "/links/spring").body["cap_reached"]
    assert not stored(api).is_live(api.clock[0])


def test_a_cap_that_is_raised_opens_the_link_again(api: Api, partner_id: str) -> None:
    made(api, partner_id, click_cap=10)
    tally(api, 10)

    assert not change(api, click_cap=11).body["cap_reached"]
    assert stored(api).is_live(api.clock[0])


@pytest.mark.parametrize("cap", [11, None])
def test_a_link_is_open_under_its_new_cap_though_the_old_one_closes_it_meanwhile(
    api: Api, partner_id: str, cap: int | None
) -> None:
    made(api, partner_id, click_cap=10)
    closing = iter([10])

    def closed(_request: object) -> None:
        for clicks in closing:
            tally(api, clicks)

    api.store.before["transact_write_items"] = closed
    assert not change(api, click_cap=cap).body["cap_reached"]

    assert stored(api).is_live(api.clock[0])


def test_a_cap_that_is_not_raised_far_enough_does_not(api: Api, partner_id: str) -> None:
    made(api, partner_id, click_cap=10)
    tally(api, 12)

    assert change(api, click_cap=12).body["cap_reached"]


def test_a_cap_that_is_lowered_below_the_clicks_closes_at_once(api: Api, partner_id: str) -> None:
    made(api, partner_id, click_cap=10)
    tally(api, 7)

    assert change(api, click_cap=7).body["cap_reached"]


def test_a_cap_that_is_taken_away_and_set_anew_begins_at_zero(api: Api, partner_id: str) -> None:
    made(api, partner_id, click_cap=10)
    tally(api, 10)
    assert not change(api, click_cap=None).body["cap_reached"]
    api.clock[0] = api.clock[0].replace(hour=12)

    assert not change(api, click_cap=5).body["cap_reached"]
    assert api.clock[0] == stored(api).cap_from


# Templates


TEMPLATES = {
    "*": {"utm_source": "partner-{partner}", "utm_medium": "referral", "utm_id": "{code}"},
    "spring sale": {"utm_campaign": "{campaign} 26", "utm_medium": "mail"},
}


def templated(api: Api) -> None:
    reply = api.send("PATCH", "/programs/prg_demo", {"utm_templates": TEMPLATES})
    assert (200, TEMPLATES) == (reply.status, reply.body["utm_templates"])


def test_a_link_takes_its_campaigns_templates_and_its_own_values_go_first(
    api: Api, partner_id: str
) -> None:
    templated(api)

    code = made(api, partner_id, campaign="spring sale", utm={"utm_term": "{code}-{campaign}"})

    expected = {
        "utm_source": f"partner-{partner_id}",
        "utm_medium": "mail",
        "utm_id": code,
        "utm_campaign": "spring sale 26",
        "utm_term": f"{code}-spring sale",
    }
    shown = api.send("GET", f"/links/{code}").body
    assert expected == shown["utm"]
    assert {"utm_term": "{code}-{campaign}"} == shown["own_utm"]
    assert "utm_campaign=spring%20sale%2026" in location(stored(api, code), "")


def test_a_fresh_code_is_filled_in(api: Api, partner_id: str) -> None:
    templated(api)

    code = made(api, partner_id, code=None)

    assert code == stored(api, code).utm["utm_id"]


def test_another_campaign_brings_other_templates(api: Api, partner_id: str) -> None:
    templated(api)
    made(api, partner_id, campaign="spring sale", utm={"utm_id": ""})

    reply = change(api, campaign="autumn")

    assert {"utm_source": f"partner-{partner_id}", "utm_medium": "referral"} == reply.body["utm"]


def test_other_templates_reach_a_link_when_it_is_saved(api: Api, partner_id: str) -> None:
    made(api, partner_id)
    templated(api)
    assert {} == stored(api).utm

    assert "mail" not in change(api).body["utm"].values()
    assert "referral" == stored(api).utm["utm_medium"]


def test_a_value_that_comes_to_nothing_is_left_out(api: Api, partner_id: str) -> None:
    made(api, partner_id, utm={"utm_campaign": "{campaign}", "utm_term": ""})

    assert {} == stored(api).utm


@pytest.mark.parametrize(
    ("templates", "path"),
    [
        ({"*": {"source": "x"}}, "utm_templates.*.source"),
        ({"*": {"utm_source": "{email}"}}, "utm_templates.*.utm_source"),
        ({"*": {"utm_source": "{partner"}}, "utm_templates.*.utm_source"),
        ({"*": {"utm_source": "{{partner}}"}}, "utm_templates.*.utm_source"),
        ({"": {"utm_source": "x"}}, "utm_templates."),
        ({"*": {f"utm_{n}": "x" for n in range(11)}}, "utm_templates.*"),
        ({f"c{n}": {} for n in range(51)}, "utm_templates"),
        ({"*": "x"}, "utm_templates.*"),
    ],
)
def test_a_wrong_template_is_named(
    api: Api, partner_id: str, templates: dict[str, Any], path: str
) -> None:
    reply = api.send("PATCH", "/programs/prg_demo", {"utm_templates": templates})

    assert (422, [path]) == (reply.status, reply.paths)


@pytest.mark.parametrize(
    ("utm", "path"),
    [
        ({f"utm_x{n}": "1" for n in range(8)}, "utm"),
        ({"utm_term": "{partner}" * 11}, "utm.utm_term"),
    ],
)
def test_templates_and_own_values_are_bounded_together(
    api: Api, partner_id: str, utm: dict[str, str], path: str
) -> None:
    templated(api)
    body = {
        "partner_id": partner_id,
        "program_id": "prg_demo",
        "destination": "https://www.example.com/",
        "utm": utm,
    }

    reply = api.send("POST", "/links", body)

    assert (422, [path]) == (reply.status, reply.paths)
