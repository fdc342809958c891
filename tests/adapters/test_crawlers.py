from __future__ import annotations

import pytest

from shared.adapters.crawlers import is_crawler
from tests.builders.activity import CRAWLER, FIREFOX


@pytest.mark.parametrize("agent", [CRAWLER, "Twitterbot/1.0", "curl/8.5.0", "Pingdom.com_bot"])
def test_known_programs_are_known(agent: str) -> None:
    assert is_crawler(agent)


@pytest.mark.parametrize(
    "agent",
    [
        FIREFOX,
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 "
            "(KHTML, like Gecko) Version/18.1 Mobile/15E148 Safari/604.1"
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0"
        ),
    ],
)
def test_browsers_are_none(agent: str) -> None:
    assert not is_crawler(agent)


def test_the_longest_kept_agent_takes_no_effort_to_speak_of() -> None:
    # Patterns that go back and forth would take minutes here.
    assert not is_crawler("a" * 256)
    assert not is_crawler("Mozilla/5.0 (" * 20)
