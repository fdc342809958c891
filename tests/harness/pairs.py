"""Short stories of two that differ in one part of a key alone, and what is read of them later.

What ``twins`` leaves out: clicks and caps, rates, lists of customers, jobs, and what only two
runs at the same time come to, which is told to the adapters themselves.
"""

from __future__ import annotations

import json
import random
import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from shared.adapters.dynamodb.codec import to_wire
from shared.adapters.dynamodb.deliveries import Deliveries
from shared.adapters.dynamodb.keyrings import click_keyring
from shared.adapters.dynamodb.link_rows import click_row
from shared.adapters.dynamodb.partners import Partners
from shared.adapters.dynamodb.simulations import Jobs
from shared.domain import signatures
from shared.domain.click_tokens import ClickToken, issue
from shared.domain.deliveries import LEAD, PARKED, Awaited, Delivery, received_event
from shared.domain.jobs import SIMULATION, Chunk, Job
from shared.domain.partners import Move
from shared.usecases import apply_delivery
from tests.builders.activity import a_click
from tests.harness.cloud import CLICKS, CORE, START, VAULT
from tests.harness.scenes_intake import batch_of
from tests.harness.scenes_jobs import SPAN
from tests.harness.senders import form_event
from tests.harness.twins import FIRST, SECOND, TERMS, Twins, shares_of
from tests.harness.world import PROGRAM, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.domain.clicks import Click
    from shared.domain.events import Event
    from tests.harness.cloud import Cloud

Told = list[str]
_DERIVED = re.compile(r"\b(fct|rwd|dlv)_[0-9a-z]{26}\b")
_LARGE = 400_000
"""Bytes that no packing makes so small that one row holds them."""


def _read(cloud: Cloud, *paths: str) -> Told:
    """Read what the management API answers, but for ids that follow from what they stand for."""
    answers = [cloud.manage("GET", path) for path in paths]
    assert all(answer["statusCode"] == 200 for answer in answers)
    return [json.dumps(_without_ids(answer["body"]), sort_keys=True) for answer in answers]


def _without_ids(value: Any) -> Any:  # noqa: ANN401 - any part of an answer
    if isinstance(value, dict):
        return {name: _without_ids(inner) for name, inner in value.items()}
    if isinstance(value, list):
        # Their order may follow from ids, too.
        return sorted(map(_without_ids, value), key=lambda kept: json.dumps(kept, sort_keys=True))
    return _DERIVED.sub(r"\1", value) if isinstance(value, str) else value


def _changed(cloud: Cloud, path: str, body: object) -> None:
    answer = cloud.manage("PATCH", path, body)
    assert answer["statusCode"] // 100 == 2, answer


# -- clicks --------------------------------------------------------------------------------------


def _clicks(cloud: Cloud) -> Told:
    """Clicks on links of two partners in two programmes; the stream lost some of them."""
    twins = Twins(cloud)
    cloud.later(minutes=1)
    links = [("Ada", FIRST), ("Ada", SECOND), ("Grace", FIRST), ("Grace", FIRST)]
    clicks = [_click(twins, number, *link) for number, link in enumerate(links)]
    for click in clicks:
        cloud.store.put_item(TableName=CLICKS, Item=to_wire(click_row(click)))
    cloud.invoke("roll_up_activity", batch_of(clicks[:3], "shardId-1"))
    cloud.now = START + timedelta(days=2)
    day = START.date().isoformat()
    cloud.invoke("roll_up_activity", {"recount": {"program_id": FIRST, "day": day}})
    own = [f"&partner_id={partner_id}" for partner_id in twins.partners.values()]
    figures = [f"program_id={each}{whose}" for each in (FIRST, SECOND) for whose in ("", *own)]
    return _read(cloud, *(f"/metrics?from={day}&to={day}&{each}" for each in figures))


def _click(twins: Twins, number: int, name: str, program_id: str, code: str = "") -> Click:
    whose = {"partner_id": twins.partners[name], "program_id": program_id}
    code = code or twins.codes[name, program_id]
    return a_click(number, clicked_at=twins.cloud.now, code=code, **whose)


