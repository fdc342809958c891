"""Processor time per redirect of a warm handler, against others that do the same work.

All handlers run at once, each in a process of its own that sleeps while another one is measured.
In every round each of them answers a slice of requests, in an order that turns, so that a ratio
compares neighbours. What each slice asked of the store is counted and has to be what it should be.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from typing import Any, Final

from bench.redirect.runtime import Runtime
from bench.redirect.store import Counts, Store
from bench.timing import Timings
from tests.builders.redirect import an_event

NOOP: Final = "no-op"
OURS: Final = "Goodword"
CLIENT: Final = "boto3 client"
RESOURCE: Final = "boto3 resource + Powertools"
HANDLERS: Final[Mapping[str, str]] = {
    NOOP: "bench.redirect.noop.handler",
    OURS: "functions.track_click.handler.handler",
    CLIENT: "bench.redirect.with_client.handler",
    RESOURCE: "bench.redirect.with_resource.handler",
}
CACHED: Final = ", link cached"
UNCACHED: Final = ", link not cached"

_BROWSER: Final = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
    "accept-encoding": "gzip, deflate, br, zstd",
    "accept-language": "en-US,en;q=0.9,de;q=0.8",
    "content-length": "0",
    "referer": "https://social.example/",
    "sec-ch-ua": '"Chromium";v="142", "Not_A Brand";v="99"',
    "sec-ch-ua-mobile": "?1",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "cross-site",
    "upgrade-insecure-requests": "1",
    "x-amzn-trace-id": "Root=1-692113f5-3b1c2d4e5f60718293a4b5c6",
    "x-forwarded-port": "443",
    "x-forwarded-proto": "https",
}
_AGENT: Final = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 (KHTML, like Gecko) "
    "Chrome/142.0.0.0 Mobile Safari/537.36"
)
_QUERY: Final = "utm_source=social&utm_content=post"


class OtherWorkError(Exception):
    """A handler asked something else of the store than it should have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured: all handlers are started anew ``starts`` times."""

    starts: int
    rounds: int
    requests: int
    unmeasured: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slice:
    """A handler, and whether its requests are for one link or for a new one each."""

    name: str
    runtime: Runtime
    cached: bool

    @property
    def label(self) -> str:
        if self.name == NOOP:
            return NOOP
        return self.name + (CACHED if self.cached else UNCACHED)

    def is_due(self, asked: Counts, requests: int) -> bool:
        if self.name == NOOP:
            return asked == Counts(gets=0, puts=0)
        gets = 0 if self.cached else requests
        # Link and keys that are remembered may have grown old in between.
        return asked.puts == requests and gets <= asked.gets <= gets + 2


def measure(store: Store, plan: Plan) -> Timings:
    """Return seconds of processor time per request, by handler and round.

    Raises:
        OtherWorkError: the handlers did not do the same work.
        RuntimeFailedError: one of them failed.
    """
    taken: dict[str, list[float]] = {}
    for _ in range(plan.starts):
        with ExitStack() as running:
            order = list(_slices(store, running))
            codes = (f"link-{number}" for number in count())
            for piece in order:
                for _ in range(plan.unmeasured):
                    piece.runtime.invoke(request("spring" if piece.cached else next(codes)))
            for _ in range(plan.rounds):
                for piece in order:
                    events = [
                        request("spring" if piece.cached else next(codes))
                        for _ in range(plan.requests)
                    ]
                    taken.setdefault(piece.label, []).append(_run(piece, store, events))
                order.append(order.pop(0))
    return Timings(seconds={label: tuple(values) for label, values in taken.items()})


def request(code: str) -> dict[str, Any]:
    """Return the event of a phone's browser that follows a link."""
    return an_event(f"/{code}", _QUERY, agent=_AGENT, headers=_BROWSER)


def _slices(store: Store, running: ExitStack) -> Iterator[_Slice]:
    for name, handler in HANDLERS.items():
        runtime = Runtime(handler, store)
        running.callback(runtime.stop)
        yield _Slice(name=name, runtime=runtime, cached=True)
        if name != NOOP:
            yield _Slice(name=name, runtime=runtime, cached=False)


def _run(piece: _Slice, store: Store, events: list[dict[str, Any]]) -> float:
    # Once unmeasured: after a pause the link is read anew, and caches of the processor are cold.
    piece.runtime.invoke(events[0])
    events = events[1:]
    before = store.counts()
    begun = piece.runtime.cpu_seconds
    for event in events:
        piece.runtime.invoke(event)
    taken = (piece.runtime.cpu_seconds - begun) / len(events)
    asked = store.counts() - before
    if not piece.is_due(asked, len(events)):
        raise OtherWorkError(f"{piece.label}: {asked} for {len(events)} requests")
    return taken
