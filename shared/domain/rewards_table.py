"""The rewards of terms as a table for people, made from the rules themselves."""

from dataclasses import dataclass
from html import escape
from typing import Final

from shared.domain import eligibility_words
from shared.domain import plain_words as words
from shared.domain.terms import FORFEIT, PARTNER, Rule, Terms


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardsRow:
    """One rule in plain language: who gets what, when and how much, how long it is held.

    ``special`` are other rates: for tiers and groups, single partners and links; they are not for
    the public.
    """

    rule_id: str
    who: str
    when: str
    what: str
    how_much: str
    rises: str
    held: str
    refunds: str
    caps: tuple[str, ...]
    text: str
    special: tuple[str, ...] = ()


_COLUMNS: Final = ("Who", "When", "What", "How much", "Held", "After a refund", "Limits")


def rewards_table(terms: Terms) -> tuple[RewardsRow, ...]:
    """Return a row for each rule, in the order of the terms."""
    return tuple(_row(rule, terms) for rule in terms.rules)


def _row(rule: Rule, terms: Terms) -> RewardsRow:
    currency = terms.currency
    under = words.conditions(rule.when, currency)
    when = words.when(rule)
    covering = (cap for cap in terms.caps if cap.covers(rule.rule_id))
    return RewardsRow(
        rule_id=rule.rule_id,
        who=words.WHO[rule.beneficiary],
        when=f"{when}, {under}" if under else when,
        what=words.kind(rule.kind),
        how_much=words.value(rule.value, currency),
        rises=words.tier(rule.tier, currency),
        held=words.hold(rule),
        refunds=words.refunds(rule),
        caps=(
            *words.rule_caps(rule, currency),
            *(words.cap(cap, currency, rule.rule_id) for cap in covering),
        ),
        text=rule.text,
        special=tuple(
            f"{words.rate(override.value, currency)} {words.whom(override)}"
            for override in terms.overrides
            if override.rule_id == rule.rule_id
        ),
    )


def notes(terms: Terms) -> tuple[str, ...]:
    """Return what holds for every row."""
    credit = words.days(terms.credit_days)
    found = [f"What is rewarded must be reached within {credit} of the introduction."]
    if terms.clawback_days is not None:
        limit = words.clawback(terms.clawback_days)
        found.append(f"What was released for an introduction is taken back {limit}.")
    found += eligibility_words.notes(terms.eligibility)
    if PARTNER in {rule.beneficiary for rule in terms.rules}:
        found.append(f"{words.split(terms.attribution)}.")
        if terms.partner_closed == FORFEIT:
            lost = words.closing(terms.partner_closed)
            found.append(f"A partner whose account is closed loses {lost}.")
    return tuple(found)


def rewards_page(name: str, terms: Terms, *, public: bool) -> str:
    """Return the table as a page of its own, without scripts; every text is escaped."""
    head = "".join(f'<th scope="col">{escape(column)}</th>' for column in _COLUMNS)
    rows = "".join(_html_row(row, public=public) for row in rewards_table(terms))
    remarks = "".join(f"<li>{escape(note)}</li>" for note in notes(terms))
    title = escape(f"{name}: rewards")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{STYLE}</style></head>"
        f'<body><main><h1>{title}</h1><div class="table"><table><thead><tr>{head}</tr></thead>'
        f"<tbody>{rows}</tbody></table></div><ul>{remarks}</ul></main></body></html>"
    )


STYLE: Final = (
    "body{font:16px/1.5 system-ui,sans-serif;color:#1c2330;background:#fff;margin:0}"
    "main{max-width:76rem;margin:0 auto;padding:2rem 1rem}"
    "h1{font-size:1.5rem;line-height:1.25;overflow-wrap:anywhere}"
    ".table{overflow-x:auto}"
    "table{border-collapse:collapse;width:100%;min-width:46rem}"
    "th,td{text-align:left;vertical-align:top;padding:.6rem .75rem;border-bottom:1px solid #d9dee7}"
    "th{font-size:.85rem;color:#4a5568}"
    "td p{margin:0 0 .35rem}small{color:#4a5568}"
)


def _html_row(row: RewardsRow, *, public: bool) -> str:
    special = () if public else row.special
    how_much = (row.how_much, *((row.rises,) if row.rises else ()), *special)
    what = _lines(row.what) + (f"<small>{escape(row.text)}</small>" if row.text else "")
    cells = (
        _lines(row.who),
        _lines(row.when),
        what,
        _lines(*how_much),
        _lines(row.held),
        _lines(row.refunds),
        _lines(*row.caps) if row.caps else _lines("none"),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _lines(*texts: str) -> str:
    return "".join(f"<p>{escape(text)}</p>" for text in texts)
