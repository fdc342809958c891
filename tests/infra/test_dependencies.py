from __future__ import annotations

import py_compile
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from infra import dependencies
from infra.dependencies import (
    DependencyCache,
    Interpreter,
    PackageError,
    compile_bytecode,
    distributions_for,
    filtered_lock,
    find_interpreter,
)
from infra.settings import DEV, LOCAL

ROOT = Path(__file__).parents[2]
LOCK = """\
alpha==1.0 \\
    --hash=sha256:aa
    # via -r requirements/lambda.in
beta==2.0 ; python_full_version < '4' \\
    --hash=sha256:bb
    # via
    #   alpha
    #   delta
gamma==3.0 \\
    --hash=sha256:cc
    # via beta
delta==4.0 \\
    --hash=sha256:dd
    # via -r requirements/lambda.in
"""


def locked(text: str) -> list[str]:
    return [line.split("==")[0] for line in text.splitlines() if "==" in line]


def test_imports_become_distributions_without_what_lambda_has() -> None:
    assert ("ada-url", "pydantic") == distributions_for({"pydantic", "boto3", "ada_url"})


def test_no_imports_need_nothing() -> None:
    assert () == distributions_for({"botocore"})


def test_an_import_that_no_zip_carries_is_refused() -> None:
    with pytest.raises(PackageError, match="requests"):
        distributions_for({"requests"})


def test_a_filtered_lock_keeps_what_is_needed_by_what_is_needed() -> None:
    kept = filtered_lock(LOCK, ("alpha",))

    assert ["alpha", "beta", "gamma"] == locked(kept)
    assert "beta==2.0 ; python_full_version < '4' \\\n    --hash=sha256:bb" in kept


def test_an_empty_set_locks_nothing() -> None:
    assert "" == filtered_lock(LOCK, ())


def test_a_distribution_outside_the_lock_is_refused() -> None:
    with pytest.raises(PackageError, match="omega"):
        filtered_lock(LOCK, ("omega",))


def test_the_real_lock_knows_every_distribution_that_functions_may_use() -> None:
    lock = (ROOT / "requirements" / "lambda.txt").read_text("utf-8")

    kept = locked(filtered_lock(lock, tuple(dependencies.DISTRIBUTIONS.values())))

    assert locked(lock) == kept


def test_the_running_interpreter_is_found() -> None:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"

    found = find_interpreter(version)

    assert found is not None
    assert found.full_version.startswith(f"{version}.")


def test_a_shim_that_fails_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'version 3.99 is not installed' >&2\nexit 127\n", "utf-8")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    assert find_interpreter("3.99") is None


def test_an_interpreter_outside_path_is_found_where_version_managers_keep_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = tmp_path / "versions" / "3.99.1" / "bin" / "python3.99"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\necho 3.99.1\n", "utf-8")
    python.chmod(0o755)
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))

    assert Interpreter(path=python, full_version="3.99.1") == find_interpreter("3.99")


def test_bytecode_is_never_checked_against_its_source(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("answer = 42\n", "utf-8")

    compile_bytecode(tmp_path, Interpreter(path=Path(sys.executable), full_version=""))

    (compiled,) = tmp_path.rglob("*.pyc")
    assert b"\x01\x00\x00\x00" == compiled.read_bytes()[4:8]
    assert b"/var/task/module.py" in compiled.read_bytes()


def test_a_source_that_does_not_compile_is_refused(tmp_path: Path) -> None:
    (tmp_path / "module.py").write_text("def\n", "utf-8")
    with pytest.raises(py_compile.PyCompileError):
        py_compile.compile(str(tmp_path / "module.py"), doraise=True)

    with pytest.raises(PackageError, match="compiling bytecode failed"):
        compile_bytecode(tmp_path, Interpreter(path=Path(sys.executable), full_version=""))


def cache(root: Path, interpreter: Interpreter | None = None) -> DependencyCache:
    return DependencyCache(root=root, settings=DEV, interpreter=interpreter)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "requirements").mkdir()
    (tmp_path / "requirements" / "lambda.txt").write_text(LOCK, "utf-8")
    return tmp_path


def test_a_set_that_was_fetched_is_not_fetched_again(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder := cache(project).folder(("alpha",))).mkdir(parents=True)
    monkeypatch.setattr(dependencies, "_run", pytest.fail)

    assert folder == cache(project).fetch(("alpha",))


def test_the_functions_without_dependencies_need_no_installer(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "_run", pytest.fail)

    assert [] == list(cache(project).fetch(()).iterdir())


def test_another_lock_stage_or_interpreter_is_another_folder(project: Path) -> None:
    before = cache(project)
    folders = {
        before.folder(("alpha",)),
        before.folder(("delta",)),
        cache(project, Interpreter(path=Path("p"), full_version="3.13.1")).folder(("alpha",)),
        DependencyCache(
            root=project, settings=replace(DEV, architecture="x86_64"), interpreter=None
        ).folder(("alpha",)),
        DependencyCache(root=project, settings=LOCAL, interpreter=None).folder(("alpha",)),
    }
    (project / "requirements" / "lambda.txt").write_text(LOCK.replace("aa", "ee"), "utf-8")
    folders.add(before.folder(("alpha",)))

    assert 6 == len(folders)


def test_a_failed_installation_leaves_nothing_that_looks_finished(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_arguments: object, **_options: object) -> None:
        raise PackageError("no network")

    monkeypatch.setattr(dependencies, "_run", fail)

    with pytest.raises(PackageError, match="no network"):
        cache(project).fetch(("alpha",))
    assert [] == list((project / "build" / "deps").iterdir())
