"""Jobs: work on many referrals, in steps that each fit well into one run of a function.

A job is planned (its referrals are listed and put into chunks), worked on chunk by chunk, and
merged. Each step is announced by an event of its own, and stored together with the event that
announces the next one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

SIMULATION: Final = "simulation"
MIGRATION: Final = "migration"

PLANNING: Final = "planning"
RUNNING: Final = "running"
MERGING: Final = "merging"
DONE: Final = "done"

PLAN: Final = "plan"
WORK: Final = "work"
MERGE: Final = "merge"
STEPS: Final = (PLAN, WORK, MERGE)

KEPT_DAYS: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job and how far it came. ``settings`` are what was asked for, as plain values.

    ``shard`` and ``after`` are where planning goes on. ``counts`` are outcomes by name.
    """

    job_id: str
    program_id: str
    kind: str
    settings: Mapping[str, Any]
    requested_by: str
    requested_at: datetime
    updated_at: datetime
    mark: str
    state: str = PLANNING
    shard: int = 0
    after: str = ""
    chunks: int = 0
    referrals: int = 0
    done_chunks: int = 0
    done_referrals: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    version: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Referrals that one step works on; ``run_id`` is of the run that did, "" before."""

    number: int
    referral_ids: tuple[str, ...]
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an event asks for. ``number`` is that of a planning page or of a chunk."""

    job_id: str
    name: str
    number: int
