"""What a new version of the terms changes against the last, in plain language."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from shared.domain import eligibility_words
from shared.domain import plain_words as words
from shared.domain.rewards_table import RewardsRow, rewards_table
from shared.domain.terms import PROGRAM, Cap, Override, Rule, Terms

_WINDOWS: Final = (
    ("attribution_days", "A click or code counts for"),
    ("credit_days", "An introduction can earn for"),
    ("protection_days", "A lead is protected from other partners for"),
    ("prior_days", "What happened before the introduction counts for"),
    ("late_grace_days", "We accept late news for"),
)
_ASPECTS: Final = (
    ("who", "who gets it"),
    ("when", "when it is given"),
    ("what", "what is given"),
    ("how_much", "how much"),
    ("rises", "how it rises"),
    ("held", "how long it is held"),
    ("refunds", "what a refund does"),
    ("text", "the text"),
)


def changes(before: Terms | None, after: Terms) -> tuple[str, ...]:
    """Return a sentence for everything that differs; empty only if both say the same."""
    if before is None:
        # What the first ones say is what differs from terms that say nothing.
        before = Terms(name=after.name, currency=after.currency, rules=())
    found = [
        *_top(before, after),
        *_rules(before, after),
        *_caps(before, after),
        *_overrides(before, after),
    ]
    if not found and before != after:
        # Nothing that people read differs, and yet a machine may decide otherwise.
        found.append("The order of the rules, or of what they list, changes.")
    return tuple(found)


def _introduced(row: RewardsRow) -> str:
    rises = f", rising: {row.rises}" if row.rises else ""
    held = "" if row.held == "not held" else f", held {row.held}"
    limits = "".join(f"; {limit}" for limit in row.caps)
    gets = f"{row.who} gets {row.what}, {row.when}: {row.how_much}"
    return f"New rule {row.rule_id}: {gets}{rises}{held}{limits}."


def _top(before: Terms, after: Terms) -> Iterator[str]:
    if before.name != after.name:
        yield f"The name changes {_from_to(before.name, after.name)}."
    if before.currency != after.currency:
        yield f"The currency changes {_from_to(before.currency, after.currency)}."
    for name, sentence in _WINDOWS:
        old, new = getattr(before, name), getattr(after, name)
        if old != new:
            yield f"{sentence} {words.days(new)} instead of {words.days(old)}."
    for said, old, new in (
        ("Which milestones imply others", _implied(before), _implied(after)),
        ("What a lost deal takes back", _lost(before), _lost(after)),
        ("How introductions are credited", _attributed(before), _attributed(after)),
        ("How leads are graded", _graded(before), _graded(after)),
        (
            "Who may earn",
            eligibility_words.summary(before.eligibility),
            eligibility_words.summary(after.eligibility),
        ),
        (
            "When what was released is taken back",
            words.clawback(before.clawback_days),
            words.clawback(after.clawback_days),
        ),
        (
            "What a closed partner loses",
            words.closing(before.partner_closed),
            words.closing(after.partner_closed),
        ),
    ):
        if old != new:
            yield f"{said} changes {_from_to(old, new)}."


def _rules(before: Terms, after: Terms) -> Iterator[str]:
    # Caps of the terms are told by themselves, not again with each rule.
    old_rows = {row.rule_id: row for row in rewards_table(replace(before, caps=()))}
    new_rows = {row.rule_id: row for row in rewards_table(replace(after, caps=()))}
    for rule in before.rules:
        if rule.rule_id not in new_rows:
            yield f"Rule {rule.rule_id} ends."
    for rule in after.rules:
        row = new_rows[rule.rule_id]
        old_rule = before.rule(rule.rule_id)
        if old_rule is None:
            yield _introduced(row)
        elif old_rule != rule:
            yield from _rule(old_rows[rule.rule_id], row, old_rule, rule)


def _rule(old: RewardsRow, new: RewardsRow, before: Rule, after: Rule) -> Iterator[str]:
    sentences = [
        f"Rule {new.rule_id}: {said} changes"
        f" {_from_to(getattr(old, name) or 'nothing', getattr(new, name) or 'nothing')}."
        for name, said in _ASPECTS
        if getattr(old, name) != getattr(new, name)
    ]
    if before.caps != after.caps:
        limits = (" and ".join(row.caps) or "none" for row in (old, new))
        sentences.append(f"Rule {new.rule_id}: its limits change {_from_to(*limits)}.")
    yield from sentences or [f"Rule {new.rule_id}: details change that no reward shows yet."]


def _caps(before: Terms, after: Terms) -> Iterator[str]:
    old, new = _by_id(before.caps), _by_id(after.caps)
    for cap_id in sorted(old.keys() - new.keys()):
        yield f"{_limit(old[cap_id])} {cap_id} ends: {words.cap(old[cap_id], before.currency)}."
    for cap_id, cap in new.items():
        if cap_id not in old:
            yield f"New {_limit(cap).lower()} {cap_id}: {words.cap(cap, after.currency)}."
        elif old[cap_id] != cap:
            was, is_now = (
                f"{words.cap(each, terms.currency)}"
                for each, terms in ((old[cap_id], before), (cap, after))
            )
            yield f"{_limit(cap)} {cap_id} changes {_from_to(was, is_now)}."


def _by_id(caps: tuple[Cap, ...]) -> dict[str, Cap]:
    return {cap.cap_id: cap for cap in sorted(caps, key=lambda cap: cap.cap_id)}


def _limit(cap: Cap) -> str:
    return "Budget" if cap.scope == PROGRAM else "Limit"


def _overrides(before: Terms, after: Terms) -> Iterator[str]:
    old, new = _by_place(before), _by_place(after)
    for place in sorted(old.keys() | new.keys()):
        if old.get(place) == new.get(place):
            continue
        was, is_now = (
            words.rate(found.value, terms.currency) if found else "the usual"
            for found, terms in ((old.get(place), before), (new.get(place), after))
        )
        override = new.get(place) or old[place]
        said = f"Rule {override.rule_id} {words.whom(override)}"
        yield f"{said} changes {_from_to(was, is_now)}."


def _by_place(terms: Terms) -> Mapping[tuple[str, str, str], Override]:
    return {(each.level, each.match, each.rule_id): each for each in terms.overrides}


def _from_to(old: str, new: str) -> str:
    return f"from “{old}” to “{new}”"


def _implied(terms: Terms) -> str:
    return (
        "; ".join(
            f"{name} implies {words.listed(implied)}"
            for name, implied in sorted(terms.implies.items())
        )
        or "none"
    )


def _lost(terms: Terms) -> str:
    if terms.retract_on_lost is None:
        return "won and what ranks above it"
    return words.listed(sorted(terms.retract_on_lost)) or "nothing"


def _attributed(terms: Terms) -> str:
    policy = terms.attribution
    return (
        f"{', then '.join(policy.order)}; {policy.model.replace('_', ' ')};"
        f" {words.split(policy)[0].lower()}{words.split(policy)[1:]}"
    )


def _graded(terms: Terms) -> str:
    quality = terms.lead_quality
    parts = [
        f"{each.grade} {words.conditions(each.when, terms.currency)}".strip()
        for each in quality.grades
    ]
    if quality.otherwise:
        parts.append(f"otherwise {quality.otherwise}")
    parts += [f"{grade}: {verdict}" for grade, verdict in sorted(quality.decide.items())]
    return "; ".join(parts) or "not at all"
