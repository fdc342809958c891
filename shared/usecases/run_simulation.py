"""Simulate draft terms: evaluate referrals chunk by chunk, and merge what was found."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

from shared.domain.errors import GoodwordError
from shared.domain.jobs import Job, Merged, Worked
from shared.domain.simulation import (
    FindRate,
    Found,
    Paid,
    Reader,
    collect,
    paid_for,
    paid_written,
    written,
)
from shared.domain.simulation_report import PartnerLine, merge
from shared.domain.terms import Terms
from shared.domain.terms_reader import parse_terms
from shared.ports import HistoryReader
from shared.usecases.run_job import OutOfTime

T = TypeVar("T")
R = TypeVar("R")

MOST: Final = 150_000
"""Referrals of one simulation: to merge more takes longer than one function may run."""
CHUNK: Final = 500
"""Referrals of one step at most: a few seconds; a step that runs out of time leaves the rest."""
LINES: Final = 100
"""Partners on one stored page beside the report."""
MAX_UNREADABLE: Final = 100
"""Referrals that a report names of those that can't be read."""


class Each(Protocol):
    """Calls a function with each item and yields the answers in order, as ``map`` does."""

    def __call__(self, function: Callable[[T], R], items: Iterable[T], /) -> Iterator[R]:
        """Yield each answer."""


class Simulation:
    """Satisfies ``run_job.Worker``. It reads history and never writes it."""

    chunk_size = CHUNK
    most = MOST

    def __init__(self, histories: HistoryReader, each: Each = map) -> None:
        """Keep where history is read; ``each`` may read several referrals at the same time."""
        self._histories = histories
        self._each = each

    def work(self, job: Job, referral_ids: Sequence[str], out_of_time: OutOfTime) -> Worked:
        """Return what the draft gives for each referral, and what was paid."""
        terms = _terms(job)

        @lru_cache(maxsize=1_000)
        def find_rate(currency: str, on: date) -> tuple[str, str] | None:
            return self._histories.rate(job.program_id, currency, on)

        def look(referral_id: str) -> Found | str | None:
            return self._found(referral_id, terms, find_rate)

        done = 0
        founds: list[Found] = []
        unreadable: list[str] = []
        for found in self._each(look, referral_ids):
            done += 1
            if isinstance(found, Found):
                founds.append(found)
            elif found:
                unreadable.append(found)
            if out_of_time():
                break
        body = {
            "found": [written(found) for found in founds],
            "paid": self._paid(job, founds),
            "unreadable": unreadable,
        }
        counts = {"evaluated": len(founds), "unreadable": len(unreadable)}
        return Worked(done=done, text=json.dumps(body, separators=(",", ":")), counts=counts)

    def _found(self, referral_id: str, terms: Terms, find_rate: FindRate) -> Found | str | None:
        """Return what is found of a referral; its id if it can't be read, None if it is gone."""
        try:
            history = self._histories.history(referral_id)
            return collect(terms, history, find_rate) if history else None
        except GoodwordError:
            raise
        except Exception:  # noqa: BLE001 - one referral that can't be read must not stop the others
            return referral_id

    def _paid(self, job: Job, founds: Iterable[Found]) -> dict[str, list[Any]]:
        """Return what the partners were paid for successes, if these terms ever paid for any."""
        if not job.settings["successes"]:
            return {}

        def rewards(partner_id: str) -> list[Any]:
            given = self._histories.success_rewards(partner_id, job.program_id)
            return [paid_written(paid) for paid in paid_for(given)]

        partners = sorted({found.partner_id for found in founds if found.partner_id})
        return dict(zip(partners, self._each(rewards, partners), strict=True))

    def merge(self, job: Job, results: Iterable[str], _out_of_time: OutOfTime) -> Merged:
        """Return the report as JSON, and the partners who win or lose on pages."""
        reader = Reader()
        founds: list[Found] = []
        unreadable: list[str] = []
        # A partner is in many chunks, and the rewards for successes count once.
        paid: dict[str, list[Paid]] = {}
        for text in results:
            body = json.loads(text)
            founds += [reader.found(row) for row in body["found"]]
            unreadable += body["unreadable"]
            for partner_id, rows in body["paid"].items():
                paid[partner_id] = [reader.paid(row) for row in rows]
        report = merge(
            _terms(job),
            founds,
            [each for rows in paid.values() for each in rows],
            since=datetime.fromisoformat(job.settings["from"]),
            until=datetime.fromisoformat(job.settings["to"]),
        )
        told = asdict(replace(report, affected=()))
        told["unreadable"] = sorted(unreadable)[:MAX_UNREADABLE]
        return Merged(report=json.dumps(told, separators=(",", ":")), pages=_pages(report.affected))


def _pages(lines: Sequence[PartnerLine]) -> tuple[str, ...]:
    rows = [[line.partner_id, line.simulated_minor, line.paid_minor] for line in lines]
    return tuple(
        json.dumps(rows[start : start + LINES], separators=(",", ":"))
        for start in range(0, len(rows), LINES)
    )


def _terms(job: Job) -> Terms:
    settings = job.settings
    return parse_terms(
        json.loads(settings["definition"]),
        currency=settings["currency"],
        time_zone=settings["time_zone"],
    )
