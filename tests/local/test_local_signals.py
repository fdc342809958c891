"""The local cloud ends in order on either signal, also where a shell let it ignore one."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest

from local import __main__ as module

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _own_signals() -> Iterator[None]:
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    for number in numbers:
        signal.signal(number, signal.SIG_IGN)
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize(("command", "status"), [("run", 0), ("demo", 130)])
def test_it_stops_when_it_is_told_to(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    number: signal.Signals,
    command: str,
    status: int,
) -> None:
    def stay(_progress: object) -> int:
        signal.raise_signal(number)
        return 99

    monkeypatch.setattr(module, command, stay)

    assert status == module.main([command])

    assert "stopped" in capsys.readouterr().out
