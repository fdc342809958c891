"""Two of everything that a key can tell apart, told through the public doors.

Two programmes, partners, sources, leads and deals that bear the same names where they may: a key
that lacks a part takes one of them for the other, and something ends otherwise.
"""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.harness.cloud import BOOKS, CORE
from tests.harness.explore import come_to_rest
from tests.harness.senders import form_event, manage_event, standard_event
from tests.harness.world import STAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.harness.cloud import Cloud

FIRST, SECOND = "prg_first", "prg_second"
_UNCOUNTED = {"REF", "KEYRING"}  # Their versions count tries.


def _rule(rule_id: str, milestone: str, value: object, **more: object) -> dict[str, object]:
    rule = {"id": rule_id, "beneficiary": "partner", "milestone": milestone, "kind": "cash"}
    return {**rule, "value": value, "hold_days": 5, **more}


def _cap(cap_id: str, scope: str, per: str, limit: str) -> dict[str, object]:
    return {"id": cap_id, "scope": scope, "per": per, "limit": limit}


TERMS: dict[str, Any] = {
    "name": "two of everything",
    "caps": [
        _cap("month", "partner", "month", "900.00"),
        _cap("ever", "partner", "lifetime", "1500.00"),
        _cap("life", "partner", "lifetime", "1450.00"),
        _cap("budget", "program", "month", "1600.00"),
        _cap("all", "program", "lifetime", "2600.00"),
        _cap("most", "program", "lifetime", "2550.00"),
    ],
    "rules": [
        _rule("commission", "won", {"percent": "10", "of": "deal_amount"}),
        _rule("thanks", "won", {"fixed": "60.00"}),
        _rule(
            "monthly",
            "won",
            {"percent": "5", "of": "invoice_net"},
            occurrence="every_invoice",
        ),
        _rule("pair", "won", {"fixed": "70.00"}, occurrence="every_nth", nth=1),
        _rule("more", "won", {"fixed": "30.00"}, occurrence="every_nth", nth=1),
        {
            "id": "welcome",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "discount",
            "value": {"percent": "20", "worth": "100.00"},
        },
        {
            "id": "gift",
            "beneficiary": "lead",
            "milestone": "won",
            "kind": "discount",
            "value": {"percent": "5", "worth": "10.00"},
        },
    ],
}


class Twins:
    """The people and systems of the story."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.told = 0
        self.codes: dict[tuple[str, str], str] = {}
        for program_id in (FIRST, SECOND):
            hosts = {"landing_hosts": ["www.example.com"], "currency": "USD"}
            cloud.made("/programs", {"id": program_id, "name": program_id, **hosts})
            cloud.made(f"/programs/{program_id}/terms", {**TERMS, "rules": TERMS["rules"][:1]})
            cloud.made(f"/programs/{program_id}/terms", TERMS)
        self.partners = {
            name: str(
                cloud.made(
                    "/partners",
                    {"name": name, "email": f"{name}@partner.example", "kind": "affiliate"},
                )["id"]
            )
            for name in ("Ada", "Grace")
        }
        for name, partner_id in self.partners.items():
            for program_id in (FIRST, SECOND):
                both = {"partner_id": partner_id, "program_id": program_id}
                cloud.made("/enrolments", {**both, "accept_terms": True})
                link = cloud.made("/links", {**both, "destination": "https://www.example.com/x"})
                self.codes[name, program_id] = str(link["code"])
        self.sources = [
            cloud.made("/sources", {"program_id": one, "kind": "standard", "name": "CRM"} | _MAP)
            for one in (FIRST, FIRST, SECOND)
        ]

    def comes(self, email: str, name: str, program_id: str) -> str:
        """A lead fills in a form behind a partner's link."""
        code = self.codes[name, program_id]
        event = form_event(program_id, {"email": email, "code": code})
        answer = self.cloud.invoke("submit_referral", event)
        assert answer["statusCode"] // 100 == 2, answer
        return str(json.loads(answer["body"])["referral_id"])

    def lead(self, email: str, name: str, program_id: str) -> str:
        """A lead comes and is accepted."""
        referral_id = self.comes(email, name, program_id)
        self.cloud.drain()
        review = {"decision": "accept", "reason": "known company"}
        self.cloud.made(f"/referrals/{referral_id}/review", review)
        return referral_id

    def tell(
        self,
        source: int,
        referral: Mapping[str, str],
        *deals: Mapping[str, Any],
        **more: Any,  # noqa: ANN401 - any object of the format
    ) -> None:
        """A source speaks of deals, at one moment, each in a message of its own."""
        self.cloud.later(hours=1)
        for number, deal in enumerate(deals):
            document: dict[str, object] = {
                "type": "deal.updated",
                "id": f"evt-{number}",
                "occurred_at": self.cloud.now.isoformat(),
                "deal": {"currency": "USD", **deal},
                **({"referral": dict(referral)} if referral else {}),
                **more,
            }
            self.told += 1
            self.send(source, document, f"m-{self.told}")

    def send(self, source: int, document: object, message_id: str) -> None:
        """A source sends a message."""
        event = standard_event(
            self.sources[source], document, message_id=message_id, now=self.cloud.now
        )
        answer = self.cloud.invoke("receive_webhook", event)
        assert answer["statusCode"] // 100 == 2, answer


