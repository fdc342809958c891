from __future__ import annotations

from pathlib import Path

import pytest

from infra import packages
from infra.dependencies import Interpreter, PackageError
from infra.packages import Packages, packages_for
from infra.settings import DEV, PROD

SOURCES = {
    "functions/__init__.py": "",
    "functions/track_click/__init__.py": "",
    "functions/track_click/handler.py": "from shared import names",
    "functions/manage_program/__init__.py": "",
    "functions/manage_program/handler.py": "from shared import names",
    "functions/manage_program/schema.json": "{}",
    "functions/manage_program/__pycache__/handler.cpython-311.pyc": "",
    "functions/other/__init__.py": "",
    "shared/__init__.py": "",
    "shared/names.py": "",
    "shared/unused.py": "",
    "requirements/lambda.txt": "",
    "tests/test_names.py": "",
}


@pytest.fixture
def project(tmp_path: Path) -> Packages:
    for name, text in SOURCES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, "utf-8")
    return Packages(root=tmp_path, settings=DEV, interpreter=None)


def fetched(project: Packages) -> Path:
    """Pretend that the empty dependency set was fetched, with one module in it."""
    folder = project._cache.folder(())
    folder.mkdir(parents=True)
    (folder / "dependency.py").write_text("", "utf-8")
    return folder


def contents(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_redirect_s_package_is_its_import_closure(project: Packages) -> None:
    fetched(project)

    assert {
        "dependency.py",
        "functions/__init__.py",
        "functions/track_click/__init__.py",
        "functions/track_click/handler.py",
        "shared/__init__.py",
        "shared/names.py",
    } == contents(project.assemble("track_click"))


def test_others_hold_their_folder_and_shared_and_nothing_else(project: Packages) -> None:
    fetched(project)

    assert {
        "dependency.py",
        "functions/__init__.py",
        "functions/manage_program/__init__.py",
        "functions/manage_program/handler.py",
        "functions/manage_program/schema.json",
        "shared/__init__.py",
        "shared/names.py",
        "shared/unused.py",
    } == contents(project.assemble("manage_program"))


def test_a_second_assembly_forgets_what_went_away(project: Packages) -> None:
    fetched(project)
    project.assemble("manage_program")
    (project.root / "shared" / "unused.py").unlink()

    folder = project.assemble("manage_program")

    assert "shared/unused.py" not in contents(folder)
    assert [folder] == list(folder.parent.iterdir())


def test_without_fetched_dependencies_it_says_what_to_run(project: Packages) -> None:
    with pytest.raises(PackageError, match="make packages"):
        project.assemble("track_click")


def test_a_function_without_a_handler_is_refused(project: Packages) -> None:
    with pytest.raises(PackageError, match=r"functions/other/handler\.py is missing"):
        project.assemble("other")


def test_without_an_interpreter_it_warns_aloud(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(packages, "find_interpreter", lambda _version: None)

    assert packages_for(DEV).interpreter is None
    assert "WARNING: no working Python 3.13" in capsys.readouterr().err


def test_without_an_interpreter_production_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_interpreter", lambda _version: None)

    with pytest.raises(PackageError, match="allow_no_pyc=true"):
        packages_for(PROD)


def test_with_an_interpreter_production_is_built(monkeypatch: pytest.MonkeyPatch) -> None:
    interpreter = Interpreter(path=Path("python3.13"), full_version="3.13.1")
    monkeypatch.setattr(packages, "find_interpreter", lambda _version: interpreter)

    assert interpreter == packages_for(PROD).interpreter
