"""What a simulation would take on Lambda: arithmetic from what was counted, and assumptions."""

from dataclasses import dataclass
from typing import Final

from bench.jobs import Measured
from shared.domain.jobs import WORK
from shared.usecases.run_job import LANES

# Prices are of us-east-1, on demand, arm64.
MEMORY_GB: Final = 1.0
SHARE: Final = 1024 / 1769
"""Of one processor, that a function of this memory gets."""
LATENCY: Final = 0.005
"""Seconds of one round trip to DynamoDB."""
READERS: Final = 8
HOP: Final = 1.5
"""Seconds from the end of a step until the next one begins: stream, bus and queue."""
PER_GB_SECOND: Final = 0.0000133334
PER_READ_UNIT: Final = 0.125e-6
PER_WRITE_UNIT: Final = 0.625e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Arithmetic from what was counted, by the assumptions above."""

    longest_chunk_seconds: float
    merge_seconds: float
    billed_minutes: float
    wall_minutes: float
    dollars: float


def estimate(found: Measured, own_seconds: float, query_seconds: float) -> Estimate:
    """Return what the simulation would take on Lambda.

    ``own_seconds`` is our own processor time for one referral, ``query_seconds`` the client's for
    one round trip; both as on this machine, slowed down by the share of a processor.
    """
    work = found.parts[WORK]
    trips = work.round_trips / found.referrals
    one = max((own_seconds + trips * query_seconds) / SHARE, trips * LATENCY / READERS)
    chunk = one * found.referrals / work.steps
    merge = found.merge_seconds / SHARE
    others = sum(
        part.round_trips * (LATENCY + query_seconds / SHARE)
        for name, part in found.parts.items()
        if name != WORK
    )
    billed = one * found.referrals + merge + others
    steps = sum(part.steps for name, part in found.parts.items() if name != WORK)
    lanes = min(LANES, work.steps)
    wall = (chunk + HOP) * work.steps / lanes + steps * HOP + merge + others
    reads = sum(part.read_units for part in found.parts.values())
    writes = sum(part.write_units for part in found.parts.values())
    return Estimate(
        longest_chunk_seconds=chunk,
        merge_seconds=merge,
        billed_minutes=billed / 60,
        wall_minutes=wall / 60,
        dollars=billed * MEMORY_GB * PER_GB_SECOND
        + reads * PER_READ_UNIT
        + writes * PER_WRITE_UNIT,
    )
