"""The functions' zips: first their dependencies (network), then the folders (no network).

``python -m infra.packages --stage dev --stage local`` does the first step; ``cdk synth`` the
second.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from infra.catalogue import FUNCTIONS, TRACK_CLICK
from infra.closure import Closure, import_closure
from infra.dependencies import (
    DependencyCache,
    Interpreter,
    PackageError,
    compile_bytecode,
    distributions_for,
    find_interpreter,
    replace_by_bytecode,
)
from infra.settings import STAGES, Settings

ROOT: Final = Path(__file__).resolve().parents[1]

EXACT_CLOSURE: Final = frozenset({TRACK_CLICK.name})
"""Functions whose zip holds nothing but what they import, and that without its sources where there
is an interpreter; others get all of ``shared``."""

_NO_BYTECODE: Final = """\
**********************************************************************
WARNING: no working Python {version} on this machine, so the zips carry
no bytecode and every cold start compiles (2.7 times as slow).
**********************************************************************"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packages:
    """Builds the folders that become the functions' zips, for one stage."""

    root: Path
    settings: Settings
    interpreter: Interpreter | None

    def fetch(self) -> None:
        """Fill the dependency cache for every function; the only step that needs the network.

        Raises:
            PackageError: a dependency is unknown or can't be installed.
        """
        for distributions in sorted({self._distributions(spec.name) for spec in FUNCTIONS}):
            self._cache.fetch(distributions)

    def assemble(self, name: str) -> Path:
        """Return the folder with everything that the function's zip holds.

        Raises:
            PackageError: its dependencies were not fetched yet.
        """
        dependencies = self._cache.folder(self._distributions(name))
        if not dependencies.is_dir():
            raise PackageError(
                f"the dependencies of {name} are not in {dependencies.parent}: run `make packages`"
            )
        final = self.root / "build" / self.settings.stage / name
        final.parent.mkdir(parents=True, exist_ok=True)
        # Built beside and swapped in, so that a reader never sees half a folder for long.
        scratch = Path(tempfile.mkdtemp(dir=final.parent, prefix=f".{name}-"))
        try:
            self._copy_sources(name, scratch / "new")
            if self.interpreter:
                compile_ = replace_by_bytecode if name in EXACT_CLOSURE else compile_bytecode
                compile_(scratch / "new", self.interpreter)
            _link_tree(dependencies, scratch / "new")
            if final.exists():
                final.rename(scratch / "old")
            (scratch / "new").rename(final)
        finally:
            shutil.rmtree(scratch)
        return final

    @property
    def _cache(self) -> DependencyCache:
        return DependencyCache(root=self.root, settings=self.settings, interpreter=self.interpreter)

    def _distributions(self, name: str) -> tuple[str, ...]:
        return distributions_for(self._closure(name).third_party)

    def _closure(self, name: str) -> Closure:
        try:
            return import_closure(self.root, f"functions.{name}.handler")
        except FileNotFoundError as error:
            raise PackageError(f"functions/{name}/handler.py is missing") from error

    def _copy_sources(self, name: str, target: Path) -> None:
        closure = self._closure(name)
        files = {*closure.files, *closure.data}
        if name not in EXACT_CLOSURE:
            for folder in (f"functions/{name}", "shared"):
                files |= {
                    path.relative_to(self.root)
                    for path in (self.root / folder).rglob("*")
                    if path.is_file() and "__pycache__" not in path.parts
                }
        for file in sorted(files):
            (target / file).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / file, target / file)


def _link_tree(source: Path, target: Path) -> None:
    """Copy a tree by hard links where the file system has them: fast, and no second copy."""

    def link(origin: str, copy: str) -> str:
        try:
            os.link(origin, copy)
        except OSError:
            shutil.copyfile(origin, copy)
        return copy

    shutil.copytree(source, target, copy_function=link, dirs_exist_ok=True)


def packages_for(settings: Settings, root: Path = ROOT) -> Packages:
    """Return the builder for a stage, with an interpreter for bytecode where there is one.

    Raises:
        PackageError: the stage insists on bytecode and there is no interpreter for it.
    """
    interpreter = find_interpreter(settings.python_version)
    if interpreter is None:
        print(_NO_BYTECODE.format(version=settings.python_version), file=sys.stderr)  # noqa: T201 - speaks to the operator
        if settings.require_bytecode:
            raise PackageError(
                f"stage {settings.stage} is not built without bytecode: install Python "
                f"{settings.python_version}, or accept slow starts by -c allow_no_pyc=true"
            )
    return Packages(root=root, settings=settings, interpreter=interpreter)


def main(arguments: list[str]) -> int:
    """Fetch the dependencies of the stages that are named."""
    parser = argparse.ArgumentParser(prog="python -m infra.packages", description=__doc__)
    parser.add_argument("--stage", action="append", choices=sorted(STAGES), required=True)
    for stage in parser.parse_args(arguments).stage:
        started = time.monotonic()
        try:
            packages_for(STAGES[stage]).fetch()
        except PackageError as error:
            print(f"infra.packages: {error}", file=sys.stderr)  # noqa: T201 - our own text, for the operator
            return 1
        seconds = time.monotonic() - started
        print(f"== dependencies of the functions, stage {stage}: {seconds:.1f} s")  # noqa: T201 - as above
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
