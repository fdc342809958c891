"""Whatever writes is struck: a route or a use case that is new must have a scene."""

from __future__ import annotations

from pathlib import Path

from functions.manage_program.routes import ROUTES
from tests.harness.cloud import ROOT
from tests.harness.writers import that_write, that_wrote

BY_ITS_FIRST_USE = {
    # What they make is made by the scene of the very first request as well.
    "functions/manage_program/click_keys.py:show",
    "functions/manage_program/services.py:ready_secret",
}
NAMESAKES = {
    # What they call is named like a write and is none.
    "functions/manage_program/partners.py:show",
    "functions/manage_program/qr_codes.py:_draw",
    "functions/manage_program/simulations.py:_simulation",
    "shared/usecases/effects.py:posting",
}


def test_everything_that_writes_has_a_scene() -> None:
    assert BY_ITS_FIRST_USE | NAMESAKES == that_write() - set(that_wrote())


def test_every_route_that_writes_has_a_scene() -> None:
    routes = {
        f"{route.method} {route.pattern}": f"{_file_of(route.run.__module__)}:{route.run.__name__}"
        for route in ROUTES
        if route.method != "GET"
    }

    assert {} == {name: run for name, run in routes.items() if run not in that_wrote()}


def _file_of(module: str) -> str:
    return Path(*module.split(".")).with_suffix(".py").as_posix()


def test_what_is_looked_for_is_there() -> None:
    """Otherwise two empty sets would agree."""
    known = {
        "functions/evaluate_reward/handler.py:_acknowledge",
        "functions/manage_program/links.py:change",
        "shared/usecases/submit_referral.py:_claim",
    }
    assert known <= set(that_wrote())
    assert known - {"functions/manage_program/links.py:change"} <= that_write()
    assert all((ROOT / name.partition(":")[0]).is_file() for name in that_write())
