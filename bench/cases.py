"""Referrals to evaluate: the worked example, and as much as terms and facts may hold at all."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from shared.domain import facts as kinds
from shared.domain.entitlements import Parties
from shared.domain.evaluation import Evaluation, evaluate
from shared.domain.facts import Fact
from shared.domain.terms import Terms
from shared.domain.terms_reader import MAX_RULES, parse_terms
from tests.builders.money import Story, parties, worked_terms

_STEP: Final = timedelta(minutes=15)
_FIVE: Final = 5
_HEAD: Final = 8
"""Facts of a large referral before its invoices: submission, terms, review, deal, position."""

_SHAPES: Final[tuple[dict[str, Any], ...]] = (
    {
        "milestone": "qualified",
        "value": {"fixed": "50.00"},
        "when": {"all": [{"field": "deal_amount", "op": "gte", "value": "10000.00"}]},
    },
    {
        "milestone": "won",
        "value": {"percent": "10", "of": "deal_amount"},
        "refund": "pro_rata",
        "tiers": {
            "by": "count",
            "milestone": "won",
            "period": "lifetime",
            "steps": [{"from": 6, "percent": "12"}],
        },
    },
    {
        "milestone": "invoice_paid",
        "value": {"percent": "5", "of": "invoice_net"},
        "occurrence": "every_invoice",
        "limit": {"times": 12},
        "refund": "pro_rata",
    },
    {
        "milestone": "won",
        "value": {
            "table": {
                "field": "contract_months",
                "rows": [
                    {"from": "12", "value": {"fixed": "100.00"}},
                    {"from": "24", "value": {"fixed": "300.00"}},
                ],
            }
        },
    },
    {
        "milestone": "accepted",
        "beneficiary": "lead",
        "kind": "discount",
        "value": {"percent": "20"},
    },
)
"""Shapes of rules, in turn. One in five pays for every invoice."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """What one evaluation is given."""

    name: str
    terms: Terms
    facts: tuple[Fact, ...]
    parties: Parties

    def evaluate(self) -> Evaluation:
        """Evaluate it."""
        return evaluate(self.terms, self.facts, self.parties)


def worked_example() -> Case:
    """Return the worked example with everything won and the sixth position pinned."""
    story = Story().submitted().reviewed("accepted").position(6)
    story.stage("qualified").amount("20000.00").stage("won")
    return _case("worked example", worked_terms(), story)


def full_terms() -> Terms:
    """Return as many rules as terms may have."""
    rules = [
        {
            "id": f"rule_{number}",
            "beneficiary": "partner",
            "kind": "cash",
            **_SHAPES[number % len(_SHAPES)],
        }
        for number in range(MAX_RULES)
    ]
    definition = {"name": "Full", "implies": {"won": ["qualified", "accepted"]}, "rules": rules}
    return parse_terms(definition, currency="USD")


def one_recurring_rule() -> Terms:
    """Return terms that share every invoice for ever, as many programmes do."""
    rule = {
        "id": "share",
        "beneficiary": "partner",
        "kind": "cash",
        "milestone": "invoice_paid",
        "value": {"percent": "20", "of": "invoice_net"},
        "occurrence": "every_invoice",
        "refund": "pro_rata",
    }
    return parse_terms({"name": "Share", "rules": [rule]}, currency="USD")


def deal_changes(count: int) -> Case:
    """Return a deal that went to and fro and was re-amounted: no invoice, one occurrence a rule."""
    story = _opened()
    names = ("qualified", "negotiation", "won")
    for number in range(count - _HEAD):
        if number % 2:
            story.stage(names[number // 2 % len(names)])
        else:
            story.amount(f"{20_000 + number}.00")
    story.facts.sort(key=lambda fact: fact.occurred_at)
    return _case(f"50 rules, {count:,} facts: a deal's changes", full_terms(), story)


def billed(count: int, terms: Terms, *, refunds: str = "") -> Case:
    """Return a deal that is billed; with ``refunds``, four invoices are followed by a refund.

    ``refunds`` says what they are of: ``deal``, ``invoice`` (the one before), or nothing.
    """
    story = _opened()
    for number in range(count - _HEAD):
        at = story.start + timedelta(days=10) + number * _STEP
        if refunds and number % _FIVE == _FIVE - 1:
            of = refunds if refunds == "deal" else f"invoice:I-{number - 1}"
            refund = {"refund_id": f"R-{number}", "of": of, "amount": "1.00", "currency": "USD"}
            story.add(kinds.REFUNDED, str(number), refund, at=at)
        else:
            invoice = {"invoice_id": f"I-{number}", "amount_net": "100.00", "currency": "USD"}
            story.add(kinds.INVOICE_PAID, str(number), invoice, at=at)
    rules = len(terms.rules)
    told = f"invoices and refunds of the {refunds}" if refunds else "invoices"
    head = f"{rules} rule{'s' if rules > 1 else ''}"
    return _case(f"{head}, {count:,} facts: {told}", terms, story)


def _opened() -> Story:
    story = Story().submitted().reviewed("accepted").position(6)
    story.amount("20000.00").stage("won")
    for name, value in (("contract_months", 24), ("plan", "pro")):
        story.add(kinds.FIELD_SET, name, {"name": name, "value": value})
    return story


def _case(name: str, terms: Terms, story: Story) -> Case:
    return Case(name=name, terms=terms, facts=tuple(story.facts), parties=parties(story.partner_id))
