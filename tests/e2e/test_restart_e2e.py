"""The local cloud keeps its data, even when it is killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from local import books
from local.emulator import AUTOSAVE_S

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


@pytest.mark.parametrize("killed", [False, True])
def test_a_restart_keeps_the_books_and_goes_on(deployed: Deployed, *, killed: bool) -> None:
    partner = deployed.partner(f"restart-{killed}".lower())
    story = deployed.story(partner)
    story.accept(story.submit(f"before@{killed}.example", "Before"))
    story.check_pending("50.00", "accepted")
    before = books.pending(deployed.api, partner.program_id, partner.partner_id)

    if killed:
        time.sleep(2 * AUTOSAVE_S)
        os.killpg(deployed.cloud.emulator.process.pid, signal.SIGKILL)
    deployed.stop()
    deployed.start()

    assert before == books.pending(deployed.api, partner.program_id, partner.partner_id)
    later = deployed.story(partner)
    later.pending = before
    later.accept(later.submit(f"after@{killed}.example", "After"))
    later.check_pending("50.00", "accepted after the restart")
    assert story.wrong + later.wrong == 0
