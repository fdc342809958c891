"""The worked example of the documentation against the deployed template."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.conftest import Deployed

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def test_every_figure_of_the_worked_example_is_right(deployed: Deployed) -> None:
    story = deployed.story()

    wrong = story.tell()

    assert wrong == 0, deployed.progress.stream.getvalue()  # type: ignore[attr-defined]
