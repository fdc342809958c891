"""The command line against the deployed local cloud."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cli.__main__ import main
from local.seed import LANDING_PATH
from shared.adapters.management_api import send

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

BROWSER = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"}


def test_links_are_imported_followed_drawn_and_retired(
    deployed: Deployed,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    environ = {"GOODWORD_URL": deployed.url, "GOODWORD_KEY": deployed.api.key}

    def run(*words: str) -> Any:  # noqa: ANN401 - any JSON
        capsys.readouterr()
        assert 0 == main(("--json", *words), environ)
        return json.loads(capsys.readouterr().out)

    row = f"{deployed.demo.partner_id},{deployed.url}{LANDING_PATH},flyer"
    Path("links.csv").write_text(f"partner_id,destination,asset\n{row}\n{row}-2\n")

    first = run("links", "import", "links.csv", "--program", deployed.demo.program_id)
    again = run("links", "import", "links.csv", "--program", deployed.demo.program_id)

    assert (2, first["links"]) == (first["made"], again["links"])
    code = first["links"][0]["code"]
    assert 302 == send("GET", f"{deployed.url}/{code}", headers=BROWSER).status
    assert run("links", "qr", code, "--out", "code.png")["bytes"] > 100
    assert Path("code.png").read_bytes().startswith(b"\x89PNG")
    assert code in {link["code"] for link in run("links", "list", "--program", "prg_demo")}
    assert run("links", "retire", code)["retired_at"]
    assert code not in {link["code"] for link in run("links", "list", "--program", "prg_demo")}
    assert "prg_demo" in {program["id"] for program in run("programs", "list")}
