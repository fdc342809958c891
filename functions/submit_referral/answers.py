"""Answers to a form: JSON for programs, pages and redirects for people, CORS for scripts."""

from collections.abc import Mapping
from datetime import datetime
from html import escape
from typing import Any, Final

from ada_url import URL

from shared.domain.errors import GoodwordError, InvalidFieldsError
from shared.domain.programs import Program
from shared.runtime.http import JSON_TYPE, problem, respond

_HTML_TYPE: Final = "text/html"
_MAX_URL: Final = 2_000
_PAGE_HEADERS: Final = {
    "content-type": f"{_HTML_TYPE}; charset=utf-8",
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
    # The address of a receipt is the receipt.
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-robots-tag": "noindex",
}

Answer = dict[str, Any]
Headers = Mapping[str, str]


def wants_json(headers: Headers) -> bool:
    """Tell whether a program posts or asks, rather than a person's browser."""
    sent = headers.get("content-type", "").split(";", 1)[0].strip().lower()
    return sent == JSON_TYPE or JSON_TYPE in headers.get("accept", "").lower()


def wants_page(headers: Headers) -> bool:
    """Tell whether the caller shows HTML to a person; browsers say so, tools do not."""
    return not wants_json(headers) and _HTML_TYPE in headers.get("accept", "").lower()


def cors(origin: str, program: Program | None) -> dict[str, str]:
    """Return the headers that let scripts of an allowed origin read the answer.

    An unknown or missing origin is no error: servers and privacy tools send none.
    """
    headers = {"vary": "Origin"}
    if program and origin in program.allowed_origins:
        headers["access-control-allow-origin"] = origin
    return headers


def preflight(origin: str, program: Program | None) -> Answer:
    """Answer whether a script may post; an unknown programme only allows nothing."""
    headers = cors(origin, program)
    if "access-control-allow-origin" in headers:
        headers |= {
            "access-control-allow-methods": "POST, OPTIONS",
            "access-control-allow-headers": "content-type, accept",
            "access-control-max-age": "600",
        }
    return respond(204, None, headers)


def see_other(location: str) -> Answer:
    """Send a browser on by GET, so that reloading posts nothing twice."""
    return {
        "statusCode": 303,
        "headers": {"location": location, "cache-control": "no-store"},
        "body": "",
    }


def next_page(wish: str, program: Program, receipt_url: str) -> str:
    """Return where a person goes after the form.

    The form's wish counts only on an allowed origin, read as browsers read it, and is sent in
    the form that was checked; else the thank-you page, else the receipt.
    """
    return _allowed(wish, program) or program.thank_you_url or receipt_url


def _allowed(wish: str, program: Program) -> str:
    if not wish or len(wish) > _MAX_URL:
        return ""
    try:
        url = URL(wish)
    except ValueError:
        return ""
    if url.username or url.password or url.origin not in program.allowed_origins:
        return ""
    return str(url.href)


def refused(error: GoodwordError, request_id: str, headers: Headers) -> Answer:
    """Answer an error: a small page where a person made a mistake in a form, else a problem."""
    if not (isinstance(error, InvalidFieldsError) and wants_page(headers)):
        return problem(error, request_id)
    items = "".join(
        f"<li><strong>{escape(e.path)}</strong> {escape(e.message)}</li>" for e in error.errors
    )
    text = "<p>Nothing was sent. Go back, mend these fields and send the form again.</p>"
    return _page(422, "Some fields need another look", f"{text}<ul>{items}</ul>")


def receipt(received_at: datetime, headers: Headers) -> Answer:
    """Show that a form reached us and when, and nothing else."""
    if wants_json(headers):
        body = {"status": "received", "received_at": utc_text(received_at)}
        return respond(200, body, {"referrer-policy": "no-referrer"})
    moment = escape(received_at.strftime("%d %B %Y, %H:%M UTC"))
    return _page(200, "Thank you", f"<p>We received your form on {moment}.</p>")


def utc_text(moment: datetime) -> str:
    """Write a moment in UTC as RFC 3339, to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _page(status: int, title: str, inner: str) -> Answer:
    html = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title></head>"
        f"<body><main><h1>{escape(title)}</h1>{inner}</main></body></html>"
    )
    return {"statusCode": status, "headers": dict(_PAGE_HEADERS), "body": html}
