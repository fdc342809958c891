"""Simulate draft terms: evaluate referrals chunk by chunk, and merge what was found."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime
from functools import lru_cache
from typing import Any, Final

from shared.domain.jobs import Job
from shared.domain.simulation import (
    Found,
    Paid,
    Reader,
    collect,
    paid_for,
    paid_written,
    written,
)
from shared.domain.simulation_report import merge
from shared.domain.terms import Terms
from shared.domain.terms_reader import parse_terms
from shared.ports import Ledger

CHUNK: Final = 100
"""Referrals of one step: a few seconds of reading, far below one function's time limit."""


class Simulation:
    """Satisfies ``run_job.Worker``. It reads the ledger and never writes it."""

    chunk_size = CHUNK

    def __init__(self, ledger: Ledger) -> None:
        """Keep where history is read."""
        self._ledger = ledger

    def work(self, job: Job, referral_ids: Iterable[str]) -> tuple[str, Mapping[str, int]]:
        """Return what the draft gives for each referral, and what was paid."""
        terms = _terms(job)

        @lru_cache(maxsize=1_000)
        def find_rate(currency: str, on: date) -> tuple[str, str] | None:
            return self._ledger.rate(job.program_id, currency, on)

        founds: list[Found] = []
        for referral_id in referral_ids:
            aggregate = self._ledger.load(referral_id)
            if aggregate is not None:
                founds.append(collect(terms, aggregate, find_rate))
        partners = {found.partner_id for found in founds if found.partner_id}
        paid = {partner_id: self._paid(partner_id, job) for partner_id in sorted(partners)}
        body = {"found": [written(found) for found in founds], "paid": paid}
        return json.dumps(body, separators=(",", ":")), {"evaluated": len(founds)}

    def _paid(self, partner_id: str, job: Job) -> list[Any]:
        file = self._ledger.load_partner(partner_id, job.program_id)
        return [paid_written(paid) for paid in paid_for(file.rewards)] if file else []

    def merge(self, job: Job, results: Iterable[str]) -> str:
        """Return the report as JSON."""
        reader = Reader()
        founds: list[Found] = []
        # A partner is in many chunks, and the rewards for successes count once.
        paid: dict[str, list[Paid]] = {}
        for text in results:
            body = json.loads(text)
            founds += [reader.found(row) for row in body["found"]]
            for partner_id, rows in body["paid"].items():
                paid[partner_id] = [reader.paid(row) for row in rows]
        report = merge(
            _terms(job),
            founds,
            [each for rows in paid.values() for each in rows],
            since=datetime.fromisoformat(job.settings["from"]),
            until=datetime.fromisoformat(job.settings["to"]),
        )
        return json.dumps(asdict(report), separators=(",", ":"))


def _terms(job: Job) -> Terms:
    settings = job.settings
    return parse_terms(
        json.loads(settings["definition"]),
        currency=settings["currency"],
        time_zone=settings["time_zone"],
    )
