"""Rows of the referral aggregate: the head, its facts, rewards and trace."""

from collections.abc import Callable
from datetime import datetime
from typing import Final

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.codec import Item
from shared.domain import facts
from shared.domain.errors import NewerFactError
from shared.domain.facts import Fact
from shared.domain.referrals import Referral

UPCASTERS: Final[dict[tuple[str, int], Callable[[Item], Item]]] = {}
"""Kind and version -> what brings a stored fact to the next version. The rows stay as they are."""


def referral_row(referral: Referral) -> Item:
    """Return the head row with its list entries."""
    row: Item = {
        "referral_id": referral.referral_id,
        "program_id": referral.program_id,
        "lead_id": referral.lead_id,
        "partner_id": referral.partner_id,
        "terms_version": referral.terms_version,
        "submitted_at": referral.submitted_at.isoformat(),
        "review": referral.review,
        "link_code": referral.link_code,
        "click_id": referral.click_id,
        "touch_at": referral.touch_at.isoformat() if referral.touch_at else None,
        "attribution": referral.attribution,
        "flags": list(referral.flags),
        "source_id": referral.source_id,
        "deal_id": referral.deal_id,
        "deal": dict(referral.deal),
        "counting": dict(referral.counting),
        "merged_into": referral.merged_into,
        "taken_over_by": referral.taken_over_by,
        "version": referral.version,
        **keys.in_list(
            "REF", referral.program_id, referral.referral_id, spread_by=referral.referral_id
        ),
    }
    if referral.partner_id:
        row |= keys.of_partner("REF", referral.partner_id, referral.referral_id)
    return row


def referral_from(row: Item) -> Referral:
    """Return the head of the aggregate from its row."""
    touch_at = row.get("touch_at")
    return Referral(
        referral_id=row["referral_id"],
        program_id=row["program_id"],
        lead_id=row["lead_id"],
        partner_id=row.get("partner_id"),
        terms_version=row["terms_version"],
        submitted_at=datetime.fromisoformat(row["submitted_at"]),
        review=row["review"],
        link_code=row["link_code"],
        click_id=row["click_id"],
        touch_at=datetime.fromisoformat(touch_at) if touch_at else None,
        attribution=row["attribution"],
        flags=tuple(row["flags"]),
        source_id=row["source_id"],
        deal_id=row["deal_id"],
        deal=row["deal"],
        counting=row["counting"],
        # Referrals stored before there was such a thing have neither.
        merged_into=row.get("merged_into", ""),
        taken_over_by=row.get("taken_over_by", ""),
        version=row["version"],
    )


def fact_row(fact: Fact) -> Item:
    """Return the row of one fact."""
    return {
        "fact_id": fact.fact_id,
        "kind": fact.kind,
        "occurred_at": fact.occurred_at.isoformat(),
        "received_at": fact.received_at.isoformat(),
        "source": fact.source,
        "data": dict(fact.data),
        "approximate": fact.approximate,
        "retracts": fact.retracts,
        "schema_version": fact.schema_version,
    }


def fact_from(row: Item) -> Fact:
    """Return one fact from its row, whichever version of this program stored it.

    Raises:
        NewerFactError: when a later version did.
    """
    row = _lifted(row)
    return Fact(
        fact_id=row["fact_id"],
        kind=row["kind"],
        occurred_at=datetime.fromisoformat(row["occurred_at"]),
        received_at=datetime.fromisoformat(row["received_at"]),
        source=row["source"],
        data=row["data"],
        approximate=row["approximate"],
        retracts=row.get("retracts"),
        schema_version=row["schema_version"],
    )


def _lifted(row: Item) -> Item:
    """Return a fact's row as the present version would have stored it."""
    version = row["schema_version"]
    if version > facts.SCHEMA_VERSION:
        message = f"{row['fact_id']} is of version {version}"
        raise NewerFactError(message)
    for older in range(version, facts.SCHEMA_VERSION):
        lift = UPCASTERS.get((row["kind"], older))
        row = {**(lift(row) if lift else row), "schema_version": older + 1}
    return row
