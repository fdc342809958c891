"""docs/terms.schema.json is made from the code, and is never stricter than the reader."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from shared.domain.errors import InvalidFieldsError
from shared.domain.terms_reader import parse_terms
from shared.domain.terms_schema import terms_schema, written
from tests.builders.money import WORKED_EXAMPLE
from tests.builders.rich_terms import rich_definition
from tests.fakes.json_schema import accepts

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
SCHEMA = terms_schema()
MODELS = sorted(
    path for path in (ROOT / "programs").glob("*.yaml") if ".scenario" not in path.suffixes
)
Path_ = tuple[str | int, ...]

REPLACEMENTS: tuple[Any, ...] = (
    "",
    "x",
    "won",
    "Upper",
    "10",
    "0",
    "100",
    "100.01",
    "-1",
    "1e3",
    "12.345",
    "9" * 18,
    "x" * 501,
    0,
    1,
    12,
    -1,
    10**10,
    True,
    [],
    {},
    ["won"],
    [1],
)


def places(value: Any, path: Path_ = ()) -> Iterator[Path_]:  # noqa: ANN401
    if path:
        yield path
    if isinstance(value, dict):
        for key, part in value.items():
            yield from places(part, (*path, key))
    elif isinstance(value, list):
        for number, part in enumerate(value):
            yield from places(part, (*path, number))


PLACES = list(places(rich_definition()))


def changed(path: Path_, change: Any) -> dict[str, Any]:  # noqa: ANN401
    definition = rich_definition()
    place: Any = definition
    for part in path[:-1]:
        place = place[part]
    change(place, path[-1])
    return definition


def is_read(definition: dict[str, Any]) -> bool:
    try:
        parse_terms(definition, currency="USD")
    except InvalidFieldsError:
        return False
    return True


def test_the_file_is_what_the_code_says() -> None:
    assert written() == (ROOT / "docs/terms.schema.json").read_text("utf-8"), (
        "run: python -m shared.domain.terms_schema > docs/terms.schema.json"
    )


@pytest.mark.parametrize("definition", [WORKED_EXAMPLE, rich_definition()])
def test_whole_definitions_are_accepted(definition: dict[str, Any]) -> None:
    assert is_read(definition)
    assert accepts(SCHEMA, definition)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_every_shipped_model_is_accepted(path: Path) -> None:
    assert accepts(SCHEMA, yaml.safe_load(path.read_text("utf-8")))


@pytest.mark.parametrize("path", PLACES, ids=lambda path: ".".join(map(str, path)))
def test_what_the_reader_reads_the_schema_accepts(path: Path_) -> None:
    def removed(place: Any, key: Any) -> None:  # noqa: ANN401
        del place[key]

    variants = {"removed": changed(path, removed)}
    for value in REPLACEMENTS:

        def put(place: Any, key: Any, value: Any = value) -> None:  # noqa: ANN401
            place[key] = copy.deepcopy(value)

        variants[repr(value)[:20]] = changed(path, put)
    refused = [
        name
        for name, definition in variants.items()
        if is_read(definition) and not accepts(SCHEMA, definition)
    ]
    assert [] == refused


def test_every_object_refuses_unknown_fields() -> None:
    for path in ((), *PLACES):
        definition: Any = rich_definition()
        place = definition
        for part in path:
            place = place[part]
        if isinstance(place, dict) and path not in {("implies",), ("lead_quality", "decide")}:
            place["surprise"] = 1
            assert not accepts(SCHEMA, definition), path


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("name",), ""),
        (("rules",), []),
        (("rules", 0, "kind"), "gold"),
        (("rules", 0, "value"), {"fixed": "1.00", "percent": "1"}),
        (("rules", 0, "value", "percent"), 10),
        (("rules", 0, "value", "percent"), "100.5"),
        (("rules", 0, "value", "of"), "everything"),
        (("rules", 0, "hold_days"), "30"),
        (("rules", 0, "hold_days"), 3_661),
        (("rules", 0, "when"), {"all": [], "any": []}),
        (("rules", 0, "when", "all", 0, "op"), "in"),
        (("rules", 0, "when", "all", 0, "value"), 10_000),
        (("rules", 3, "value", "table", "rows", 0, "from"), "twelve"),
        (("overrides", 0, "fixed"), "1.00"),
        (("attribution", "split"), "by_role"),
        (("attribution", "basis_points"), {"introducer": 10_000}),
        (("attribution",), {"split": "by_role", "basis_points": {"co_referrer": 10_000}}),
        (("caps", 0, "limit"), 5_000),
        (("partner_closed",), "lose"),
        (("eligibility", "required"), ["agreements"]),
        (("eligibility", "required"), "agreement"),
        (("eligibility", "minimum_engagement"), 3),
        (("eligibility", "minimum_engagement", "accepted_referrals"), -1),
        (("eligibility", "minimum_engagement", "accepted_referrals"), 1_001),
        (("eligibility", "blocked"), ["competitor"]),
        (("eligibility", "self_referral"), "sometimes"),
    ],
)
def test_mistakes_are_found_before_anything_is_sent(path: Path_, value: object) -> None:
    def put(place: Any, key: Any) -> None:  # noqa: ANN401
        place[key] = value

    definition = changed(path, put)

    assert not is_read(definition)
    assert not accepts(SCHEMA, definition)
