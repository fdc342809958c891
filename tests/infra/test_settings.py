from __future__ import annotations

import pytest

from infra.settings import DEV, PROD, SettingsError, load


def test_without_a_stage_it_is_dev() -> None:
    assert DEV == load({})


def test_the_stage_is_chosen_by_name() -> None:
    assert PROD == load({"stage": "prod"})


def test_urls_are_taken_without_their_trailing_slash() -> None:
    settings = load({"stage": "local", "api_url": "http://127.0.0.1:8000/", "short_url": ""})

    assert ("http://127.0.0.1:8000", "") == (settings.api_url, settings.short_url)


@pytest.mark.parametrize("context", [{"stage": "qa"}, {"stage": ""}])
def test_an_unknown_stage_is_refused(context: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match="unknown stage"):
        load(context)


@pytest.mark.parametrize("key", ["api_url", "short_url", "fallback_url"])
def test_a_url_that_is_none_is_refused(key: str) -> None:
    with pytest.raises(SettingsError, match=key):
        load({key: "javascript:alert(1)"})


@pytest.mark.parametrize(("given", "required"), [({}, True), ({"allow_no_pyc": "true"}, False)])
def test_production_insists_on_bytecode_unless_told_otherwise(
    given: dict[str, str], *, required: bool
) -> None:
    assert required is load({"stage": "prod", **given}).require_bytecode


def test_production_is_protected() -> None:
    assert (True, True, True, True) == (
        PROD.protected,
        PROD.point_in_time_recovery,
        PROD.vault_backups,
        PROD.alarms,
    )
