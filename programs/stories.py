"""Read the definitions and scenarios beside this file, and refuse what nobody would check."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

FOLDER: Final = Path(__file__).parent
SUFFIX: Final = ".scenario.yaml"

ORDER: Final = (
    "fixed_cash",
    "percent_commission",
    "credit_both_sides",
    "contract_discount",
    "growing_free_months",
    "donation",
    "bonus_per_five",
    "full_funnel",
    "gift_cards",
    "product_credits",
    "closure_and_renewals",
    "fifty_and_twenty",
    "months_by_contract",
    "achievements",
    "renewal_share",
    "co_referral_split",
    "anti_kickback",
)
"""The models as a reader should meet them; every file beside this one is in it."""

STAGES: Final[Mapping[str, tuple[int, str, str]]] = {
    "accepted": (1, "accepted", "open"),
    "qualified": (2, "qualified", "open"),
    "negotiation": (3, "", "open"),
    "won": (4, "won", "won"),
    "lost": (5, "", "lost"),
}
"""The stages of the stories' CRM: rank, milestone, outcome."""

FACTS: Final[Mapping[str, tuple[str, ...]]] = {
    "review": (),
    "refund": ("of", "amount", "currency"),
    "chargeback": ("of", "amount", "currency"),
    "amount": ("currency",),
    "set": (),
    "stage": (),
    "milestone": (),
    "invoice": ("amount_net", "currency"),
    "renewal": (),
    "chargeback_reversed": (),
    "grade": (),
    "rate": ("percent", "fixed"),
    "shares": ("retroactive",),
    "categories": (),
    "hold": (),
    "release": (),
    "deal": (),
    "retract": (),
}
"""Short form of each fact in the order in which one step tells them, with what else it takes."""

_REFERRAL: Final = {
    "partner",
    "shares",
    "link",
    "day",
    "existing_customer",
    "company_size",
    "country",
    "declared",
    "is_oneself",
}
_PARTNER: Final = {"kind", "country", "tier", "group", "cause", "accepted", "categories"}
_THEN: Final = {"rewards", "trace", "balances", "bonuses", "bonus_trace"}
_REWARD: Final = {"rule", "occurrence", "of", "amount", "benefit", "state", "release_day"}
_RANGE: Final = re.compile(r"([a-z_]+_)(\d+)\.\.\1(\d+)")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What happens on one day, and what must be so afterwards."""

    day: int
    referrals: tuple[str, ...]
    told: Row
    happened: int
    label: str
    say: str
    then: Row

    @property
    def matures(self) -> bool:
        """Tell whether the holds that end by the end of this day end now."""
        return bool(self.told.get("mature"))

    def facts(self) -> Iterator[tuple[str, Row]]:
        """Yield each fact's short form with what belongs to it."""
        used: set[str] = set()
        for name, others in FACTS.items():
            if name in self.told and name not in used:
                used |= {name, *others}
                yield name, {key: self.told[key] for key in (name, *others) if key in self.told}

    def __post_init__(self) -> None:
        """Refuse a step that says nothing, or something that nobody reads."""
        known = {"mature"}
        for _, row in self.facts():
            known |= row.keys()
        _only(self.told, known, f"day {self.day}")
        if not self.told:
            message = f"day {self.day} tells nothing"
            raise ValueError(message)


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One reward model: its terms, and the story that shows them."""

    name: str
    definition: Row
    title: str
    about: str
    figures: str
    pinned: str
    partners: Mapping[str, Row]
    referrals: Mapping[str, Row]
    steps: tuple[Step, ...]


def models() -> tuple[Model, ...]:
    """Return every model of this folder, the plain ones first."""
    return tuple(_model(name) for name in ORDER)


def _model(name: str) -> Model:
    story = yaml.safe_load((FOLDER / f"{name}{SUFFIX}").read_text("utf-8"))
    _only(
        story,
        {"title", "about", "figures", "pinned", "partners", "referrals", "steps"},
        name,
    )
    referrals = {
        single: row
        for names, row in story["referrals"].items()
        for single in expand(names)
        if _only(row, _REFERRAL, f"{name} {single}")
    }
    for partner, row in story["partners"].items():
        _only(row, _PARTNER, f"{name} {partner}")
    steps = tuple(_step(row) for row in story["steps"])
    days = [step.day for step in steps]
    if days != sorted(days):
        message = f"{name}: the days do not follow each other"
        raise ValueError(message)
    return Model(
        name=name,
        definition=yaml.safe_load((FOLDER / f"{name}.yaml").read_text("utf-8")),
        title=story["title"],
        about=story["about"],
        figures=story["figures"],
        pinned=story.get("pinned", ""),
        partners=story["partners"],
        referrals=referrals,
        steps=steps,
    )


def _step(row: Row) -> Step:
    then = row.get("then", {})
    _only(then, _THEN, f"day {row['day']}")
    for rewards in (*then.get("rewards", {}).values(), *then.get("bonuses", {}).values()):
        for reward in rewards:
            _only(reward, _REWARD, f"day {row['day']}")
    beside = {"day", "happened", "referral", "label", "say", "then"}
    return Step(
        day=row["day"],
        referrals=expand(row.get("referral", ())),
        told={key: value for key, value in row.items() if key not in beside},
        happened=row.get("happened", row["day"]),
        label=row.get("label", ""),
        say=row.get("say", ""),
        then=then,
    )


def expand(names: str | Sequence[str]) -> tuple[str, ...]:
    """Return the referrals that ``names`` stands for: one, a list, or ``deal_1..deal_9``."""
    if not isinstance(names, str):
        return tuple(names)
    span = _RANGE.fullmatch(names)
    if not span:
        return (names,)
    stem, first, last = span[1], int(span[2]), int(span[3])
    return tuple(f"{stem}{number}" for number in range(first, last + 1))


def _only(row: Row, allowed: set[str], where: str) -> bool:
    unknown = row.keys() - allowed
    if unknown:
        message = f"{where}: unknown {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return True
