"""What the harness lets fail: for each writing handler the moments that matter, made by its API."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.harness.scenes_intake import INTAKE
from tests.harness.scenes_jobs import JOBS
from tests.harness.scenes_money import MONEY
from tests.harness.scenes_people import PEOPLE

if TYPE_CHECKING:
    from tests.harness.world import Scene

SCENES: tuple[Scene, ...] = (*INTAKE, *MONEY, *JOBS, *PEOPLE)
