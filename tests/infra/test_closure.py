from __future__ import annotations

from pathlib import Path

import pytest

from infra.closure import Closure, import_closure


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, "utf-8")


def closure_of(root: Path, handler: str, **files: str) -> Closure:
    shared = {f"shared/{name}.py": text for name, text in files.items()}
    base = {"functions/__init__.py": "", "functions/f/__init__.py": "", "shared/__init__.py": ""}
    write(root, {**base, **shared, "functions/f/handler.py": handler})
    return import_closure(root, "functions.f.handler")


PACKAGES = {
    "functions/__init__.py",
    "functions/f/__init__.py",
    "functions/f/handler.py",
}


def names(closure: Closure) -> set[str]:
    return {path.as_posix() for path in closure.files}


def test_an_entry_brings_its_packages(tmp_path: Path) -> None:
    assert PACKAGES == names(closure_of(tmp_path, "import json", unused=""))


@pytest.mark.parametrize(
    "statement",
    [
        "import shared.one",
        "import shared.one as other",
        "from shared import one",
        "from shared.one import thing",
        "from shared.one import *",
        "def late():\n    from shared.one import thing",
        "try:\n    import shared.one\nexcept ImportError:\n    pass",
        "if True:\n    import shared.one",
        "from ...shared import one",
    ],
)
def test_every_way_to_import_counts(tmp_path: Path, statement: str) -> None:
    closure = closure_of(tmp_path, statement, one="from shared import two", two="", three="")

    assert {
        *PACKAGES,
        "shared/__init__.py",
        "shared/one.py",
        "shared/two.py",
    } == names(closure)


def test_neighbours_are_found_by_relative_imports(tmp_path: Path) -> None:
    write(tmp_path, {"functions/f/schema.py": "import pydantic"})

    closure = closure_of(tmp_path, "from . import schema\nfrom .schema import thing")

    assert {*PACKAGES, "functions/f/schema.py"} == names(closure)
    assert {"pydantic"} == closure.third_party


def test_types_alone_are_not_followed(tmp_path: Path) -> None:
    closure = closure_of(
        tmp_path,
        "from typing import TYPE_CHECKING\n"
        "if TYPE_CHECKING:\n    import boto3\n    from shared import one\n"
        "else:\n    import yaml\n",
        one="",
    )

    assert PACKAGES == names(closure)
    assert {"yaml"} == closure.third_party


def test_the_standard_library_is_not_third_party(tmp_path: Path) -> None:
    closure = closure_of(tmp_path, "import json, os.path\nimport pydantic.fields")

    assert {"pydantic"} == closure.third_party


def test_a_name_that_imports_a_package_when_used_brings_it(tmp_path: Path) -> None:
    closure = closure_of(tmp_path, "from pydantic import BaseModel, EmailStr")

    assert {"pydantic", "email_validator"} == closure.third_party


def test_circles_end(tmp_path: Path) -> None:
    closure = closure_of(
        tmp_path, "import shared.one", one="import shared.two", two="import shared.one"
    )

    assert {"shared/one.py", "shared/two.py"} <= names(closure)


def test_a_missing_entry_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"functions\.f\.handler"):
        import_closure(tmp_path, "functions.f.handler")


def test_a_module_brings_what_it_reads_from_beside_it(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "functions/__init__.py": "",
            "functions/f/__init__.py": "",
            "functions/f/handler.py": "from shared.adapters.dynamodb import lean",
            "shared/__init__.py": "",
            "shared/adapters/__init__.py": "",
            "shared/adapters/dynamodb/__init__.py": "",
            "shared/adapters/dynamodb/lean.py": "",
        },
    )

    assert {Path("shared/adapters/dynamodb/amazon_roots.pem")} == import_closure(
        tmp_path, "functions.f.handler"
    ).data
