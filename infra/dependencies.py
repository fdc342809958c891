"""Folders of third-party packages, one per set that functions need, cached by their content.

Filling the cache (``python -m infra.packages``) needs the network; using it does not.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from infra.settings import Settings

DISTRIBUTIONS: Final[Mapping[str, str]] = {
    "ada_url": "ada-url",
    "aws_lambda_powertools": "aws-lambda-powertools",
    "crawleruseragents": "crawler-user-agents",
    "email_validator": "email-validator",
    "pydantic": "pydantic",
    "pydantic_core": "pydantic-core",
    "segno": "segno",
    "tzdata": "tzdata",
    "yaml": "pyyaml",
}
"""Import name -> what ``requirements/lambda.txt`` calls it."""

IN_THE_RUNTIME: Final = frozenset({"boto3", "botocore"})
"""What Lambda's Python brings along."""

_ENTRY = re.compile(r"\n(?=[A-Za-z0-9])")
_LEFT_OUT = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
_INSTALL_SECONDS: Final = 600
_COMPILE_SECONDS: Final = 300
_PROBE_SECONDS: Final = 10
_ISOLATED: Final = ("-s", "-P")
"""As ``-I``, which would also ignore the hash seed."""
_SHRINK: Final = Path(__file__).with_name("shrink.py")


class PackageError(Exception):
    """A package can't be built; the text says what to do about it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python that was run and said that it is of the wanted minor version."""

    path: Path
    full_version: str


def distributions_for(imports: Collection[str]) -> tuple[str, ...]:
    """Return the distributions that bring these import names, without what Lambda has.

    Raises:
        PackageError: an import that ``requirements/lambda.in`` does not provide.
    """
    unknown = set(imports) - set(DISTRIBUTIONS) - IN_THE_RUNTIME
    if unknown:
        raise PackageError(
            f"functions import {', '.join(sorted(unknown))}, which no zip carries: add it to "
            "requirements/lambda.in, run `make lock`, and name it in infra/dependencies.py"
        )
    return tuple(sorted(DISTRIBUTIONS[name] for name in set(imports) & set(DISTRIBUTIONS)))


def filtered_lock(lock: str, wanted: Collection[str]) -> str:
    """Return the part of a lock that these distributions and their own dependencies need.

    The ``# via`` notes that the resolver leaves say who needs whom.

    Raises:
        PackageError: a distribution is not in the lock.
    """
    entries = {entry.split("==", 1)[0]: entry for entry in _entries(lock)}
    missing = set(wanted) - set(entries)
    if missing:
        raise PackageError(f"not in requirements/lambda.txt: {', '.join(sorted(missing))}")
    kept = set(wanted)
    while True:
        more = {name for name, entry in entries.items() if name not in kept and kept & _via(entry)}
        if not more:
            return "".join(f"{entries[name].rstrip()}\n" for name in sorted(kept))
        kept |= more


def _entries(lock: str) -> Iterator[str]:
    for entry in _ENTRY.split(lock):
        if re.match(r"[A-Za-z0-9._-]+==", entry):
            yield entry


def _via(entry: str) -> set[str]:
    _, _, notes = entry.partition("# via")
    return set(re.findall(r"[A-Za-z0-9._-]+", notes.replace("#", " ")))


def find_interpreter(python_version: str) -> Interpreter | None:
    """Return a working Python of this minor version, if the machine has one.

    A version manager's shim may be on PATH and still fail, so each candidate is run.
    """
    for candidate in _candidates(python_version):
        full_version = _version_of(candidate)
        if full_version and full_version.rsplit(".", 1)[0] == python_version:
            return Interpreter(path=candidate, full_version=full_version)
    return None


def _candidates(python_version: str) -> Iterator[Path]:
    yield Path(sys.executable)
    name = f"python{python_version}"
    on_path = (Path(folder) / name for folder in os.get_exec_path())
    yield from (candidate for candidate in on_path if candidate.exists())
    home = Path.home()
    pyenv = Path(os.environ.get("PYENV_ROOT", home / ".pyenv"))
    for folder, pattern in (
        (pyenv / "versions", f"{python_version}*/bin/{name}"),
        (home / ".local/share/uv/python", f"cpython-{python_version}*/bin/{name}"),
        (Path("/opt"), f"*/bin/{name}"),
    ):
        if folder.is_dir():
            yield from sorted(folder.glob(pattern), reverse=True)


