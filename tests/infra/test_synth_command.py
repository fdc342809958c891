"""`npx cdk synth` as an operator types it, with nothing but the tools on PATH."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DEAD_END = "http://127.0.0.1:9"


def synth(tmp_path: Path, *context: str) -> subprocess.CompletedProcess[str]:
    tools = Path(sys.executable).parent
    environment = {
        "PATH": os.pathsep.join([str(tools), "/usr/bin", "/bin"]),
        # Interpreters for bytecode are found below it; credentials must not be.
        "HOME": str(Path.home()),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_EC2_METADATA_DISABLED": "true",
        "CDK_DISABLE_VERSION_CHECK": "true",
        "CDK_DISABLE_CLI_TELEMETRY": "true",
        **dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), DEAD_END),
        **{name: os.environ[name] for name in ("PYENV_ROOT",) if name in os.environ},
    }
    flags = [part for each in context for part in ("-c", each)]
    return subprocess.run(  # noqa: S603 - our own tools, our own arguments
        [tools / "npx", "--no-install", "cdk", "synth", "--quiet", "-o", tmp_path / "out", *flags],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["dev", "prod"])
def test_synth_needs_no_credentials_docker_or_network(tmp_path: Path, stage: str) -> None:
    answer = synth(tmp_path, f"stage={stage}", "allow_no_pyc=true")

    assert 0 == answer.returncode, answer.stderr
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text("utf-8"))
    stack = manifest["artifacts"][f"goodword-{stage}"]
    assert "aws://unknown-account/unknown-region" == stack["environment"]
    assert (stage == "prod") is stack["properties"].get("terminationProtection", False)


@pytest.mark.slow
def test_an_unknown_stage_is_named_in_one_line(tmp_path: Path) -> None:
    answer = synth(tmp_path, "stage=qa")

    assert 0 != answer.returncode
    assert "goodword: unknown stage 'qa': use -c stage=dev|prod|local" in answer.stderr
    assert "Traceback" not in answer.stderr
