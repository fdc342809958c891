"""Pictures of short links, for paper and screens."""

import hashlib
import io
import re
from dataclasses import dataclass
from typing import Final

from functions.manage_program.calls import Answer, Call
from functions.manage_program.links import code_of
from shared.domain.errors import ConflictError, invalid
from shared.usecases.manage_links import read_link

LEVELS: Final = ("L", "M", "Q", "H")
"""How much of a picture may be lost: about 7, 15, 25 or 30 percent."""

DEFAULT_LEVEL: Final = "M"
DEFAULT_SIZE: Final = 8
MAX_SIZE: Final = 32
MIN_QUIET_ZONE: Final = 4
"""What the standard demands; with less around it, readers miss the code."""

MAX_QUIET_ZONE: Final = 16
MAX_AGE: Final = 3_600
_NUMBER: Final = re.compile(r"[0-9]{1,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """``size`` is the side of one module in pixels, ``quiet_zone`` is counted in modules."""

    level: str
    size: int
    quiet_zone: int


def svg(call: Call) -> Answer:
    """Draw a link's short address as SVG."""
    return _drawn(call, "svg", "image/svg+xml; charset=utf-8")


def png(call: Call) -> Answer:
    """Draw a link's short address as PNG."""
    return _drawn(call, "png", "image/png")


def _drawn(call: Call, kind: str, content_type: str) -> Answer:
    look = _look(call)
    link = read_link(call.services.links, code_of(call))
    if link.retired_at is not None:
        raise ConflictError("link_retired", "nobody should print what leads nowhere")
    picture = _draw(f"{call.services.short_url}/{link.code}", kind, look)
    etag = f'"{hashlib.sha256(picture).hexdigest()[:32]}"'
    headers = {
        "content-type": content_type,
        "cache-control": f"private, max-age={MAX_AGE}",
        "etag": etag,
        "content-disposition": f'inline; filename="{link.code}.{kind}"',
        "content-security-policy": "default-src 'none'",
        "x-content-type-options": "nosniff",
    }
    if etag in _known(call):
        return Answer(status=304, body="", headers=headers)
    body = picture.decode() if kind == "svg" else picture
    return Answer(status=200, body=body, headers=headers)


def _draw(text: str, kind: str, look: _Look) -> bytes:
    # Here, because no other route should wait for it at a cold start.
    import segno  # noqa: PLC0415

    drawn = io.BytesIO()
    code = segno.make_qr(text, error=look.level)
    code.save(drawn, kind=kind, scale=look.size, border=look.quiet_zone)
    return drawn.getvalue()


def _look(call: Call) -> _Look:
    query = call.query("error", "size", "quiet_zone")
    level = query.get("error", DEFAULT_LEVEL).upper()
    if level not in LEVELS:
        raise invalid("error", "not_allowed", "must be one of " + ", ".join(LEVELS))
    return _Look(
        level=level,
        size=_number(query, "size", DEFAULT_SIZE, 1, MAX_SIZE),
        quiet_zone=_number(query, "quiet_zone", MIN_QUIET_ZONE, MIN_QUIET_ZONE, MAX_QUIET_ZONE),
    )


def _number(query: dict[str, str], name: str, default: int, least: int, most: int) -> int:
    text = query.get(name, str(default))
    if not _NUMBER.fullmatch(text) or not least <= int(text) <= most:
        raise invalid(name, "out_of_range", f"must be {least} to {most}")
    return int(text)


def _known(call: Call) -> set[str]:
    sent = call.event.get("headers") or {}
    header = next((str(sent[name]) for name in sent if name.lower() == "if-none-match"), "")
    return {one.strip().removeprefix("W/") for one in header.split(",")}
