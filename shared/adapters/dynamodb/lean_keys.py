"""The keys of the rows that the redirect knows. ``keys`` has them too, and all others."""

from typing import Final

from shared import names

Key = tuple[str, str]
"""Partition key and sort key."""

META: Final = "META"


def link(code: str) -> Key:
    """Locate a link by its code."""
    return f"{names.LINK_PREFIX}{code}", META


def click(click_id: str) -> Key:
    """Locate a click by its id, whose last four symbols are its lane."""
    return click_id[-4:], click_id


def click_keyring() -> Key:
    """Locate the keys that sign click tokens."""
    return names.CLICK_KEYRING, "RING"
