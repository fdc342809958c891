"""docs/by-hand.md lists every kind of fact that people may state, with its fields."""

from __future__ import annotations

import re
from pathlib import Path

from functions.manage_program.fact_shapes import _SHAPES
from shared.domain.facts_by_hand import KINDS

PAGE = Path(__file__).parents[2] / "docs/by-hand.md"
ROW = re.compile(r"^\| `([a-z_]+)` \|([^|]*)\|", re.MULTILINE)


def test_every_kind_is_listed_with_its_fields() -> None:
    listed = {
        kind: re.findall(r"`([a-z_]+\??)`", fields)
        for kind, fields in ROW.findall(PAGE.read_text("utf-8"))
    }

    assert listed == {
        kind: [
            name if field.is_required() else f"{name}?"
            for name, field in _SHAPES[kind].model_fields.items()
        ]
        for kind in KINDS
    }
