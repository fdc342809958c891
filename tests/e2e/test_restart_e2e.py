"""The local cloud keeps its data, even when it is killed."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from local import books
from local.emulator import LOST_WHEN_KILLED_S

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

    last = ""
    if killed:
        time.sleep(LOST_WHEN_KILLED_S)
        last = story.submit("last@killed.example", "Last")
        # The emulator leads its group: its functions go with it.
        os.killpg(deployed.cloud.emulator.process.pid, signal.SIGKILL)
        assert deployed.cloud.emulator.process.wait() == -signal.SIGKILL
    deployed.stop()
    deployed.start()

    if last:
        # What was acknowledged just before may be lost, but not by half.
        assert deployed.api.request("GET", f"/referrals/{last}").status in {200, 404}
    assert before == books.pending(deployed.api, partner.program_id, partner.partner_id)
    later = deployed.story(partner)
    later.pending = before
    later.accept(later.submit(f"after@{killed}.example", "After"))
    later.check_pending("50.00", "accepted after the restart")
    assert story.wrong + later.wrong == 0
