"""One link that everybody follows at once, and the proof that each click is there exactly once."""

import hashlib
import http
import json
import time
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from local.cloud import Cloud
from local.emulator import service
from local.seed import Demo
from shared import names
from shared.adapters.dynamodb.codec import from_wire
from shared.adapters.dynamodb.keys import activity_parts
from shared.adapters.management_api import send

CLICKS_EACH: Final = 2
"""Of one visitor; a third one within ten seconds would be a burst."""
KEY_PER_SECOND: Final = 32
"""Clicks that one partition key may take: one in 32 ms. The service takes a thousand writes."""
PREFIXES: Final = 64
"""Parts that the hashes of keys are sorted into."""
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) Visitor/{number} Firefox/140.0"
_TOLD_EVERY: Final = 1_000
_POLL_SECONDS: Final = 1.0
_ESTIMATE_ERROR: Final = 5 * 0.046
"""Five standard errors of estimated uniques."""
_UNLIKELY: Final = 4.75
"""Standard deviations that chance passes once in a million times."""

Row = dict[str, Any]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What visitors got: how often each status, and the ids of clicks in their tokens."""

    statuses: Mapping[int, int]
    click_ids: Sequence[str]
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that has to be so, and what was found."""

    what: str
    expected: str
    found: str
    holds: bool

    def line(self) -> str:
        """Return it in one line that begins with PASS or FAIL."""
        word = "PASS" if self.holds else "FAIL"
        return f"{word} {self.what}: {self.found} (expected: {self.expected})"


def follow(cloud: Cloud, demo: Demo, clicks: int, *, workers: int, say: Say) -> Followed:
    """Let visitors follow the link, some at a time, each twice."""
    url = f"{cloud.url}/{demo.link_code}"

    def visit(number: int) -> tuple[int, str]:
        agent = _AGENT.format(number=number // CLICKS_EACH)
        reply = send("GET", url, headers={"User-Agent": agent})
        if reply.status != http.HTTPStatus.FOUND:
            return reply.status, ""
        return reply.status, _click_id(reply.headers["location"])

    begun = time.monotonic()
    found: list[tuple[int, str]] = []
    with ThreadPoolExecutor(max_workers=workers) as pool:
        for result in pool.map(visit, range(clicks)):
            found.append(result)
            if len(found) % _TOLD_EVERY == 0:
                say(f"{len(found):,} of {clicks:,} clicks")
    return Followed(
        statuses=Counter(status for status, _ in found),
        click_ids=[click_id for _, click_id in found if click_id],
        seconds=time.monotonic() - begun,
    )


def _click_id(location: str) -> str:
    """Return the id in the click token of an address, without checking its signature."""
    (token,) = parse_qs(urlsplit(location).query)["click_id"]
    payload = token.split(".")[2]
    statement = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return str(statement[0])


def wait_until_counted(cloud: Cloud, demo: Demo, clicks: int, *, limit_seconds: float) -> float:
    """Wait until all figures hold so many clicks or stop growing; return seconds of waiting."""
    begun = time.monotonic()
    last, since = -1, begun
    while True:
        found = min(
            int(figures(cloud, demo, partner=partner)["clicks"]) for partner in (True, False)
        )
        now = time.monotonic()
        if found != last:
            last, since = found, now
        if found >= clicks or now - since >= limit_seconds:
            return now - begun
        time.sleep(_POLL_SECONDS)


def figures(cloud: Cloud, demo: Demo, *, partner: bool) -> dict[str, Any]:
    """Return the totals of the link's partner, or of the whole programme."""
    today = datetime.now(UTC).date()
    query = {
        "program_id": demo.program_id,
        "from": (today - timedelta(days=1)).isoformat(),
        "to": today.isoformat(),
    }
    if partner:
        query["partner_id"] = demo.partner_id
    found: dict[str, Any] = cloud.management.get("/metrics", **query)["totals"]
    return found


def rows(cloud: Cloud, output: str) -> list[Row]:
    """Return all rows of the table that an output of the stack names."""
    request: dict[str, Any] = {"TableName": cloud.deployment.outputs[output]}
    found: list[Row] = []
    while True:
        answer = service(cloud.emulator.port, "dynamodb", "DynamoDB_20120810.Scan", request)
        found += [from_wire(item) for item in answer["Items"]]
        if "LastEvaluatedKey" not in answer:
            return found
        request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]


