"""Routes of a partner's file in a programme: why there are bonuses or none, and how they came."""

from functions.manage_program import paging, views
from functions.manage_program.calls import Answer, Call
from shared.domain.errors import invalid
from shared.usecases.explain_partner import PartnerLine, explain_partner, for_the_partner
from shared.usecases.show_history import show_partner_history

PARTNER_VIEW = "partner"


def explanation(call: Call) -> Answer:
    """Show why each rule for successes paid or did not; with ``view=partner`` as the partner may.

    The sums that decide are not for the partner: their names are those of the terms.
    """
    query = call.query("view", *paging.PAGING)
    after, limit = paging.after_of(call, query), paging.limit_of(query)
    if query.get("view", PARTNER_VIEW) != PARTNER_VIEW:
        raise invalid("view", "not_allowed", "must be partner")
    found = explain_partner(
        call.services.explanations, call.id_of("partner_id"), call.id_of("program_id")
    )
    sums = {"sums": dict(found.file.standing.sums)}
    if "view" in query:
        found, sums = for_the_partner(found), {}
    wanted = [each for each in found.lines if each.place > after]
    shown = wanted[:limit]
    page = paging.listed(
        call,
        query,
        [_line(each, found.texts.get(each.line.rule_id, "")) for each in shown],
        shown[-1].place if len(wanted) > limit else "",
    )
    return Answer(
        status=200,
        body={
            "partner_id": found.file.standing.partner_id,
            "program_id": found.file.standing.program_id,
            "terms_version": found.file.terms_version,
            **sums,
            "lines": page.body["items"],
            "next_cursor": page.body["next_cursor"],
        },
    )


def history(call: Call) -> Answer:
    """List every change of what a partner got for successes or from a person, newest first."""
    query = call.query(*paging.PAGING)
    found = show_partner_history(
        call.services.explanations,
        call.id_of("partner_id"),
        call.id_of("program_id"),
        before=paging.after_of(call, query),
        limit=paging.limit_of(query),
    )
    return paging.listed(call, query, [views.change(*each) for each in found.changes], found.after)


def _line(found: PartnerLine, text: str) -> views.Json:
    reward = found.reward
    return {
        **views.trace_line(found.line, text),
        "reward_id": reward.reward_id if reward else None,
        "state": reward.state if reward else None,
    }
