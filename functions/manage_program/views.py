"""What resources look like from outside. Money is decimal strings, times are UTC with Z."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from shared.domain import facts as kinds
from shared.domain.access import ApiKey
from shared.domain.adjustments import WAITING, Adjustment
from shared.domain.books import Book, Movement
from shared.domain.facts import Fact
from shared.domain.links import Link
from shared.domain.money import money_json
from shared.domain.partners import Enrolment, Move, Partner
from shared.domain.programs import Program, PublishedTerms
from shared.domain.referrals import Referral
from shared.domain.rewards import Reward
from shared.domain.sources import Source
from shared.domain.verdicts import TraceLine
from shared.usecases.show_history import AmountChange, BenefitChange, Cause, Change

Json = dict[str, Any]


def time_of(value: datetime | None) -> str | None:
    """Write a time as RFC 3339 in UTC."""
    if value is None:
        return None
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def program(found: Program) -> Json:
    """Show a programme."""
    return {
        "id": found.program_id,
        "name": found.name,
        "currency": found.currency,
        "time_zone": found.time_zone,
        "status": found.status,
        "enrolment": found.enrolment,
        "landing_hosts": list(found.landing_hosts),
        "allowed_origins": list(found.allowed_origins),
        "thank_you_url": found.thank_you_url,
        "fallback_url": found.fallback_url,
        "click_param": found.click_param,
        "utm_templates": {name: dict(utm) for name, utm in found.utm_templates.items()},
        "keeps_ad_ids": found.keeps_ad_ids,
        "privacy_signals": found.privacy_signals,
        "publish_rewards": found.publish_rewards,
        "adjustment_limit": found.adjustment_limit,
        "terms_version": found.terms_version,
        "created_at": time_of(found.created_at),
    }


def terms(found: PublishedTerms, *, whole: bool) -> Json:
    """Show a version of the terms; the definition only if ``whole``."""
    shown: Json = {
        "program_id": found.program_id,
        "version": found.version,
        "effective_from": time_of(found.effective_from),
        "published_by": found.published_by,
    }
    return {**shown, "definition": found.definition} if whole else shown


def partner(found: Partner) -> Json:
    """Show a partner without the person behind it."""
    return {
        "id": found.partner_id,
        "kind": found.kind,
        "status": found.status,
        "country": found.country,
        "categories": list(found.categories),
        "created_at": time_of(found.created_at),
    }


def move(found: Move) -> Json:
    """Show a change of a partner's status."""
    return {
        "before": found.before,
        "after": found.after,
        "actor": found.actor,
        "reason": found.reason,
        "at": time_of(found.at),
    }


def enrolment(found: Enrolment) -> Json:
    """Show an enrolment."""
    return {
        "partner_id": found.partner_id,
        "program_id": found.program_id,
        "terms_version": found.terms_version,
        "accepted_at": time_of(found.accepted_at),
        "bonuses_judged_by": found.judged_version or found.terms_version,
        "tier": found.tier,
        "group": found.group,
        "cause": found.cause,
        "documents": {
            name: {"version": accepted.version, "accepted_at": time_of(accepted.at)}
            for name, accepted in sorted(found.documents.items())
        },
    }


def link(found: Link, short_url: str) -> Json:
    """Show a link with the address to hand out."""
    return {
        "code": found.code,
        "short_url": f"{short_url}/{found.code}",
        "program_id": found.program_id,
        "partner_id": found.partner_id,
        "destination": found.destination,
        "utm": dict(found.utm),
        "own_utm": dict(found.own_utm),
        "campaign": found.campaign,
        "asset": found.asset,
        "precedence": found.precedence,
        "add_via": found.add_via,
        "expires_at": time_of(found.expires_at),
        "disabled": found.disabled,
        "click_cap": found.click_cap or None,
        "cap_reached": found.cap_reached,
        "created_at": time_of(found.created_at),
        "retired_at": time_of(found.retired_at),
    }