_MAP = {"stage_map": STAGES}


def play_twins(cloud: Cloud) -> list[str]:
    """Tell the story; return what everybody holds in the end, and what is known of whom."""
    twins = Twins(cloud)
    ann = twins.lead("ann@lead.test", "Ada", FIRST)
    bob = twins.lead("bob@lead.test", "Ada", FIRST)
    twin = twins.lead("ann@lead.test", "Ada", SECOND)
    cid = twins.lead("cid@lead.test", "Grace", FIRST)
    for email in ("ann@lead.test", "cid@lead.test"):
        for name in ("Ada", "Grace"):
            twins.comes(email, name, FIRST)
    cloud.made(f"/referrals/{bob}/facts", shares_of(twins, retroactive=False))
    _deals(twins, ann, bob, twin, cid)
    cloud.drain()
    _early(twins)
    cloud.drain()
    _same_bytes(twins)
    _changes(twins, ann, bob)
    cloud.drain()
    _people(twins, ann, bob)
    cloud.drain()
    cloud.later(days=40)
    cloud.drain()
    _bill(twins, 0, ann, "3", "90.00")
    come_to_rest(cloud)
    return holdings(cloud)


def shares_of(twins: Twins, *, retroactive: bool) -> dict[str, Any]:
    """Two partners share what a referral gives."""
    halves = [
        {"partner_id": twins.partners["Ada"], "role": "introducer", "basis_points": 6000},
        {"partner_id": twins.partners["Grace"], "role": "co_referrer", "basis_points": 4000},
    ]
    data = {"shares": halves, "retroactive": retroactive}
    return {"kind": "shares_set", "reason": "both introduced them", "data": data}


def _bill(twins: Twins, source: int, referral_id: str, number: str, amount: str) -> None:
    invoice = {"id": f"I-{number}", "amount_net": amount, "currency": "USD"}
    more: dict[str, Any] = {"type": "invoice.paid", "invoice": invoice}
    twins.tell(source, {"id": referral_id}, {"id": "D-1"}, **more)


def _deals(twins: Twins, ann: str, bob: str, twin: str, cid: str) -> None:
    won = {"id": "D-1", "stage": "won", "amount": "1000.00"}
    twins.tell(0, {"id": ann}, won)
    twins.told -= 1  # Each source numbers its own messages, and its own deals.
    twins.tell(1, {"id": bob}, won)
    twins.told -= 1
    twins.tell(2, {"id": twin}, won)
    twins.tell(0, {"id": cid}, {"id": "D-2", "stage": "won", "amount": "700.00"})


def _early(twins: Twins) -> None:
    """Deals that are told of before anybody knows whose they are."""
    cloud = twins.cloud
    names = ("D-3", "D-4")
    for stage in ("qualified", "won"):
        for name in names:
            twins.tell(0, {}, {"id": name, "stage": stage, "amount": "50.00"})
            twins.tell(0, {"email": f"{name}e@lead.test"}, {"id": f"{name}e", "stage": stage})
    cloud.drain()
    for name in names:
        twins.comes(f"{name}e@lead.test", "Grace", FIRST)
        twins.tell(0, {"id": twins.lead(f"{name}@lead.test", "Grace", FIRST)}, {"id": name})
    # One who is known by the link alone.
    twins.comes("eve@lead.test", "Grace", SECOND)
    cloud.drain()
    code = twins.codes["Grace", SECOND]
    twins.tell(2, {"code": code}, {"id": "D-5", "stage": "qualified"})


