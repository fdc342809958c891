"""Turns a programme's scenario into dated facts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import TYPE_CHECKING, Any

from programs.stories import STAGES
from shared.domain import facts as kinds
from shared.domain.facts import Fact
from shared.domain.leads import Lead
from shared.domain.partners import Acceptance, Address, Enrolment, Partner
from shared.domain.pinning import Pinned, pin, pin_partner
from shared.domain.terms_reader import parse_terms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from programs.stories import Model, Row, Step
    from shared.domain.terms import Terms

PROGRAM = "prg_1"
CURRENCY = "USD"
START = datetime(2026, 1, 5, 9, 0, tzinfo=UTC)
DAY = timedelta(days=1)
END_OF_DAY = timedelta(hours=14, minutes=59)


@dataclass(frozen=True, kw_only=True)
class Segment:
    """What is told between two ends of holds, and the day that ends it, if a hold does."""

    told: tuple[tuple[str, Fact], ...]
    until: datetime
    matures: bool


@dataclass(kw_only=True)
class Script:
    """The facts of a model's scenario, dated and in the order in which they are told."""

    model: Model
    terms: Terms = field(init=False)
    submissions: dict[str, tuple[Fact, ...]] = field(default_factory=dict)
    by_step: list[tuple[tuple[str, Fact], ...]] = field(default_factory=list)
    _labels: dict[tuple[str, str], str] = field(default_factory=dict)
    _minutes: count[int] = field(default_factory=lambda: count(1))

    def __post_init__(self) -> None:
        self.terms = parse_terms(dict(self.model.definition), currency=CURRENCY)
        waiting = dict(self.model.referrals)
        for step in self.model.steps:
            for name in [name for name, row in waiting.items() if row["day"] <= step.day]:
                self.submissions[name] = self._submission(name, waiting.pop(name))
            self.by_step.append(
                tuple((name, fact) for name in step.referrals for fact in self._facts(name, step))
            )
        assert not waiting, f"never submitted: {sorted(waiting)}"

    def segments(self) -> list[Segment]:
        """Return the facts between the ends of holds, submissions apart."""
        found: list[Segment] = []
        told: list[tuple[str, Fact]] = []
        for step, facts in zip(self.model.steps, self.by_step, strict=True):
            told += facts
            if step.matures:
                until = end_of(step.day)
                found.append(Segment(told=tuple(told), until=until, matures=True))
                told = []
        until = end_of(self.model.steps[-1].day)
        return [*found, Segment(told=tuple(told), until=until, matures=False)]

    # -- submissions --------------------------------------------------------------------------

    def _submission(self, name: str, row: Row) -> tuple[Fact, ...]:
        at = self._at(row["day"])
        pinned = self._pinned(row, at)
        data = {
            "version": 1,
            "shares": shares_of(row),
            "attributes": {
                **pinned.attributes,
                "existing_customer": row.get("existing_customer", False),
            },
            "overrides": dict(pinned.overrides),
            "partners": self._partners(row, at),
            "declared": row.get("declared", []),
            "partner_id": holder_id(label) if (label := row_partner(row)) else "",
            "link_code": row.get("link", ""),
        }
        return (
            self._fact(name, kinds.SUBMITTED, {}, occurred_at=at, received_at=at),
            self._fact(name, kinds.TERMS_PINNED, data, occurred_at=at, received_at=at),
        )

    def _pinned(self, row: Row, at: datetime) -> Pinned:
        employees = str(row.get("company_size", ""))
        lead = Lead(email="lead@example.com", country=row.get("country", ""), employees=employees)
        label = row_partner(row)
        if not label:
            return pin(self.terms, lead, partner=None, enrolment=None, now=at)
        partner, enrolment = self._partner(label, at), self._enrolment(label, at)
        code = row.get("link", "")
        return pin(self.terms, lead, partner=partner, enrolment=enrolment, link_code=code, now=at)

    def _partners(self, row: Row, at: datetime) -> dict[str, dict[str, Any]]:
        lead = Address(email_hmac=f"of {row_partner(row)}" if row.get("is_oneself") else "other")
        labels = {str(part["partner_id"]).removeprefix("ptr_") for part in shares_of(row)}
        return {
            holder_id(label): pin_partner(
                self._partner(label, at), self._enrolment(label, at), lead
            )
            for label in sorted(labels)
        }

    def _partner(self, label: str, at: datetime) -> Partner:
        who = self.model.partners[label]
        return Partner(
            partner_id=holder_id(label),
            kind=who["kind"],
            country=who.get("country", ""),
            categories=tuple(who.get("categories", ())),
            email_hmac=f"of {label}",
            created_at=at,
        )

    def _enrolment(self, label: str, at: datetime) -> Enrolment:
        who = self.model.partners[label]
        signed = Acceptance(version="1", at=at)
        return Enrolment(
            partner_id=holder_id(label),
            program_id=PROGRAM,
            terms_version=1,
            accepted_at=at,
            documents=dict.fromkeys(who.get("accepted", ()), signed),
            **{name: who[name] for name in ("tier", "group", "cause") if name in who},
        )

    # -- facts --------------------------------------------------------------------------------

    def _facts(self, name: str, step: Step) -> list[Fact]:
        told = []
        for short, row in step.facts():
            kind, data = self._said(name, short, row)
            rows = [(kind, part) for part in data] if isinstance(data, list) else [(kind, data)]
            for one_kind, one in rows:
                received_at = self._at(step.day)
                fact = self._fact(
                    name,
                    one_kind,
                    one,
                    occurred_at=received_at + (step.happened - step.day) * DAY,
                    received_at=received_at,
                )
                if short == "retract":
                    fact = replace(fact, retracts=self._labels[name, str(row["retract"])])
                told.append(fact)
        if step.label:
            self._labels[name, step.label] = told[0].fact_id
        return told

    def _said(  # noqa: C901, PLR0911, PLR0912 - one line for each short form
        self, name: str, short: str, row: Row
    ) -> tuple[str, Any]:
        value = row[short]
        named = {"actor": "ann", "reason": "known"}
        money = {"amount": row.get("amount"), "currency": row.get("currency", CURRENCY)}
        match short:
            case "review":
                return kinds.REVIEW_DECIDED, {"decision": value, "state": value, **named}
            case "stage":
                return kinds.STAGE_ENTERED, stage_data(name, value)
            case "amount":
                return kinds.AMOUNT_SET, money
            case "set":
                return kinds.FIELD_SET, [{"name": key, "value": of} for key, of in value.items()]
            case "milestone":
                return kinds.MILESTONE_REACHED, {"milestone": value, **named}
            case "invoice":
                amount = {"amount_net": row["amount_net"], "currency": money["currency"]}
                return kinds.INVOICE_PAID, {"invoice_id": value, **amount}
            case "renewal":
                return kinds.RENEWED, {"renewal_id": value}
            case "refund":
                return kinds.REFUNDED, {"refund_id": value, "of": row["of"], **money}
            case "chargeback":
                return kinds.CHARGED_BACK, {"chargeback_id": value, "of": row["of"], **money}
            case "chargeback_reversed":
                return kinds.CHARGEBACK_REVERSED, {"chargeback_id": value}
            case "grade":
                return kinds.REGRADED, {"grade": value, **named}
            case "rate":
                rate = {key: row[key] for key in ("percent", "fixed") if key in row}
                return kinds.RATE_SET, {"rule": value, **rate, **named, "approved_by": "bob"}
            case "shares":
                retroactive = bool(row.get("retroactive"))
                return kinds.SHARES_SET, {
                    "shares": shares_of(row),
                    "retroactive": retroactive,
                    **named,
                }
            case "categories":
                return kinds.CATEGORIES_DECLARED, {"categories": value, **named}
            case "hold":
                return kinds.HOLD_PLACED, {"hold_id": value, **named}
            case "release":
                return kinds.HOLD_RELEASED, {"hold_id": value, **named}
            case "deal":
                if value == "restored":
                    return kinds.DEAL_RESTORED, {}
                return kinds.DEAL_ENDED, {"how": value}
            case _:
                return kinds.FACT_RETRACTED, named

    def _fact(
        self,
        name: str,
        kind: str,
        data: Mapping[str, Any],
        *,
        occurred_at: datetime,
        received_at: datetime,
    ) -> Fact:
        return Fact(
            fact_id=kinds.fact_id(
                source="src_1",
                subject=referral_id(name),
                attribute=kind,
                value=repr(data),
                when=occurred_at.isoformat(),
            ),
            kind=kind,
            occurred_at=occurred_at,
            received_at=received_at,
            source="src_1",
            data=data,
        )

    def _at(self, day: int) -> datetime:
        return START + day * DAY + timedelta(minutes=next(self._minutes))


