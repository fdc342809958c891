from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.adapters.dynamodb.codec import decode, encode, from_wire, to_wire

scalars = (
    st.none()
    | st.booleans()
    | st.integers(min_value=-(10**37), max_value=10**37)
    | st.text()
    | st.binary()
)
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20
)


@given(values)
def test_a_value_comes_back_as_it_was(value: object) -> None:
    assert value == decode(encode(value))


@pytest.mark.parametrize(
    ("value", "wire"),
    [
        (True, {"BOOL": True}),
        (1, {"N": "1"}),
        ("1", {"S": "1"}),
        (None, {"NULL": True}),
        (b"1", {"B": b"1"}),
        ((1, "a"), {"L": [{"N": "1"}, {"S": "a"}]}),
        ({"a": {}}, {"M": {"a": {"M": {}}}}),
    ],
)
def test_each_type_has_its_wire_form(value: object, wire: dict[str, Any]) -> None:
    assert wire == encode(value)


@pytest.mark.parametrize("value", [1.5, Decimal("1.5"), {1}, object()])
def test_what_has_no_exact_form_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        encode({"deep": [value]})


def test_a_binary_value_from_a_stream_is_base64() -> None:
    assert b"\x00\xff" == decode({"B": "AP8="})


def test_a_fraction_that_is_found_stays_exact() -> None:
    assert Decimal("0.1") == decode({"N": "0.1"})


@pytest.mark.parametrize("kind", ["SS", "NS", "BS"])
def test_a_set_that_is_found_is_refused(kind: str) -> None:
    with pytest.raises(TypeError, match=kind):
        decode({kind: ["1"]})


def test_a_row_is_written_without_what_is_none() -> None:
    wire = to_wire({"a": 1, "b": None, "c": ""})

    assert {"a": 1, "c": ""} == from_wire(wire)
