from __future__ import annotations

import ast
from pathlib import Path

import pytest

from infra.catalogue import FUNCTIONS, FunctionSpec
from infra.closure import import_closure
from shared import names

ROOT = Path(__file__).parents[2]
SPECS = pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)


def test_every_folder_of_functions_is_deployed() -> None:
    folders = {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")}

    assert folders == {spec.name for spec in FUNCTIONS}


def test_no_route_leads_to_two_functions() -> None:
    routes = [route for spec in FUNCTIONS for route in spec.routes]

    assert len(set(routes)) == len(routes)


@SPECS
def test_each_is_given_the_variables_that_its_sources_name(spec: FunctionSpec) -> None:
    files = import_closure(ROOT, spec.handler.rpartition(".")[0]).files
    read = {
        getattr(names, node.attr)
        for file in files
        for node in ast.walk(ast.parse((ROOT / file).read_text("utf-8")))
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "names"
        and node.attr.startswith("ENV_")
    }

    # Every function gets the stage, whether it reads it or not.
    assert set(spec.environment) == read - {names.ENV_STAGE}