def _version_of(python: Path) -> str:
    try:
        answer = subprocess.run(
            [python, "-I", "-c", "import platform; print(platform.python_version())"],
            capture_output=True,
            check=True,
            text=True,
            timeout=_PROBE_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def compile_bytecode(folder: Path, interpreter: Interpreter) -> None:
    """Write ``.pyc`` files that Lambda's Python never checks against their sources.

    Zips are stamped 1980, so ordinary ones would never be valid.

    Raises:
        PackageError: the interpreter failed.
    """
    # A `.pyc` carries its source's path for tracebacks: the one that it has in Lambda.
    options = ("--invalidation-mode", "unchecked-hash", "-s", str(folder), "-p", "/var/task")
    _run(
        [str(interpreter.path), *_ISOLATED, "-m", "compileall", "-q", *options, str(folder)],
        "compiling bytecode failed",
        seconds=_COMPILE_SECONDS,
    )


def replace_by_bytecode(folder: Path, interpreter: Interpreter) -> None:
    """Put a shrunk ``module.pyc`` in the place of every ``module.py`` of one function.

    Raises:
        PackageError: the interpreter failed.
    """
    # Columns say nothing without a source; files and lines stay.
    flags = (*_ISOLATED, "-X", "no_debug_ranges")
    _run(
        [str(interpreter.path), *flags, str(_SHRINK), str(folder)],
        "shrinking the modules failed",
        seconds=_COMPILE_SECONDS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyCache:
    """Installed sets under ``build/deps/<hash>``."""

    root: Path
    settings: Settings
    interpreter: Interpreter | None

    def folder(self, distributions: tuple[str, ...]) -> Path:
        """Return where this set is, or would be."""
        settings = self.settings
        recipe = (
            self._lock(distributions),
            settings.python_version,
            f"host:{sys.platform}" if settings.for_host else "lambda",
            settings.architecture,
            self.interpreter.full_version if self.interpreter else "no bytecode",
        )
        digest = hashlib.sha256("\0".join(recipe).encode()).hexdigest()
        return self.root / "build" / "deps" / digest[:16]

    def fetch(self, distributions: tuple[str, ...]) -> Path:
        """Install the set unless it is there already.

        Raises:
            PackageError: uv failed.
        """
        final = self.folder(distributions)
        if final.is_dir():
            return final
        final.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=final.parent, prefix=".new-") as name:
            target = Path(name) / "packages"
            target.mkdir()
            if distributions:
                self._install(distributions, Path(name), target)
            if self.interpreter:
                compile_bytecode(target, self.interpreter)
            try:
                target.rename(final)
            except OSError:
                # Somebody else was quicker with the same content.
                if not final.is_dir():
                    raise
        return final

    def _lock(self, distributions: tuple[str, ...]) -> str:
        text = (self.root / "requirements" / "lambda.txt").read_text("utf-8")
        return filtered_lock(text, distributions)

    def _install(self, distributions: tuple[str, ...], scratch: Path, target: Path) -> None:
        lock = scratch / "requirements.txt"
        lock.write_text(self._lock(distributions), "utf-8")
        command = [_uv(), "pip", "install", "--quiet", "--no-config", "--target", str(target)]
        command += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
        if self.settings.for_host:
            command += ["--python", sys.executable]
        else:
            machine = "aarch64" if self.settings.architecture == "arm64" else "x86_64"
            command += ["--python-platform", f"{machine}-manylinux_2_28"]
            command += ["--python-version", self.settings.python_version]
        _run([*command, "-r", str(lock)], "installing the functions' dependencies failed")
        _strip(target)


def _strip(target: Path) -> None:
    """Remove what differs between two installations of the same packages, and scripts."""
    shutil.rmtree(target / "bin", ignore_errors=True)
    (target / ".lock").unlink(missing_ok=True)
    for info in target.glob("*.dist-info"):
        for name in _LEFT_OUT:
            (info / name).unlink(missing_ok=True)
    for cache in list(target.rglob("__pycache__")):
        shutil.rmtree(cache)


def _uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    found = str(beside) if beside.exists() else shutil.which("uv")
    if not found:
        raise PackageError("uv is missing: run `make setup`")
    return found


def _run(command: list[str], problem: str, *, seconds: int = _INSTALL_SECONDS) -> None:
    # A fixed hash seed keeps the bytecode, and so the zip's hash, the same from run to run.
    inherited = {name: text for name, text in os.environ.items() if not name.startswith("PYTHON")}
    environment = {**inherited, "PYTHONHASHSEED": "0", "UV_PYTHON_DOWNLOADS": "never"}
    try:
        subprocess.run(
            command, check=True, capture_output=True, text=True, timeout=seconds, env=environment
        )
    except subprocess.CalledProcessError as error:
        raise PackageError(f"{problem}:\n{error.stderr or error.stdout}") from error
    except subprocess.TimeoutExpired as error:
        raise PackageError(f"{problem}: no end after {seconds} s") from error