def _caps(cloud: Cloud) -> Told:
    """Two links of a partner with a cap each, which is taken away and set again."""
    twins = Twins(cloud)
    target = {"destination": "https://www.example.com/y"}
    both = {"partner_id": twins.partners["Ada"], "program_id": FIRST}
    codes = [twins.codes["Ada", FIRST], str(cloud.made("/links", {**both, **target})["code"])]
    told: Told = []
    for caps in ((2,), (None, 2)):
        for code in codes:
            for cap in caps:
                _changed(cloud, f"/links/{code}", {"click_cap": cap})
        cloud.later(minutes=1)
        clicks = [
            _click(twins, len(told) + place, "Ada", FIRST, code) for place, code in enumerate(codes)
        ]
        cloud.invoke("roll_up_activity", batch_of(clicks, f"shardId-{len(told)}"))
        told += _read(cloud, *(f"/links/{code}" for code in codes))
    return told


def _leads(cloud: Cloud) -> Told:
    """Leads by a click or a link each, and a source that names them by these alone."""
    twins = Twins(cloud)
    cloud.later(minutes=1)
    told: list[tuple[dict[str, str], str]] = []
    for number in range(2):
        token = _token(twins, number)
        fields = {"email": f"lead{number}@lead.test", "click_id": token}
        answer = cloud.invoke("submit_referral", form_event(FIRST, fields))
        told.append(({"click_id": token}, json.loads(answer["body"])["referral_id"]))
    for number, (known, _) in enumerate(told):
        twins.tell(0, known, {"id": f"D-{number}", "stage": "qualified"})
    cloud.drain()
    for name in twins.partners:
        known = {"code": twins.codes[name, FIRST]}
        told.append((known, twins.comes(f"{name}@lead.test", name, FIRST)))
    for number, (known, _) in enumerate(told):
        twins.tell(0, known, {"id": f"D-{number}", "stage": "won"})
    cloud.drain()
    shown = [cloud.manage("GET", f"/referrals/{referral_id}")["body"] for _, referral_id in told]
    return [json.dumps(each["deal"]) for each in shown]


def _token(twins: Twins, number: int) -> str:
    token = ClickToken(
        click_id=f"clk_{number:026d}",
        code=twins.codes["Ada", FIRST],
        partner_id=twins.partners["Ada"],
        program_id=FIRST,
        clicked_at=twins.cloud.now,
    )
    return issue(token, click_keyring(twins.cloud.store, CORE))


# -- rates and customers -------------------------------------------------------------------------


def _rates(cloud: Cloud) -> Told:
    """Deals in currencies that have no rate until two programmes add theirs."""
    twins = Twins(cloud)
    leads = [("ann", "Ada", FIRST), ("bob", "Ada", FIRST), ("cid", "Grace", SECOND)]
    found = [twins.lead(f"{name}@lead.test", *where) for name, *where in leads]
    on = cloud.now.date().isoformat()
    for source, referral_id in zip((0, 0, 2), found, strict=True):
        deal = {"id": f"D-{referral_id}", "stage": "won", "amount": "500.00", "currency": "EUR"}
        twins.tell(source, {"id": referral_id}, deal)
        invoice = {"id": "I-1", "amount_net": "100.00", "currency": "CHF"}
        twins.tell(source, {"id": referral_id}, deal, type="invoice.paid", invoice=invoice)
    cloud.drain()
    told = []
    rates = [(FIRST, "EUR", "1.5"), (SECOND, "EUR", "2"), (FIRST, "CHF", "3"), (SECOND, "CHF", "4")]
    for program_id, currency, rate in rates:
        wanted = {"from": currency, "to": "USD", "rate": rate, "on": on}
        cloud.made(f"/programs/{program_id}/fx-rates", wanted)
        cloud.drain()
        told += _read(cloud, *(f"/rewards?referral_id={referral_id}" for referral_id in found))
    return told


def _customers(cloud: Cloud) -> Told:
    """Two programmes that each list a customer who comes to both."""
    twins = Twins(cloud)
    programs = (FIRST, SECOND)
    emails = ("ann@lead.test", "bob@lead.test")
    for program_id, email in zip(programs, emails, strict=True):
        cloud.made(f"/programs/{program_id}/customers", {"customers": [{"email": email}]})
    found = [twins.comes(email, "Ada", each) for each in programs for email in emails]
    return _read(cloud, *(f"/referrals/{referral_id}" for referral_id in found))


# -- deliveries ----------------------------------------------------------------------------------


