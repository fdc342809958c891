"""The command line against the real management API over a store in memory."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pytest

from cli.__main__ import main
from shared.adapters import management_api
from shared.adapters.management_api import Reply
from tests.functions.manage_program.conftest import ROOT_SECRET, Api, api, http_event

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["api"]

URL = "https://api.example.com"
KEY = f"gw_root_{ROOT_SECRET}"

Sent = tuple[str, str, "Mapping[str, str]", bytes]


@dataclass(slots=True)
class Shell:
    """Runs commands; ``sent`` are the requests, ``before`` sees each before it arrives."""

    api: Api
    output: pytest.CaptureFixture[str]
    sent: list[Sent] = field(default_factory=list)
    before: Callable[[int], Reply | None] = lambda _number: None
    environ: dict[str, str] = field(
        default_factory=lambda: {"GOODWORD_URL": URL, "GOODWORD_KEY": KEY}
    )
    out: str = ""
    err: str = ""

    def __call__(self, *words: str) -> int:
        self.output.readouterr()
        try:
            status = main(words, self.environ)
        except SystemExit as end:  # how argparse refuses
            status = int(str(end.code))
        captured = self.output.readouterr()
        # The function logs to the same place in this process; its lines are JSON objects.
        self.out = "".join(
            line for line in captured.out.splitlines(keepends=True) if '"level":' not in line
        )
        self.err = captured.err
        assert ROOT_SECRET not in captured.out + captured.err
        return status

    def answer(
        self, method: str, url: str, *, body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Reply:
        """Stands in for ``send``."""
        self.sent.append((method, url, headers or {}, body))
        early = self.before(len(self.sent))
        if early is not None:
            return early
        parts = urlsplit(url)
        assert f"{parts.scheme}://{parts.netloc}" == URL
        names = {name.lower(): value for name, value in (headers or {}).items()}
        event = http_event(method, parts.path, parts.query, names, body or None)
        answer: dict[str, Any] = self.api.handler.handler(event, None)
        text = answer["body"]
        raw = base64.b64decode(text) if answer.get("isBase64Encoded") else text.encode()
        sent_back = {name.lower(): value for name, value in answer["headers"].items()}
        return Reply(status=answer["statusCode"], headers=sent_back, body=raw)


@pytest.fixture
def shell(
    api: Api,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Any,  # noqa: ANN401 - a path
) -> Shell:
    found = Shell(api=api, output=capsys)
    monkeypatch.setattr(management_api, "send", found.answer)
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    monkeypatch.chdir(tmp_path)
    return found
