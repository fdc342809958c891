"""Picks the markers by which the redirect tells programs from people, and measures them.

``python -m bench.agents PEOPLE PROGRAMS`` writes ``shared/domain/bot_markers.py`` and prints the
table of ``docs/metrics.md``. Both files hold one user agent a line; those of the published
figures are ``tests/fixtures/user_agent/{devices,crawlers}.txt`` in the source of ``crawlerdetect``
0.4.2. ``--check`` writes nothing.
"""

import argparse
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

import crawleruseragents

from shared.adapters.crawlers import is_crawler
from shared.domain.clicks import MAX_AGENT_BYTES, Visit, counts, kept_agent

MODULE: Final = Path(__file__).resolve().parents[1] / "shared/domain/bot_markers.py"
MAX_MARKERS: Final = 64

STEMS: Final = ("+http", "bot/", "bot;", "bot)", "bot-", "crawl", "spider")
"""Most programs say that they are one, and where to read about them."""
NOT_LISTED: Final = ("microsoft office/",)
"""Office asks for a link itself before it opens a browser."""
TAGS: Final = ("social-preview", "browser-automation", "http-library")
"""What looks at links in messages, drives browsers, or is no browser at all: what comes to a
short link. Search engines seldom do, and most are told by the stems."""
PEOPLE_TOO: Final = frozenset(
    {
        "amazon cloudfront",
        "bluesky/",
        "code/1.",
        "fluid",
        "goodreads",
        "metaiab facebook",
        "notion/",
        "trae/",
        "tumblr/",
        "viber",
    }
)
"""On the list, but people browse in these applications, or through this network."""
MOST_PEOPLE: Final = 1e-5
"""The share of people's user agents that a marker may be in."""

_EITHER_CASE: Final = re.compile(r"\[([a-z])\1\]")
_PLAIN: Final = re.compile(r"[a-z0-9 ./:_-]{4,}")

_TEXT: Final = '''\
"""Parts of programs' user agents, in lower case. Generated: ``python -m bench.agents``.

From the list ``crawler-user-agents``: what programs have in common, and what looks at links in
messages, drives browsers or is no browser. None is in more than one of {people:,} user agents of
people's devices.
"""

from typing import Final

BOT_MARKERS: Final = (
{markers}
)
'''


def picked(people: Sequence[str]) -> list[str]:
    """Return the markers: those that most programs share, then one for each of the others."""
    everybody = "\n".join(people)
    found: list[str] = []
    # One by one: each name is only asked for once the markers before it are found.
    for marker in chain(STEMS, NOT_LISTED, _names(found)):
        if len(found) == MAX_MARKERS:
            break
        if everybody.count(marker) <= MOST_PEOPLE * len(people):
            found.append(marker)
    return found


def _names(found: Sequence[str]) -> Iterator[str]:
    """Yield the names of programs that no marker tells which was found meanwhile."""
    for tag in TAGS:
        for entry in crawleruseragents.CRAWLER_USER_AGENTS_DATA:
            name = _EITHER_CASE.sub(r"\1", entry["pattern"].lower())
            name = name.replace("\\", "").removeprefix("^").strip()
            if tag not in entry.get("tags", ()) or name in PEOPLE_TOO or _is_told(name, found):
                continue
            agents = (agent.lower() for agent in entry["instances"])
            if _PLAIN.fullmatch(name) and not all(_is_told(agent, found) for agent in agents):
                yield name


def _is_told(agent: str, found: Sequence[str]) -> bool:
    return agent.endswith("bot") or any(marker in agent for marker in found)


def written(markers: Sequence[str], people: int) -> str:
    """Return the text of the module."""
    lines = "\n".join(f'    "{marker}",' for marker in markers)
    return _TEXT.format(people=people, markers=lines)


def figures(agents: Iterable[str]) -> tuple[int, int, int]:
    """Return how many are programs to the short list, to the long one, and to either."""
    short = long = either = 0
    for agent in agents:
        visit = Visit(code="x", headers={"user-agent": agent})
        is_short, is_long = not counts(visit), is_crawler(kept_agent(visit))
        short, long, either = short + is_short, long + is_long, either + (is_short or is_long)
    return short, long, either


def main(arguments: Sequence[str] | None = None) -> int:
    """Pick, write and measure."""
    parser = argparse.ArgumentParser(prog="python -m bench.agents", description=__doc__)
    parser.add_argument("people", type=Path, help="user agents of people, one a line")
    parser.add_argument("programs", type=Path, help="user agents of programs, one a line")
    parser.add_argument("--check", action="store_true", help="measure what is there")
    options = parser.parse_args(arguments)
    people, programs = _lines(options.people), _lines(options.programs)
    if not options.check:
        lower = [agent[:MAX_AGENT_BYTES].lower() for agent in people]
        MODULE.write_text(written(picked(lower), len(people)), "utf-8")
        sys.stdout.write(f"written: {MODULE}; measure with --check\n")
        return 0
    for name, agents in (("programs found", programs), ("people taken for programs", people)):
        counted = ", ".join(f"{n:,} ({n / len(agents):.2%})" for n in figures(agents))
        sys.stdout.write(f"{name}, of {len(agents):,}: {counted} (short, long, either)\n")
    return 0


def _lines(path: Path) -> list[str]:
    text = path.read_text("utf-8", errors="replace")
    return [line.strip() for line in text.splitlines() if line.strip()]


if __name__ == "__main__":
    sys.exit(main())
