"""Many follow one link at once: no click is lost, none is counted twice, no two share a key.

``python -m bench.load`` does the same with 20,000 clicks.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bench import viral
from shared.adapters.dynamodb import keys

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = pytest.mark.e2e

CLICKS = 500


def test_a_viral_link_loses_no_click(deployed: Deployed) -> None:
    partner = deployed.partner("viral")

    followed = viral.follow(deployed.cloud, partner, CLICKS, workers=4, say=lambda _: None)
    viral.wait_until_counted(deployed.cloud, partner, CLICKS, limit_seconds=20)

    clicks = viral.rows(deployed.cloud, "ClicksTableName")
    counters = [
        row
        for row in viral.rows(deployed.cloud, "CoreTableName")
        if row["pk"] == keys.activity_partition(partner.program_id, partner.partner_id)
    ]
    checks = [
        *viral.check_clicks(
            CLICKS, followed, [row for row in clicks if row["c"] == partner.link_code]
        ),
        *viral.check_counters(CLICKS, viral.figures(deployed.cloud, partner, partner=True), "link"),
        *viral.check_shared_rows(CLICKS, [], counters),
    ]
    assert [] == [check.line() for check in checks if not check.holds]
    assert 11 <= len(checks)