def end_of(day: int) -> datetime:
    """Return the last minute of a day of the story."""
    return START + day * DAY + END_OF_DAY


def referral_id(name: str) -> str:
    """Return the id of a scenario's referral."""
    return f"ref_{name}"


def holder_id(label: str, name: str = "") -> str:
    """Return the id of whom a scenario calls ``ann``, ``lead``, ``lead:acme``, ``cause:water``."""
    kind, _, rest = label.partition(":")
    if kind == "lead":
        return f"led_{rest or name}"
    return label if kind == "cause" else f"ptr_{label}"


def row_partner(row: Row) -> str:
    """Return the partner whose attributes are pinned: the introducer."""
    if "shares" in row:
        return str(row["shares"][0]["partner"])
    return str(row.get("partner", ""))


def shares_of(row: Row) -> list[dict[str, Any]]:
    """Return the shares as a fact holds them."""
    alone = {"partner": row.get("partner", ""), "role": "introducer", "percent": "100"}
    parts: list[dict[str, str]] = row.get("shares") or [part for part in [alone] if part["partner"]]
    return [
        {
            "partner_id": holder_id(part["partner"]),
            "role": part["role"],
            "basis_points": _basis_points(part["percent"]),
        }
        for part in parts
    ]


def _basis_points(percent: str) -> int:
    whole, _, part = percent.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0"))


def stage_data(name: str, stage: str) -> dict[str, Any]:
    """Return what a stage of the tests' map says."""
    rank, milestone, outcome = STAGES[stage]
    return {
        "source_id": "src_1",
        "deal_id": f"D-{name}",
        "pipeline": "",
        "stage": stage,
        "rank": rank,
        "milestone": milestone,
        "outcome": outcome,
        "ladder": {milestone: rank for rank, milestone, _ in STAGES.values() if milestone},
    }
