"""What may be taken away without anything going wrong, and why: ``unseen.json``, by the reason.

What is listed and seen fails the test, so whoever makes the harness see one of these removes it
there.
"""

from __future__ import annotations

import json
from pathlib import Path

_LISTED = Path(__file__).with_name("unseen.json")


def unseen() -> dict[str, str]:
    """Return why each site or part that is listed is not seen, by its text."""
    reasons: dict[str, list[str]] = json.loads(_LISTED.read_text(encoding="utf-8"))
    return {text: why for why, texts in reasons.items() for text in texts}
