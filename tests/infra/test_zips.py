"""The real packages: what is deployed must import, and must be made for Lambda's machine."""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from infra.catalogue import FUNCTIONS, TRACK_CLICK, FunctionSpec
from infra.closure import import_closure
from infra.packages import ROOT, Packages, packages_for
from infra.settings import DEV, LOCAL
from shared import names

RUNTIME_PACKAGES = ("boto3", "botocore", "dateutil", "jmespath", "s3transfer", "six", "urllib3")
ARM64 = 183  # e_machine of AArch64 in an ELF header
MAX_REDIRECT_ZIP = 40 * 1024
REDIRECT_FILES = import_closure(ROOT, TRACK_CLICK.handler.rpartition(".")[0]).files
MAGIC_OF_3_13 = (3571).to_bytes(2, "little") + b"\r\n"
UNCHECKED_HASH = (1).to_bytes(4, "little")
SPECS = pytest.mark.parametrize("spec", FUNCTIONS, ids=lambda spec: spec.name)


@pytest.fixture(scope="module")
def for_host() -> Packages:
    return packages_for(LOCAL)


@pytest.fixture(scope="module")
def for_lambda() -> Packages:
    packages = packages_for(DEV)
    if packages.interpreter is None:
        pytest.skip("NO PYTHON 3.13 HERE: the bytecode of the zips is not checked")
    return packages


@pytest.fixture
def runtime(tmp_path: Path) -> Path:
    """Return a folder with what Lambda's Python has beside its standard library."""
    for name in RUNTIME_PACKAGES:
        spec = find_spec(name)
        assert spec is not None
        assert spec.origin is not None
        origin = Path(spec.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (tmp_path / origin.name).symlink_to(origin)
    return tmp_path


@SPECS
def test_each_package_imports_in_an_interpreter_that_has_nothing_else(
    spec: FunctionSpec, for_host: Packages, runtime: Path
) -> None:
    folder = for_host.assemble(spec.name)
    paths = [str(folder)] if spec is TRACK_CLICK else [str(folder), str(runtime)]
    module = spec.handler.rpartition(".")[0]
    script = (
        f"import sys; sys.path[:0] = {paths!r}\n"
        f"import importlib; handler = importlib.import_module({module!r}).handler\n"
        "assert callable(handler)"
    )
    dead_end = "http://127.0.0.1:9"
    environment = {
        **dict.fromkeys((names.ENV_STAGE, *spec.environment), "value"),
        names.ENV_API_URL: "https://api.example.com",
        names.ENV_SHORT_URL: "https://go.example.com",
        names.ENV_FALLBACK_URL: "",
        "AWS_ACCESS_KEY_ID": "none",
        "AWS_SECRET_ACCESS_KEY": "none",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": dead_end,
        "AWS_ENDPOINT_URL_DYNAMODB": dead_end,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
    }

    # -I and -S: neither this checkout nor this environment's packages can help.
    answer = subprocess.run(  # noqa: S603 - this interpreter, a script of our own
        [sys.executable, "-I", "-S", "-c", script],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert "" == answer.stderr
    assert 0 == answer.returncode


@SPECS
def test_each_native_library_is_made_for_lambda_s_machine(
    spec: FunctionSpec, for_lambda: Packages
) -> None:
    folder = for_lambda.assemble(spec.name)

    foreign = {
        path.name
        for path in folder.rglob("*.so*")
        if int.from_bytes(path.read_bytes()[18:20], "little") != ARM64
        or not any(tag in path.name for tag in ("aarch64", "abi3"))
    }

    assert set() == foreign


@SPECS
def test_each_source_has_bytecode_that_lambda_takes_as_it_is(
    spec: FunctionSpec, for_lambda: Packages
) -> None:
    folder = for_lambda.assemble(spec.name)
    sources = list(folder.rglob("*.py"))
    expected = {
        source.parent / "__pycache__" / f"{source.stem}.cpython-313.pyc" for source in sources
    }

    compiled = set(folder.rglob("*.pyc"))

    # The redirect's stand in the place of its sources.
    assert expected == (set() if spec is TRACK_CLICK else compiled)
    assert {(MAGIC_OF_3_13, UNCHECKED_HASH)} == {
        (path.read_bytes()[:4], path.read_bytes()[4:8]) for path in compiled
    }


def test_the_redirect_needs_nothing_but_the_standard_library() -> None:
    closure = import_closure(ROOT, TRACK_CLICK.handler.rpartition(".")[0])

    assert frozenset() == closure.third_party


def test_the_redirect_s_package_is_its_import_closure(for_host: Packages) -> None:
    folder = for_host.assemble(TRACK_CLICK.name)

    closure = import_closure(ROOT, "functions.track_click.handler")
    assert closure.data | {path.with_suffix(".pyc") for path in closure.files} == {
        path.relative_to(folder) for path in folder.rglob("*") if path.is_file()
    }


def test_the_redirect_s_package_is_small(for_lambda: Packages) -> None:
    folder = for_lambda.assemble(TRACK_CLICK.name)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))

    assert len(content.getvalue()) <= MAX_REDIRECT_ZIP


def test_the_redirect_s_package_is_the_same_each_time(for_lambda: Packages) -> None:
    def content() -> dict[Path, bytes]:
        folder = for_lambda.assemble(TRACK_CLICK.name)
        return {
            path.relative_to(folder): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file()
        }

    assert content() == content()


@pytest.mark.parametrize("file", sorted(REDIRECT_FILES), ids=str)
def test_the_redirect_needs_none_of_what_is_left_out_of_its_package(file: Path) -> None:
    tree = ast.parse((ROOT / file).read_text("utf-8"))

    asked = {
        node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute | ast.Name)
    }
    assert set() == asked & {"__doc__", "__annotations__", "get_type_hints", "getattr", "globals"}
    assert [] == [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]


@SPECS
def test_no_package_holds_tests_or_another_function(spec: FunctionSpec, for_host: Packages) -> None:
    folder = for_host.assemble(spec.name)

    assert {spec.name} == {
        path.name for path in (folder / "functions").iterdir() if path.is_dir()
    } - {"__pycache__"}
    assert not (folder / "tests").exists()
