"""Synthesises each stage once, with stand-ins for the functions' zips."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from infra.catalogue import FUNCTIONS
from infra.settings import STAGES, Settings
from tests.infra.templates import Template

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def synthesise(tmp_path_factory: pytest.TempPathFactory) -> Callable[[Settings], Template]:
    """Return what turns settings into a template, failing on any unacknowledged finding."""
    # jsii runs Node from PATH: the pinned one, not what the machine happens to have.
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    packages = tmp_path_factory.mktemp("packages")
    for spec in FUNCTIONS:
        (packages / spec.name).mkdir()
        (packages / spec.name / "stand_in.py").write_text("", "utf-8")

    def synthesise(settings: Settings) -> Template:
        # Importing aws_cdk takes seconds: only tests that synthesise pay for it.
        from aws_cdk import App  # noqa: PLC0415

        from infra.app import build  # noqa: PLC0415

        context = json.loads((ROOT / "cdk.json").read_text("utf-8"))["context"]
        out = tmp_path_factory.mktemp("cdk.out")
        app = App(outdir=str(out), context=context)
        build(app, settings, packages.joinpath)
        assembly = app.synth()
        # Errors stop synthesis by themselves; a warning is a finding too.
        assert [] == _findings(out / "validation-report.json")
        return Template(body=assembly.get_stack_by_name(settings.stack_name).template)

    return synthesise


@pytest.fixture(scope="session")
def dev(synthesise: Callable[[Settings], Template]) -> Template:
    return synthesise(STAGES["dev"])


@pytest.fixture(scope="session")
def prod(synthesise: Callable[[Settings], Template]) -> Template:
    return synthesise(replace(STAGES["prod"], alarm_email="ops@example.com"))


@pytest.fixture(scope="session")
def local(synthesise: Callable[[Settings], Template]) -> Template:
    settings = replace(
        STAGES["local"],
        api_url="http://127.0.0.1:8000",
        short_url="http://127.0.0.1:8000",
    )
    return synthesise(settings)


def _findings(report: Path) -> list[str]:
    plugins = json.loads(report.read_text("utf-8"))["pluginReports"]
    assert ["AwsSolutions"] == [plugin["pluginName"] for plugin in plugins]
    return [
        f"{violation['ruleName']}: {construct['constructPath']}"
        for plugin in plugins
        for violation in plugin["violations"]
        for construct in violation["violatingConstructs"]
    ]
