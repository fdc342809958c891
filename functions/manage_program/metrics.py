"""The route of figures: clicks by day."""

from datetime import UTC, date, timedelta
from typing import Final

from functions.manage_program import views
from functions.manage_program.calls import Answer, Call
from shared.domain.activity import Figures
from shared.domain.clicks import kept_label
from shared.domain.errors import invalid
from shared.domain.links import parse_code
from shared.usecases.manage_programs import read_program
from shared.usecases.show_metrics import MAX_DAYS, Wanted, show_metrics

_DEFAULT_DAYS: Final = 30


def show(call: Call) -> Answer:
    """Show a programme's clicks by UTC day; the last 30 days if nothing else is asked for."""
    query = call.query("program_id", "partner_id", "link", "campaign", "asset", "from", "to")
    if "program_id" not in query:
        raise invalid("program_id", "required", "give program_id")
    program = read_program(call.services.programs, query["program_id"])
    last = _day(query, "to") or call.now.astimezone(UTC).date()
    first = _day(query, "from") or last - timedelta(days=_DEFAULT_DAYS - 1)
    if first > last:
        raise invalid("from", "out_of_range", "must not be after to")
    if (last - first).days >= MAX_DAYS:
        raise invalid("from", "too_long", f"at most {MAX_DAYS} days at once")
    code, partner_id = _link(call, program.program_id, query)
    wanted = Wanted(
        program_id=program.program_id,
        first=first,
        last=last,
        partner_id=partner_id,
        code=code,
        campaign=kept_label(query["campaign"]) if "campaign" in query else None,
        asset=kept_label(query["asset"]) if "asset" in query else None,
    )
    days = show_metrics(call.services.activity, wanted)
    body = {
        "program_id": program.program_id,
        "from": first.isoformat(),
        "to": last.isoformat(),
        "days": [{"day": day.isoformat(), **_view(found)} for day, found in days],
        "totals": _view(sum((found for _, found in days), Figures())),
    }
    return Answer(status=200, body=body)


def _day(query: dict[str, str], name: str) -> date | None:
    text = query.get(name)
    if text is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise invalid(name, "not_a_day", "must be a day such as 2027-01-31") from error
    if day.isoformat() != text:  # a week, or without dashes
        raise invalid(name, "not_a_day", "must be a day such as 2027-01-31")
    if day.year in {date.min.year, date.max.year}:
        raise invalid(name, "out_of_range", "is no day of ours")
    return day


def _link(call: Call, program_id: str, query: dict[str, str]) -> tuple[str, str]:
    """Return the wanted link's code and the partner in whose file its clicks are counted."""
    partner_id = query.get("partner_id", "")
    if "link" not in query:
        return "", partner_id
    link = call.services.links.link(parse_code(query["link"]))
    if link is None or link.program_id != program_id:
        raise invalid("link", "unknown", "is no link of this programme")
    return link.code, partner_id or link.partner_id


def _view(found: Figures) -> views.Json:
    return {
        "clicks": found.clicks,
        "humans": found.humans,
        "bots": found.bots,
        "uniques": found.uniques,
        "uniques_estimated": found.estimated,
    }
