"""Faults of the store: what can happen at any call, before or after it takes effect."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, ReadTimeoutError

from shared.domain.errors import GoodwordError

if TYPE_CHECKING:
    from collections.abc import Callable


class Crash(BaseException):
    """The process is gone: no ``except Exception`` may swallow it."""


def _error(code: str, operation: str) -> ClientError:
    reasons = [{"Code": "TransactionConflict"}] if code == "TransactionCanceledException" else []
    response: Any = {"Error": {"Code": code, "Message": ""}, "CancellationReasons": reasons}
    return ClientError(response, operation)


FAULTS: dict[str, tuple[str, Callable[[], BaseException]]] = {
    "crash before": ("before", Crash),
    "crash after": ("after", Crash),
    "service error": ("before", lambda: _error("InternalServerError", "x")),
    "throttled": ("before", lambda: _error("ThrottlingException", "x")),
    "conflict": ("before", lambda: _error("TransactionCanceledException", "x")),
    "connect timeout": ("before", lambda: ConnectTimeoutError(endpoint_url="x")),
    "timeout after success": ("after", lambda: ReadTimeoutError(endpoint_url="x")),
}


def at_call(point: int, act: Callable[[], object]) -> Callable[..., None]:
    """Returns a hook that acts at the ``point``-th call, counted from 0, and then never again."""
    seen = count()

    def hook(*_call: object) -> None:
        if next(seen) == point:
            act()

    return hook


def raiser(make: Callable[[], BaseException]) -> Callable[[], None]:
    """Returns what raises a fresh fault."""

    def act() -> None:
        raise make()

    return act


def again(work: Callable[[], object]) -> None:
    """Does it as the queue does: again and again until it succeeds."""
    for _ in range(5):
        try:
            work()
        except (GoodwordError, Crash):
            continue
        return
    pytest.fail("never succeeded")