def _statements(cloud: Cloud) -> Told:
    """The same is said at the same moment by two sources, and of a deal and of none."""
    twins = Twins(cloud)
    known = {"id": twins.lead("ann@lead.test", "Ada", FIRST)}
    at = {"type": "meeting.held", "id": "evt-0", "occurred_at": cloud.now.isoformat()}
    said: list[tuple[int, dict[str, Any]]] = [(0, {}), (1, {}), (0, {"deal": {"id": "D-1"}})]
    for number, (source, about) in enumerate(said):
        twins.send(source, {**at, "referral": known, **about}, f"m-{number}")
    cloud.drain()
    return _read(cloud, f"/referrals/{known['id']}")


def _proposals(cloud: Cloud) -> Told:
    """Somebody asks for the like of two referrals, and a second person has yet to agree."""
    twins = Twins(cloud)
    found = [twins.lead(email, "Ada", FIRST) for email in ("ann@lead.test", "bob@lead.test")]
    for referral_id in found:
        cloud.made(f"/referrals/{referral_id}/facts", shares_of(twins, retroactive=True))
    return _read(cloud, *(f"/referrals/{referral_id}/proposals" for referral_id in found))


def _parked_beside(cloud: Cloud) -> Told:
    """Another source's deal of the same name waits as well, for more than one run can look at."""
    twins = Twins(cloud)
    referral_id = twins.lead("ann@lead.test", "Ada", FIRST)
    deal = {"id": "D-1", "stage": "qualified"}
    twins.tell(1, {"email": "nobody@lead.test"}, deal, deal)
    twins.tell(0, {}, deal)
    cloud.drain()
    twins.tell(0, {"id": referral_id}, {"id": "D-1"})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(apply_delivery, "MAX_AT_ONCE", 2)
        cloud.drain()
    return _read(cloud, f"/referrals/{referral_id}", f"/deliveries?program_id={FIRST}")


def _large_delivery(cloud: Cloud) -> Told:
    """A delivery in several rows, of which two deals wait for one lead."""
    store = Deliveries(client=cloud.store, core=CORE, vault=VAULT)
    body = random.Random(0).randbytes(_LARGE)  # noqa: S311 - any bytes do
    delivery = Delivery(
        delivery_id="dlv_large",
        source_id="src_1",
        program_id=FIRST,
        kind=signatures.HUBSPOT,
        message_id="",
        received_at=cloud.now,
        size=len(body),
        digest="",
    )
    store.add_delivery(delivery, body, _event(cloud, delivery.delivery_id), now=cloud.now)
    lead = Awaited(kind=LEAD, value="somebody")
    waiting = {"D-1": True, "D-2": True}
    store.settle(
        delivery,
        replace(delivery, state=PARKED),
        unbound=waiting,
        bound=(),
        awaited=dict.fromkeys(waiting, (lead,)),
        has_body=True,
    )
    found = store.body(delivery)
    return [str(found == body), *(each.deal_id for each in store.awaiting(lead, FIRST))]


def _event(cloud: Cloud, about: str) -> Event:
    return received_event(
        about,
        event_id="evt_1",
        source_id="src_1",
        program_id=FIRST,
        now=cloud.now,
        hops=0,
        correlation_id="req_1",
    )


# -- jobs ----------------------------------------------------------------------------------------


def _simulations(cloud: Cloud) -> Told:
    """Two drafts are simulated, and two programmes move to other terms and pay the same bonuses."""
    twins = Twins(cloud)
    programs = {FIRST: 0, SECOND: 2}
    for program_id, source in programs.items():
        for number in range(3):
            known = {"id": twins.lead(f"lead{number}@lead.test", "Ada", program_id)}
            deal = {"id": f"D-{number}", "stage": "won", "amount": f"{number + 1}000.00"}
            twins.tell(source, known, deal)
        cloud.made(f"/programs/{program_id}/terms", {**TERMS, "rules": TERMS["rules"][:2]})
    cloud.drain()
    jobs = []
    for rules in (TERMS["rules"][:1], TERMS["rules"][1:2]):
        draft = {"name": "a draft", "rules": rules}
        wanted: dict[str, object] = {"definition": draft, **SPAN}
        jobs.append((f"/programs/{FIRST}/simulations", wanted))
    move: dict[str, object] = {
        "to_version": 3,
        "referrals": "all",
        "preview": True,
        "no_decrease": False,
    }
    jobs += [(f"/programs/{program_id}/migrations", move) for program_id in programs]
    paths = [f"{path}/{cloud.made(path, wanted)['id']}" for path, wanted in jobs]
    cloud.drain()
    given = cloud.manage("GET", f"/rewards?partner_id={twins.partners['Ada']}")["body"]["items"]
    told = _read(cloud, *paths, *(f"{path}/partners" for path in paths[:2]))
    return [*told, str(len({each["id"] for each in given}))]


