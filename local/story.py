"""The worked example of the documentation, told over real HTTP with real signatures.

Every figure is checked to the cent against the management API. CRM deliveries go out twice each
and shuffled inside their batches, because that is how they arrive in life.
"""

import http
import random
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar
from urllib.parse import parse_qs, urlencode, urlsplit

from local import books
from local.cloud import Cloud
from local.progress import Progress
from local.seed import Demo
from local.senders import hubspot_change, post_hubspot, post_standard
from shared.adapters.management_api import Management, Reply, send

HOLD: Final = timedelta(days=30)
CLOCK_GRACE: Final = timedelta(seconds=5)
SEED: Final = 20_261_122
FIRST_DEAL: Final = 9_000_001
ACCEPTED: Final = "accepted_bonus"
QUALIFIED: Final = "qualified_bonus"
COMMISSION: Final = "won_commission"
DISCOUNT: Final = "lead_discount"
EARN: Final = ("expense", "pending")
REVERSE: Final = ("pending", "expense")
FORM_TYPE: Final = "application/x-www-form-urlencoded"

T = TypeVar("T")


class StoryError(Exception):
    """A step failed in a way that makes the rest of the story pointless."""


@dataclass(slots=True, kw_only=True)
class Story:
    """One telling. ``wrong`` counts the figures that did not come out."""

    cloud: Cloud
    demo: Demo
    progress: Progress
    wrong: int = 0
    pending: Decimal = Decimal(0)
    deals: int = FIRST_DEAL
    last_ms: int = 0
    dice: random.Random = field(default_factory=lambda: random.Random(SEED))  # noqa: S311 - order only

    @property
    def api(self) -> Management:
        """The management API."""
        return self.cloud.management

    # -- telling and checking ---------------------------------------------------------------

    def say(self, text: str) -> None:
        """Print a line of the story."""
        self.progress.say(text)

    def check(self, what: str, expected: T, actual: T, shown: str = "") -> None:
        """Print one figure and whether it is right."""
        if expected == actual:
            self.say(f"     ok     {what}{': ' if shown else ''}{shown}")
            return
        self.wrong += 1
        self.say(f"     WRONG  {what}: expected {expected}, found {actual}")

    def check_pending(self, change: str, why: str) -> None:
        """Wait until the partner's pending balance has moved by exactly this much."""
        self.pending += Decimal(change)
        expected = self.pending
        actual = books.settle(
            lambda: books.pending(self.api, self.demo.program_id, self.demo.partner_id), expected
        )
        sign = "+" if Decimal(change) > 0 else ""
        self.check(f"{why}, {sign}{money(change)}; pending", expected, actual, money(expected))

    def check_rules(self, referral: str, **expected: str) -> None:
        """Check what each rule of a referral holds now."""
        wanted = {rule: Decimal(amount) for rule, amount in expected.items()}
        actual = books.settle(lambda: books.cash_by_rule(self.api, referral), wanted, stay_s=0)
        shown = ", ".join(f"{rule} {money(amount)}" for rule, amount in wanted.items())
        self.check("held by rule", wanted, actual, shown)

    def check_outcome(self, referral: str, rule: str, expected: str) -> None:
        """Check what the explanation says about a rule."""
        found = books.trace(self.api, referral).get(rule, ("nothing", ""))
        self.check(f"explained: {rule}", expected, found[0], f"{found[0]} ({found[1]})")

    def check_discount(self, referral: str, expected: str) -> None:
        """Check the state of the lead's discount."""

        def state() -> str:
            found = books.rewards(self.api, referral)
            return next((reward.state for reward in found if reward.rule_id == DISCOUNT), "none")

        self.check(
            "the lead's 20 % discount", expected, books.settle(state, expected, stay_s=0), expected
        )

    def check_release(self, referral: str, rule: str, since: datetime) -> None:
        """Check that a reward is released 30 days after the server received its cause."""
        found = books.rewards(self.api, referral)
        release = next(
            (r.release_at for r in found if r.rule_id == rule and r.release_at is not None), None
        )
        low, high = since - CLOCK_GRACE + HOLD, datetime.now(UTC) + CLOCK_GRACE + HOLD
        right = release is not None and low <= release <= high
        self.check(f"{rule} is released 30 days after receipt", True, right, str(release))  # noqa: FBT003 - the expected value

    # -- acting ------------------------------------------------------------------------------

    def click(self) -> str:
        """Click the partner's short link and return the click token from the redirect."""
        reply = send(
            "GET",
            f"{self.cloud.url}/{self.demo.link_code}",
            headers={"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"},
        )
        query = parse_qs(urlsplit(reply.headers.get("location", "")).query)
        if reply.status != http.HTTPStatus.FOUND or "click_id" not in query:
            message = f"the short link answered {reply.status} without a click_id"
            raise StoryError(message)
        return query["click_id"][0]

    def submit(self, email: str, company: str) -> str:
        """Click, post the form with the click token and return the referral's id."""
        form = {"email": email, "company": company, "click_id": self.click(), "consent": "true"}
        reply = send(
            "POST",
            f"{self.cloud.url}/v1/programs/{self.demo.program_id}/referrals",
            body=urlencode(form).encode(),
            headers={"Content-Type": FORM_TYPE, "Accept": "application/json"},
        )
        if reply.status != http.HTTPStatus.CREATED:
            message = f"the form was answered {reply.status} {reply.code}"
            raise StoryError(message)
        return str(reply.json()["referral_id"])

    def accept(self, referral: str) -> None:
        """Accept a referral by review."""
        self.api.post(
            f"/referrals/{referral}/review", {"decision": "accept", "reason": "a real company"}
        )

    def new_deal(self) -> int:
        """Return the number of a fresh deal in the CRM."""
        self.deals += 1
        return self.deals

    def moment(self) -> int:
        """Return a time in milliseconds, later than each one before and not in the future."""
        while (now := time.time_ns() // 1_000_000) <= self.last_ms:
            time.sleep(0.001)
        self.last_ms = now
        return now

    def hubspot(self, deal: int, **changes: str) -> datetime:
        """Send property changes as one shuffled batch, twice; return when."""
        sent_at = datetime.now(UTC)
        events = [
            hubspot_change(deal, name, value, self.moment()) for name, value in changes.items()
        ]
        for _ in range(2):
            self.dice.shuffle(events)
            expect_2xx(post_hubspot(self.demo.sources["hubspot"], events))
        return sent_at

    def standard(self, deal: str, stage: str, amount: str, **referral: str) -> datetime:
        """Send a deal's state in the generic format, twice under one id; return when."""
        sent_at = datetime.now(UTC)
        at = datetime.fromtimestamp(self.moment() / 1000, UTC)
        event: dict[str, Any] = {
            "type": "deal.updated",
            "id": f"evt-{self.last_ms}",
            "occurred_at": at.isoformat().replace("+00:00", "Z"),
            "deal": {"id": deal, "stage": stage, "amount": amount, "currency": "USD"},
        }
        if referral:
            event["referral"] = referral
        for _ in range(2):
            expect_2xx(post_standard(self.demo.sources["standard"], event, delivery_id=event["id"]))
        return sent_at

    # -- the chapters ------------------------------------------------------------------------

    def tell(self) -> int:
        """Tell everything and return how many figures were wrong.

        Raises:
            StoryError: a step failed in a way that makes the rest pointless.
            ApiError: the management API refused something.
        """
        self.earlier_wins()
        referral, deal = self.introduction()
        self.first_win(referral, deal)
        self.lowered_amount(referral, deal)
        self.regress_and_win_again(referral, deal)
        self.later_wins()
        return self.wrong

    def earlier_wins(self) -> None:
        """Two small wins, so that the story's deal is the partner's third."""
        self.say("\n1. The partner has two earlier wins of 1,000.00 each (10 %, and 50.00 each).")
        for name in ("north", "south"):
            referral = self.submit(f"buyer@{name}.example", name.title())
            self.accept(referral)
            self.check_pending("50.00", f"{name}: accepted")
            self.hubspot(
                self.new_deal(),
                goodword_referral=referral,
                amount="1000.00",
                deal_currency_code="USD",
                dealstage="won",
            )
            self.check_pending("100.00", f"{name}: won")
            self.check_rules(referral, **{ACCEPTED: "50.00", COMMISSION: "100.00"})
            self.check_outcome(referral, QUALIFIED, "denied")

    def introduction(self) -> tuple[str, int]:
        """Click, form and review of the story's referral."""
        self.say("\n2. Grace clicks the partner's short link and sends the form; we accept her.")
        referral = self.submit("grace@customer.example", "Customer Inc.")
        self.say(f"     her referral is {referral}")
        again = self.submit("grace@customer.example", "Customer Inc.")
        self.check("sending the form again is the same referral", referral, again, again)
        self.check_pending("0.00", "nothing is earned yet")
        since = datetime.now(UTC)
        self.accept(referral)
        self.check_pending("50.00", "accepted")
        self.check_release(referral, ACCEPTED, since)
        return referral, self.new_deal()

    def first_win(self, referral: str, deal: int) -> None:
        """Qualified, negotiated and won at 20,000."""
        self.say("\n3. The CRM reports a deal of 20,000.00: qualified, then won.")
        since = self.hubspot(
            deal,
            goodword_referral=referral,
            amount="20000.00",
            deal_currency_code="USD",
            dealstage="qualified",
        )
        self.check_pending("200.00", "qualified")
        self.check_release(referral, QUALIFIED, since)
        self.check_discount(referral, "none")
        self.hubspot(deal, dealstage="negotiation")
        since = self.hubspot(deal, dealstage="won")
        self.check_pending("2000.00", "won, 10 % of 20,000.00")
        self.check_rules(
            referral, **{ACCEPTED: "50.00", QUALIFIED: "200.00", COMMISSION: "2000.00"}
        )
        self.check_release(referral, COMMISSION, since)
        self.check_discount(referral, "issued")
        self.check_outcome(referral, COMMISSION, "granted")

    def lowered_amount(self, referral: str, deal: int) -> None:
        """The amount falls to 15,000."""
        self.say("\n4. The CRM lowers the deal to 15,000.00.")
        self.hubspot(deal, amount="15000.00")
        self.check_pending("-500.00", "10 % of the difference goes back")
        self.check_rules(
            referral, **{ACCEPTED: "50.00", QUALIFIED: "200.00", COMMISSION: "1500.00"}
        )

    def regress_and_win_again(self, referral: str, deal: int) -> None:
        """Back to negotiation, then won again."""
        self.say("\n5. The deal goes back to negotiation ...")
        self.hubspot(deal, dealstage="negotiation")
        self.check_pending("-1500.00", "no longer won")
        self.check_discount(referral, "voided")
        self.check_outcome(referral, COMMISSION, "reversed")
        self.say("   ... and is won again.")
        since = self.hubspot(deal, dealstage="won")
        self.check_pending("1500.00", "won again")
        self.check_discount(referral, "issued")
        self.check_release(referral, COMMISSION, since)
        self.check_rules(
            referral, **{ACCEPTED: "50.00", QUALIFIED: "200.00", COMMISSION: "1500.00"}
        )
        expected = sorted(
            [
                (*EARN, Decimal("50.00")),
                (*EARN, Decimal("200.00")),
                (*EARN, Decimal("2000.00")),
                (*REVERSE, Decimal("500.00")),
                (*REVERSE, Decimal("1500.00")),
                (*EARN, Decimal("1500.00")),
            ]
        )
        found = books.movements(self.api, referral)
        self.check("the books have one row per movement", expected, found, f"{len(found)} rows")

    def later_wins(self) -> None:
        """The fourth, fifth and sixth win, by the generic source."""
        self.say("\n6. Three more wins, reported by another system: 12 % from the sixth on.")
        wins = (
            ("fourth", "9999.99", "1000.00", "10 % of 9,999.99 is 999.999"),
            ("fifth", "100.00", "10.00", "10 % of 100.00"),
            ("sixth", "999.99", "120.00", "12 % of 999.99 is 119.9988"),
        )
        for name, amount, commission, why in wins:
            referral = self.submit(f"buyer@{name}.example", name.title())
            self.accept(referral)
            self.check_pending("50.00", f"{name}: accepted")
            since = self.standard(f"D-{name}", "won", amount, id=referral)
            self.check_pending(commission, f"{name}: {why}")
            self.check_rules(referral, **{ACCEPTED: "50.00", COMMISSION: commission})
            self.check_release(referral, COMMISSION, since)
            self.check_outcome(referral, QUALIFIED, "denied")


def expect_2xx(reply: Reply) -> None:
    """Refuse to go on when a delivery was not taken.

    Raises:
        StoryError: the status is not a 2xx.
    """
    if not http.HTTPStatus.OK <= reply.status < http.HTTPStatus.MULTIPLE_CHOICES:
        message = f"a delivery was answered {reply.status} {reply.code}"
        raise StoryError(message)


def money(amount: Decimal | str) -> str:
    """Return an amount as people write it."""
    return f"{Decimal(amount):,.2f} USD"
