"""Jobs: work on many referrals, in steps that each fit well into one run of a function.

A job is planned (its referrals are listed and put into chunks), worked on chunk by chunk, and
merged. Each step is announced by an event of its own, and stored together with the event that
announces the next one. A job that failed or was cancelled stands still: its steps do nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

SIMULATION: Final = "simulation"
MIGRATION: Final = "migration"

PLANNING: Final = "planning"
RUNNING: Final = "running"
MERGING: Final = "merging"
DONE: Final = "done"
FAILED: Final = "failed"
CANCELLED: Final = "cancelled"
STALLED: Final = "stalled"
"""Only shown: a job that should go on and has not for so long that its event must be lost."""

ACTIVE: Final = (PLANNING, RUNNING, MERGING)
STALLED_AFTER: Final = timedelta(hours=1)
"""Twice as long as a queue takes to give up on a step that crashes each time."""

PLAN: Final = "plan"
WORK: Final = "work"
MERGE: Final = "merge"
STATE_OF: Final[Mapping[str, str]] = {PLAN: PLANNING, WORK: RUNNING, MERGE: MERGING}
"""The state in which a step has something to do."""

BROKEN: Final = "unexpected_error"
TOO_MANY: Final = "too_many_referrals"
"""Reasons of a failure beside the codes of our own errors."""

KEPT_DAYS: Final = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """A job and how far it came. ``settings`` are what was asked for, as plain values.

    ``shard`` and ``after`` are where planning goes on, ``after`` also where merging does.
    ``announced`` are the chunks that an event went out for. ``counts`` are outcomes by name.
    ``failed_step`` and ``failed_for`` say what failed for which reason, at ``updated_at``;
    ``merged_by`` is the run whose report counts.
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
    announced: int = 0
    counts: Mapping[str, int] = field(default_factory=dict)
    failed_step: str = ""
    failed_for: str = ""
    merged_by: str = ""
    version: int = 1

    def status(self, now: datetime) -> str:
        """Return the state as a person should see it."""
        is_late = self.state in ACTIVE and now - self.updated_at > STALLED_AFTER
        return STALLED if is_late else self.state


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunk:
    """Referrals that one step works on; ``run_id`` is of the run that did, "" before."""

    number: int
    referral_ids: tuple[str, ...]
    run_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What an event asks for: ``number`` is of a chunk, or the job's version for other steps."""

    job_id: str
    name: str
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Worked:
    """What came of a chunk: ``done`` of its referrals, as text, with outcomes by name."""

    done: int
    text: str = ""
    counts: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What came of merging: a report, pages beside it, and outcomes by name.

    ``after`` is where the next step goes on, if this one ran out of time; "" at the end.
    """

    report: str = ""
    pages: tuple[str, ...] = ()
    counts: Mapping[str, int] = field(default_factory=dict)
    after: str = ""


def added(one: Mapping[str, int], other: Mapping[str, int]) -> dict[str, int]:
    """Return the sums of two counts, by name."""
    return {name: one.get(name, 0) + other.get(name, 0) for name in sorted({*one, *other})}
