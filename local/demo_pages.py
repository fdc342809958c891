"""Three plain pages for trying the local cloud in a browser; no part of the product.

They are served by the local proxy under ``/_demo/``: a landing page with the referral form, a
thank-you page, and "what happened", which reads the management API on the server's side and can
send a signed HubSpot delivery.
"""

import http
import time
from dataclasses import dataclass
from html import escape
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

from local.proxy import Answer, Request
from local.seed import LANDING_PATH, STAGE_MAP, THANKS_PATH, Demo
from local.senders import hubspot_change, post_hubspot
from shared.adapters.management_api import ApiError, Management

HOME_PATH: Final = "/_demo/"
REVIEW_PATH: Final = "/_demo/accept"
CRM_PATH: Final = "/_demo/crm"
MAX_FIELDS: Final = 20
SHOWN: Final = 20
# Carried from the redirect into the form, as a customer's own landing page would.
CARRIED: Final = ("click_id", "via", "utm_source", "utm_medium", "utm_campaign")
FIELDS: Final = (
    ("email", "Work e-mail", "email"),
    ("first_name", "First name", "text"),
    ("last_name", "Last name", "text"),
    ("company", "Company", "text"),
)
REWARD_COLUMNS: Final = (
    "beneficiary",
    "rule_id",
    "kind",
    "state",
    "amount",
    "benefit",
    "release_at",
)
REASON_COLUMNS: Final = ("rule_id", "outcome", "code", "figures", "text")
STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "label{display:block;margin:.5rem 0}input,select,button{font:inherit;padding:.3rem .5rem}"
    "label input{display:block;width:20rem;max-width:100%;box-sizing:border-box}"
    "table{border-collapse:collapse;width:100%;margin:.5rem 0 1rem}td,th{text-align:left;"
    "border-bottom:1px solid #ddd;padding:.3rem .5rem;vertical-align:top}"
    "form.inline{display:inline-block;margin:.25rem .75rem .25rem 0}h2{margin-top:2rem}"
)
SECURITY: Final = (
    (b"Content-Type", b"text/html; charset=utf-8"),
    (b"Cache-Control", b"no-store"),
    (b"Content-Security-Policy", b"default-src 'none'; style-src 'unsafe-inline'"),
    # Not "no-referrer": browsers would then hide the origin that the buttons are checked by.
    (b"Referrer-Policy", b"same-origin"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pages:
    """The pages of one local cloud."""

    url: str
    demo: Demo
    management: Management

    def __call__(self, request: Request) -> Answer:
        """Return the page for a request, or a refusal of one from elsewhere."""
        if request.header(b"host") != self.url.removeprefix("http://").encode():
            # Another name that leads here would let a foreign page read these.
            return page("Not here", "", status=http.HTTPStatus.MISDIRECTED_REQUEST)
        target = urlsplit(request.target.decode("latin-1"))
        if request.method in {b"GET", b"HEAD"}:
            return self._show(target.path, target.query)
        if request.method == b"POST" and request.header(b"origin") == self.url.encode():
            return self._act(target.path, request.body)
        return page("Not possible", "", status=http.HTTPStatus.FORBIDDEN)

    def _show(self, path: str, query: str) -> Answer:
        if path == LANDING_PATH:
            return page("Try Demo Inc.", self._form(fields(query)))
        if path == THANKS_PATH:
            return page("Thank you", f'<p>We got it. <a href="{HOME_PATH}">What happened?</a></p>')
        if path == HOME_PATH:
            return self._what_happened()
        return page("No such page", "", status=http.HTTPStatus.NOT_FOUND)

    def _act(self, path: str, body: bytes) -> Answer:
        form = fields(body.decode("utf-8", errors="replace"))
        try:
            if path == REVIEW_PATH:
                self.management.post(
                    f"/referrals/{form.get('referral_id', '')}/review",
                    {"decision": "accept", "reason": "accepted on the demo page"},
                )
            elif path == CRM_PATH:
                self._deliver(form)
        except (ApiError, ValueError, OSError):
            return page("That did not work", f'<p><a href="{HOME_PATH}">Back</a></p>')
        return Answer(
            status=http.HTTPStatus.SEE_OTHER,
            headers=((b"Location", HOME_PATH.encode()), (b"Cache-Control", b"no-store")),
        )

    def _deliver(self, form: dict[str, str]) -> None:
        now_ms = time.time_ns() // 1_000_000
        deal = int(form["deal"])
        changes = (
            ("goodword_referral", form["referral_id"]),
            ("amount", form["amount"]),
            ("deal_currency_code", "USD"),
            ("dealstage", form["stage"]),
        )
        events = [hubspot_change(deal, name, value, now_ms) for name, value in changes]
        post_hubspot(self.demo.sources["hubspot"], events)

    def _form(self, given: dict[str, str]) -> str:
        hidden = "".join(
            f'<input type="hidden" name="{name}" value="{escape(given[name])}">'
            for name in CARRIED
            if name in given
        )
        shown = "".join(
            f'<label>{label} <input type="{kind}" name="{name}"'
            f"{' required' if name == 'email' else ''}></label>"
            for name, label, kind in FIELDS
        )
        trap = (
            '<div style="position:absolute;left:-5000px" aria-hidden="true">'
            '<input name="_gotcha" tabindex="-1" autocomplete="off"></div>'
        )
        action = f"/v1/programs/{escape(self.demo.program_id)}/referrals"
        return (
            "<p>You followed a partner's link. Leave your address and we call you.</p>"
            f'<form id="form" method="post" action="{action}">{hidden}{shown}{trap}'
            "<button>Send</button></form>"
        )

    def _what_happened(self) -> Answer:
        try:
            found = self.management.items("/referrals", program_id=self.demo.program_id)
            parts = [self._referral(item["referral_id"]) for item in newest(found)]
        except (ApiError, OSError, KeyError):
            return page("What happened", "<p>The API does not answer; reload.</p>")
        empty = (
            f"<p>Nothing yet. Follow <a href='/{escape(self.demo.link_code)}'>the partner's"
            " short link</a> and send the form.</p>"
        )
        return page("What happened", "".join(parts) or empty)

    def _referral(self, referral_id: str) -> str:
        referral = self.management.get(f"/referrals/{referral_id}")
        rewards = self.management.items("/rewards", referral_id=referral_id)
        trace = self.management.get(f"/referrals/{referral_id}/explanation")
        return (
            f"<h2>{escape(referral_id)}</h2>"
            f"<p>Review: {escape(str(referral.get('review')))}</p>"
            f"{accept_form(referral_id) if referral.get('review') != 'accepted' else ''}"
            f"{crm_form(referral_id)}"
            f"<h3>Rewards</h3>{table(rewards, REWARD_COLUMNS)}"
            f"<h3>Why</h3>{table(trace['lines'], REASON_COLUMNS)}"
        )


def accept_form(referral_id: str) -> str:
    """Return the button that accepts a referral."""
    return (
        f'<form class="inline" method="post" action="{REVIEW_PATH}">'
        f'<input type="hidden" name="referral_id" value="{escape(referral_id)}">'
        "<button>Accept it</button></form>"
    )


def crm_form(referral_id: str) -> str:
    """Return the form that sends a signed HubSpot delivery for this referral's deal."""
    stages = "".join(f"<option>{escape(str(item['stage']))}</option>" for item in STAGE_MAP)
    # One deal per referral, so that pressing again moves the same deal.
    deal = int.from_bytes(referral_id.encode()[-4:], "big")
    return (
        f'<form class="inline" method="post" action="{CRM_PATH}">'
        f'<input type="hidden" name="referral_id" value="{escape(referral_id)}">'
        f'<input type="hidden" name="deal" value="{deal}">'
        f'Deal of <input name="amount" value="20000.00" size="9"> USD moves to '
        f"<select name='stage'>{stages}</select> <button>Send as HubSpot</button></form>"
    )


def fields(text: str) -> dict[str, str]:
    """Return the fields of a query or a form, the last of each name; too many are nothing."""
    try:
        return dict(parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS))
    except ValueError:
        return {}


def newest(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the newest referrals; ids sort by age."""
    return sorted(items, key=lambda item: str(item["referral_id"]), reverse=True)[:SHOWN]


def table(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> str:
    """Return some columns of rows as a table."""
    if not rows:
        return "<p>None.</p>"
    head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{cell(row.get(name))}</td>" for name in columns) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{body}</table>"


def cell(value: object) -> str:
    """Return one value as text."""
    if value is None:
        return ""
    if isinstance(value, dict):
        if set(value) == {"amount", "currency"}:
            return escape(f"{value['amount']} {value['currency']}")
        return escape(", ".join(f"{name.replace('_', ' ')} {value[name]}" for name in value))
    return escape(str(value))


def page(title: str, body: str, *, status: int = http.HTTPStatus.OK) -> Answer:
    """Return a whole HTML page."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<h1>{escape(title)}</h1>{body}</html>"
    )
    return Answer(status=status, headers=SECURITY, body=text.encode())