def source(found: Source, api_url: str) -> Json:
    """Show a source without its secret."""
    return {
        "id": found.source_id,
        "url": f"{api_url}/v1/webhooks/{found.source_id}",
        "program_id": found.program_id,
        "kind": found.kind,
        "name": found.name,
        "default_currency": found.default_currency,
        "amount_is": found.amount_is,
        "stage_map": found.stage_map.rows(),
        "created_at": time_of(found.created_at),
    }


def api_key(found: ApiKey) -> Json:
    """Show a key without its secret."""
    return {
        "id": found.key_id,
        "principal": found.principal,
        "scopes": list(found.scopes),
        "created_at": time_of(found.created_at),
        "revoked_at": time_of(found.revoked_at),
    }


def referral(found: Referral) -> Json:
    """Show the head of a referral."""
    return {
        "referral_id": found.referral_id,
        "program_id": found.program_id,
        "partner_id": found.partner_id,
        "review": found.review,
        "deal": deal(found.deal),
        "terms_version": found.terms_version,
        "link_code": found.link_code,
        "attribution": found.attribution,
        "flags": list(found.flags),
        "merged_into": found.merged_into or None,
        "taken_over_by": found.taken_over_by or None,
        "submitted_at": time_of(found.submitted_at),
    }


def deal(mirror: Mapping[str, Any]) -> Json | None:
    """Show what the CRM last said, or None before it said anything."""
    if not mirror:
        return None
    amount, currency = mirror.get("amount"), mirror.get("currency")
    return {
        "source_id": mirror.get("source_id", ""),
        "deal_id": mirror.get("deal_id", ""),
        "stage": mirror.get("stage", ""),
        "outcome": mirror.get("outcome", ""),
        "amount": {"amount": str(amount), "currency": currency or ""} if amount else None,
    }


def axes(found: Referral, rewards: tuple[Reward, ...]) -> Json:
    """Show the four axes apart: they never become one status."""
    states = sorted({reward.state for reward in rewards})
    paid_out = [reward for reward in rewards if reward.clearing_minor or reward.paid_minor]
    return {
        "review": found.review,
        "deal": (found.deal or {}).get("outcome") or None,
        "reward": states,
        "payout": sorted({"settled" if reward.paid_minor else "approved" for reward in paid_out}),
    }


def fact(found: Fact) -> Json:
    """Show a fact with where it came from."""
    return {
        "fact_id": found.fact_id,
        "kind": found.kind,
        "source": found.source,
        "occurred_at": time_of(found.occurred_at),
        "received_at": time_of(found.received_at),
        "approximate": found.approximate,
        "retracts": found.retracts,
        "data": dict(found.data),
    }


def shares(facts: tuple[Fact, ...]) -> list[Any]:
    """Show who gets which part, as pinned; ``facts`` are in order."""
    pinned = kinds.latest(facts, kinds.TERMS_PINNED)
    return list(pinned.data.get("shares", ())) if pinned else []


def reward(found: Reward) -> Json:
    """Show a reward: its net amount, the parts by stage, when it is released and what holds it."""
    has_value = not found.benefit_state
    parts = {
        "pending": found.pending_minor,
        "payable": found.payable_minor,
        "in_payout": found.clearing_minor,
        "paid": found.paid_minor,
        "reversed": found.reversed_minor,
        "clawed_back": found.clawed_back_minor,
    }
    return {
        "id": found.reward_id,
        "referral_id": found.referral_id,
        "program_id": found.program_id,
        "rule_id": found.rule_id,
        "occurrence": found.occurrence,
        "beneficiary": found.role,
        "holder_id": found.holder_id,
        "kind": found.kind,
        "state": found.state,
        "amount": money_json(found.net_minor, found.currency) if has_value else None,
        "amounts": {name: money_json(minor, found.currency) for name, minor in parts.items()}
        if has_value
        else None,
        "benefit": dict(found.benefit) or None,
        "held": found.held or None,
        "release_at": time_of(found.release_at),
        "terms_version": found.terms_version,
        "effective_at": time_of(found.effective_at),
    }