def _same_bytes(twins: Twins) -> None:
    """The same text from two sources and in two messages, and two texts in one message."""
    one, two = (
        {
            "type": "deal.updated",
            "id": "evt-0",
            "occurred_at": twins.cloud.now.isoformat(),
            "deal": {"id": "D-0", "stage": stage},
        }
        for stage in ("qualified", "won")
    )
    for source, document, message_id in (
        (0, one, "same"),
        (1, one, "same"),
        (0, one, "other"),
        (0, two, "same"),
    ):
        twins.send(source, document, message_id)


def _changes(twins: Twins, ann: str, bob: str) -> None:
    known, deal = {"id": ann}, {"id": "D-1"}
    for amount in ("1100.00", "1000.00", "1100.00"):
        twins.tell(0, known, {**deal, "amount": amount})
    twins.tell(0, known, {**deal, "amount": "1200.00"}, {**deal, "amount": "1300.00"})
    twins.tell(0, known, {**deal, "amount": "1300.00"})
    twins.tell(0, known, {**deal, "fields": {"plan": "a", "region": "a"}})
    for number in ("1", "2"):
        _bill(twins, 0, ann, number, "80.00")
        _bill(twins, 1, bob, number, "80.00")
    refund = {"of": "deal", "amount": "40.00", "currency": "USD"}
    for number in ("1", "2"):
        more: dict[str, Any] = {"refund": {"id": f"R-{number}", **refund}}
        twins.tell(0, known, deal, type="refund.created", **more)


def _people(twins: Twins, ann: str, bob: str) -> None:
    cloud = twins.cloud
    fact = {"kind": "milestone_reached", "reason": "a call", "data": {"milestone": "qualified"}}
    wish = {"program_id": FIRST, "amount": "25.00", "reason": "a late answer"}
    for referral_id in (ann, bob):
        path = f"/referrals/{referral_id}"
        _twice(cloud, manage_event("POST", f"{path}/facts", fact, idempotency_key="a"))
        for _ in range(2):
            cloud.made(f"{path}/facts", shares_of(twins, retroactive=True))
        perks = cloud.manage("GET", f"/rewards?referral_id={referral_id}")["body"]["items"]
        for perk in perks:
            if perk["rule_id"] == "gift":
                body = {"referral_id": referral_id, "outcome": "fulfilled"}
                cloud.made(f"/rewards/{perk['id']}/fulfilment", body)
    for partner_id in twins.partners.values():
        for key in ("a", "b"):
            body = {**wish, "partner_id": partner_id}
            _twice(cloud, manage_event("POST", "/adjustments", body, idempotency_key=key))
        for status in ("suspended", "active"):
            cloud.later(hours=1)
            move = {"status": status, "reason": "a look at their site"}
            answer = cloud.manage("PATCH", f"/partners/{partner_id}", move)
            assert answer["statusCode"] == 200, answer


def _twice(cloud: Cloud, event: dict[str, Any]) -> None:
    first, again = (cloud.invoke("manage_program", event) for _ in range(2))
    assert first["statusCode"] == again["statusCode"]
    assert first["body"] == again["body"]


# -- what it came to -----------------------------------------------------------------------------


def holdings(cloud: Cloud) -> list[str]:
    """Return what everybody holds and what is known, by no key and no id that was minted."""
    tables = cloud.store.dump()
    told: Counter[str] = Counter()
    for row in tables[CORE]:
        told.update([_told(row)])
    told.update(
        f"{row['program_id']} {row['step']} {row['rule_id']}" for row in tables.get(BOOKS, ())
    )
    told.update(f"asked {json.loads(message.body)['detail-type']}" for message in cloud.dead)
    return sorted(f"{line} x{count}" for line, count in told.items() if line)


_TOLD = ("program_id", "rule_id", "role", "kind", "state", "benefit_state", "payable_minor", "used")
_COUNTED = ("status", "outcome", "sequence", "number")


def _told(row: Mapping[str, Any]) -> str:
    kinds = [row[name].partition("#")[0] for name in ("pk", "sk") if name in row]
    counted = () if kinds[0] in _UNCOUNTED else _COUNTED
    kept = {name: row[name] for name in (*_TOLD, *counted) if name in row}
    return " ".join([*kinds, json.dumps(kept, sort_keys=True, default=str)])
