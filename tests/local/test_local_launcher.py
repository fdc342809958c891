"""The corrections of the emulator, against stand-ins for its modules."""

from types import SimpleNamespace
from typing import Any

import pytest

from local import launcher


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    found: dict[str, Any] = {}
    monkeypatch.setattr(launcher, "emulator_module", found.__getitem__)
    return found


def test_stream_positions_are_not_saved(modules: dict[str, Any]) -> None:
    state = {"functions": 1, "dynamodb_stream_positions": {"esm": 120}}
    service = SimpleNamespace(get_state=lambda: state)
    modules["services.lambda_svc"] = service

    launcher.forget_stream_positions()

    assert service.get_state() == {"functions": 1}


@pytest.mark.parametrize(("rule", "excluded"), [(True, True), ("true", True), (False, False)])
def test_punctuation_is_left_out_when_asked(
    modules: dict[str, Any], rule: object, *, excluded: bool
) -> None:
    provisioners = SimpleNamespace(
        _sm_secret_string=lambda p: p["GenerateSecretString"].get("ExcludeCharacters", "")
    )
    modules["services.cloudformation.provisioners"] = provisioners

    launcher.exclude_punctuation()
    found = provisioners._sm_secret_string({"GenerateSecretString": {"ExcludePunctuation": rule}})

    assert excluded == ('"' in found)


def test_a_given_secret_stays(modules: dict[str, Any]) -> None:
    provisioners = SimpleNamespace(_sm_secret_string=lambda p: p["SecretString"])
    modules["services.cloudformation.provisioners"] = provisioners

    launcher.exclude_punctuation()

    assert provisioners._sm_secret_string({"SecretString": "x"}) == "x"


def test_the_stderr_wait_is_shortened(modules: dict[str, Any]) -> None:
    def drain(a: float = 0.05, b: float = 0.005, c: float = 0.25) -> tuple[float, float, float]:
        return a, b, c

    modules["core.lambda_runtime"] = SimpleNamespace(
        Worker=SimpleNamespace(_drain_stderr_bounded=drain)
    )

    launcher.shorten_stderr_wait()

    assert launcher.STDERR_WAITS == drain()
