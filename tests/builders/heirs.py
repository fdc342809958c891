"""Leads that may pass from one partner to another: forms months apart, and what becomes of them."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from shared.adapters.dynamodb import keys
from shared.adapters.dynamodb.referrals import fact_from, referral_from
from shared.adapters.dynamodb.reviews import Reviews
from shared.domain.keyed import email_hmac
from shared.domain.leads import normalise_email
from shared.usecases.review_referral import review_referral
from tests.builders.intake import CORE, NOW, SECRET, World, link, partner, submission

if TYPE_CHECKING:
    from datetime import datetime

    from shared.domain.facts import Fact
    from shared.domain.referrals import Referral
    from shared.usecases.submit_referral import Received

EMAIL = "lena@lead.test"
CLAIM = keys.lead_claim("prg_1", email_hmac(SECRET, normalise_email(EMAIL)))
END = NOW + timedelta(days=180)
"""The end of the protection that silent terms give to what was submitted at ``NOW``."""


class Heirs(World):
    """A programme with three partners: Pia, Otto and Cas."""

    def __init__(self) -> None:
        super().__init__()
        self.save_partner(partner("ptr_cas", email_hmac=""))
        self.save_link(link("cas-code", "ptr_cas"))

    def refer(self, who: str = "", *, now: datetime = END, **changes: Any) -> Received:  # noqa: ANN401
        """Takes a form in for the one lead, with somebody's code."""
        return self.submit(
            submission(EMAIL, **{"code": f"{who}-code" if who else "", **changes}), now=now
        )

    def first(self, who: str = "pia", **changes: Any) -> str:  # noqa: ANN401 - any field
        """Takes the first form in; returns the referral."""
        return self.refer(who, now=NOW, **changes).referral_id

    def head(self, referral_id: str) -> Referral:
        """Returns the head of a referral."""
        row = self.row(keys.referral(referral_id))
        assert row is not None
        return referral_from(row)

    def facts(self, referral_id: str) -> list[Fact]:
        """Returns the facts of a referral."""
        rows = self.rows(f"REF#{referral_id}")
        return [fact_from(row) for row in rows if row["sk"].startswith("FACT#")]

    def pinned(self, referral_id: str) -> dict[str, Any]:
        """Returns what a referral pinned."""
        (found,) = [fact for fact in self.facts(referral_id) if fact.kind == "terms_pinned"]
        return dict(found.data)

    def holder(self) -> str:
        """Returns which referral holds the lead."""
        row = self.row(CLAIM)
        assert row is not None
        return str(row["referral_id"])

    def review(
        self, referral_id: str, decision: str, *, now: datetime = NOW + timedelta(days=1)
    ) -> Referral:
        """Decides on a referral, as a person does."""
        return review_referral(
            Reviews(client=self.client, core=CORE),
            referral_id,
            decision=decision,
            reason="checked",
            actor="Grace",
            now=now,
            new_id=self.new_id,
            mark=decision,
            correlation_id="req-2",
        )

    def events(self) -> list[tuple[str, list[str]]]:
        """Returns which referrals changed, and by which kinds of facts, in order."""
        rows = sorted(self.rows("OUT#"), key=lambda row: str(row["event_id"]))
        told = [json.loads(row["envelope"]) for row in rows]
        return [(each["aggregate"]["id"], each["data"]["kinds"]) for each in told]