def check_counters(clicks: int, totals: Mapping[str, Any], whose: str) -> Iterator[Check]:
    """Yield what the figures must say; uniques may be estimated."""
    for name, expected in (("clicks", clicks), ("humans", clicks), ("bots", 0)):
        yield _equal(f"{name} of the {whose}", expected, totals[name])
    visitors = -(-clicks // CLICKS_EACH)
    error = _ESTIMATE_ERROR if totals["uniques_estimated"] else 0
    yield Check(
        what=f"uniques of the {whose}",
        expected=f"{visitors:,}" + (f" +- {error:.0%}" if error else ""),
        found=f"{totals['uniques']:,}",
        holds=abs(totals["uniques"] - visitors) <= error * visitors,
    )


def check_clicks(clicks: int, followed: Followed, stored: Sequence[Row]) -> Iterator[Check]:
    """Yield that every visitor was sent on and each click is a row of its own, spread evenly."""
    yield _equal("visitors who were sent on", clicks, followed.statuses.get(302, 0))
    yield _equal("different clicks in their tokens", clicks, len(set(followed.click_ids)))
    ids = {row[names.SK] for row in stored}
    yield _equal("rows of clicks", clicks, len(stored))
    yield _equal("different clicks in them", clicks, len(ids))
    yield _equal("clicks of tokens that have no row", 0, len(set(followed.click_ids) - ids))
    seconds = Counter((row[names.PK], row["t"] // 1_000) for row in stored)
    hottest = max(seconds.values(), default=0)
    yield Check(
        what="most clicks of one partition key within a second",
        expected=f"at most {KEY_PER_SECOND}",
        found=f"{hottest}",
        holds=hottest <= KEY_PER_SECOND,
    )
    uneven = unevenness({row[names.PK] for row in stored})
    yield Check(
        what=f"chi-square of the different keys' hashes over {PREFIXES} prefixes",
        expected=f"at most {chance(PREFIXES - 1):.0f}",
        found=f"{uneven:.0f}",
        holds=uneven <= chance(PREFIXES - 1),
    )


def unevenness(keys: Collection[str]) -> float:
    """Return chi-square of keys over the prefixes of their hashes.

    The service too files a row by a hash of its whole partition key.
    """
    counts = Counter(hashlib.sha256(key.encode()).digest()[0] % PREFIXES for key in keys)
    expected = len(keys) / PREFIXES
    return sum((counts[prefix] - expected) ** 2 / expected for prefix in range(PREFIXES))


def chance(freedom: int) -> float:
    """Return the chi-square that chance passes once in a million times (Wilson and Hilferty)."""
    part = 2 / (9 * freedom)
    return freedom * float(1 - part + _UNLIKELY * part**0.5) ** 3


def check_shared_rows(clicks: int, before: Sequence[Row], after: Sequence[Row]) -> Iterator[Check]:
    """Yield that nothing but counters changed, and these far less often than there were clicks."""
    known = {_key(row): row for row in before}
    changed = [row for row in after if known.get(_key(row)) != row]
    others = [_key(row) for row in changed if not row[names.PK].startswith(names.ACTIVITY_PREFIX)]
    yield _equal("other rows than counters that changed", 0, len(others))
    for row in changed:
        if row[names.PK].startswith(names.ACTIVITY_PREFIX):
            writes = row["version"] - known.get(_key(row), {"version": 0})["version"]
            yield Check(
                what=f"writes of the counter {_shown(row)}",
                expected="fewer than half as many as clicks",
                found=f"{writes:,}",
                holds=2 * writes < clicks,
            )


def _key(row: Row) -> tuple[str, str]:
    return row[names.PK], row[names.SK]


def _shown(row: Row) -> str:
    _, partner_id, *_ = activity_parts(_key(row))
    return "of the link" if partner_id else "of the programme"


def _equal(what: str, expected: int, found: int) -> Check:
    return Check(what=what, expected=f"{expected:,}", found=f"{found:,}", holds=expected == found)