def _pages(cloud: Cloud) -> Told:
    """Two runs that each report as if they alone had merged the job, and two pages of each."""
    store = Jobs(client=cloud.store, core=CORE)
    jobs = [replace(_job(cloud), merged_by=run) for run in ("run_1", "run_2")]
    pages = [(job, number) for job in jobs for number in range(2)]
    for job, number in pages:
        store.save_page(job, number, f"{job.merged_by} {number}")
    return [store.page(job, number) for job, number in pages]


def _job(cloud: Cloud) -> Job:
    return Job(
        job_id="sim_1",
        program_id=FIRST,
        kind=SIMULATION,
        settings={},
        requested_by="ann",
        requested_at=cloud.now,
        updated_at=cloud.now,
        mark="req_1",
    )


def _results(cloud: Cloud) -> Told:
    """One run works on two chunks, and what it makes of each fills several rows."""
    store = Jobs(client=cloud.store, core=CORE)
    chance = random.Random(0)  # noqa: S311 - any text that can't be packed does
    job, chunks = _job(cloud), [Chunk(number=n, referral_ids=(), run_id="") for n in range(2)]
    store.add_job(job, _event(cloud, job.job_id))
    versions = [replace(job, version=number + 1) for number in range(4)]
    moves = pairwise(versions)
    store.plan(*next(moves), chunks, ())
    texts = [chance.randbytes(_LARGE).hex() for _ in chunks]
    for chunk, text in zip(chunks, texts, strict=True):
        worked = replace(chunk, run_id=f"run_{chunk.number}")
        store.save_result(job.job_id, worked, text, now=cloud.now)
        store.finish_chunk(*next(moves), worked, None, ())
    return [str(found in texts) for found in store.results(job)]


# -- partners ------------------------------------------------------------------------------------


def _moves(cloud: Cloud) -> Told:
    """A request that died was tried again after another one, and so moved a partner later."""
    twins = Twins(cloud)
    store = Partners(client=cloud.store, core=CORE, vault=VAULT)
    for partner_id in twins.partners.values():
        for mark, status in (("req_2", "suspended"), ("req_1", "active")):
            cloud.later(minutes=1)
            before = store.partner(partner_id)
            assert before
            move = Move(before=before.status, after=status, actor="ann", reason="so", at=cloud.now)
            store.save_partner(
                replace(before, status=status),
                before=before,
                changed=("status",),
                person={},
                move=move,
                mark=mark,
            )
    shown = [cloud.manage("GET", f"/partners/{each}")["body"] for each in twins.partners.values()]
    return [json.dumps(each["moves"]) for each in shown]


_CAPPED = {
    "name": "less than two bonuses",
    "caps": [{"id": "ever", "scope": "partner", "per": "lifetime", "limit": "50.00"}],
    "rules": [rule for rule in TERMS["rules"] if rule["id"] == "pair"],
}


def _bonuses(cloud: Cloud) -> Told:
    """A cap cuts a partner's first bonus and leaves nothing of the second."""
    world = World(cloud, _CAPPED)
    for number in range(2):
        world.won(number)
    return _read(cloud, f"/partners/{world.partner_id}/programs/{PROGRAM}/explanation")


PAIRS: dict[str, Callable[[Cloud], Told]] = {
    "two of clicks": _clicks,
    "two of caps": _caps,
    "two of leads": _leads,
    "two of rates": _rates,
    "two of customers": _customers,
    "two of statements": _statements,
    "two of proposals": _proposals,
    "two of parked deals": _parked_beside,
    "two of parts of a delivery": _large_delivery,
    "two of jobs": _simulations,
    "two of pages": _pages,
    "two of results": _results,
    "two of moves": _moves,
    "two of bonuses": _bonuses,
}
