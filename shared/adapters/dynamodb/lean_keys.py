"""The keys of the two rows that the redirect reads. ``keys`` has them too, and all others."""

from typing import Final

from shared import names

Key = tuple[str, str]
"""Partition key and sort key."""

META: Final = "META"


def link(code: str) -> Key:
    """Locate a link by its code."""
    return f"{names.LINK_PREFIX}{code}", META


def click_keyring() -> Key:
    """Locate the keys that sign click tokens."""
    return names.CLICK_KEYRING, "RING"