def movement(found: Movement) -> Json:
    """Show a row of the books."""
    return {
        "id": found.movement_id,
        "holder_id": found.holder_id,
        "beneficiary": found.role,
        "program_id": found.program_id,
        "referral_id": found.referral_id,
        "reward_id": found.reward_id,
        "rule_id": found.rule_id,
        "occurrence": found.occurrence,
        "sequence": found.sequence,
        "step": found.step,
        "debit": found.debit,
        "credit": found.credit,
        "kind": found.kind,
        "amount": money_json(found.amount_minor, found.currency),
        "cause": list(found.cause),
        "terms_version": found.terms_version,
        "posted_at": time_of(found.posted_at),
        "effective_at": time_of(found.effective_at),
        "seq": found.seq,
        "prev_hash": found.prev_hash,
        "hash": found.hash,
    }


def trace_line(found: TraceLine, text: str) -> Json:
    """Show why a rule paid or did not, in its own words too."""
    return {
        "rule_id": found.rule_id,
        "occurrence": found.occurrence,
        "outcome": found.outcome,
        "code": found.code,
        "text": text,
        "figures": dict(found.figures),
        "release_at": time_of(found.release_at),
        "level": found.level,
    }


def adjustment(found: Adjustment) -> Json:
    """Show what a person gave a partner beside all rules."""
    return {
        "id": found.adjustment_id,
        "partner_id": found.partner_id,
        "program_id": found.program_id,
        "amount": money_json(found.amount_minor, found.currency),
        "reason": found.reason,
        "reference": found.reference,
        "state": found.state,
        "second_person_required": found.state == WAITING,
        "requested_by": found.requested_by,
        "requested_at": time_of(found.requested_at),
        "expires_at": time_of(found.expires_at),
        "approved_by": found.approved_by or None,
        "approved_at": time_of(found.approved_at),
        "posted_at": time_of(found.posted_at),
    }


def change(found: Change, causes: tuple[Cause, ...]) -> Json:
    """Show a change of a reward's amount, or of a benefit, and what caused it."""
    shown = _amount_change(found) if isinstance(found, AmountChange) else _benefit_change(found)
    facts = [{"referral_id": each.referral_id, **fact(each.fact)} for each in causes if each.fact]
    given = [adjustment(each.adjustment) for each in causes if each.adjustment]
    codes = [each.code for each in causes if each.code]
    return {**shown, "facts": facts, "adjustment": given[0] if given else None, "codes": codes}


def _amount_change(found: AmountChange) -> Json:
    row = found.movement
    return {
        "reward_id": row.reward_id,
        "rule_id": row.rule_id,
        "occurrence": row.occurrence,
        "beneficiary": row.role,
        "holder_id": row.holder_id,
        "step": row.step,
        "before": money_json(found.before_minor, row.currency),
        "after": money_json(found.after_minor, row.currency),
        "change": money_json(found.after_minor - found.before_minor, row.currency),
        "benefit": None,
        "actor": None,
        "reason": None,
        "reference": None,
        "movement_id": row.movement_id,
        "posted_at": time_of(row.posted_at),
        "effective_at": time_of(row.effective_at),
    }


def _benefit_change(found: BenefitChange) -> Json:
    reward, told = found.reward, found.report
    return {
        "reward_id": reward.reward_id,
        "rule_id": reward.rule_id,
        "occurrence": reward.occurrence,
        "beneficiary": reward.role,
        "holder_id": reward.holder_id,
        "step": told.outcome,
        "before": None,
        "after": None,
        "change": None,
        "benefit": dict(reward.benefit),
        "actor": told.actor or None,
        "reason": told.reason or None,
        "reference": told.reference or None,
        "movement_id": None,
        "posted_at": time_of(told.at),
        "effective_at": time_of(told.at),
    }


def balances(book: Book) -> list[Json]:
    """Show a book: one entry for each kind and currency."""
    groups = sorted({tuple(name.split("|")[1:]) for name in book.balances})
    stages = (
        ("pending", "pending"),
        ("payable", "payable"),
        ("in_payout", "clearing"),
        ("paid", "paid"),
    )
    return [
        {
            "partner_id": book.holder_id,
            "program_id": book.program_id,
            "kind": kind,
            "currency": currency,
            **{
                shown: money_json(book.balance(stage, kind, currency), currency)
                for shown, stage in stages
            },
        }
        for kind, currency in groups
    ]
