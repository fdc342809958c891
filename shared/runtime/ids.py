"""Mint prefixed, sortable ids: UUIDv7 written in 26 lower-case base-32 symbols."""

import os
import time
from typing import Final

# Crockford's alphabet in lower case: sorts like the number, no i, l, o, u.
_ALPHABET: Final = "0123456789abcdefghjkmnpqrstvwxyz"
_SYMBOLS: Final = 26


def uuid7_int(unix_ms: int, random_bytes: bytes) -> int:
    """Compose a UUIDv7 (RFC 9562) from milliseconds and ten random bytes, as a 128-bit integer."""
    noise = int.from_bytes(random_bytes, "big")
    rand_a = noise >> 68
    rand_b = noise & ((1 << 62) - 1)
    return (unix_ms << 80) | (7 << 76) | ((rand_a & 0xFFF) << 64) | (2 << 62) | rand_b


def base32(value: int, symbols: int = _SYMBOLS) -> str:
    """Write ``value`` in exactly ``symbols`` symbols, most significant first."""
    out = []
    for _ in range(symbols):
        out.append(_ALPHABET[value & 31])
        value >>= 5
    return "".join(reversed(out))


def new_id(prefix: str) -> str:
    """Mint an id from the system clock and the system's randomness."""
    return f"{prefix}_{base32(uuid7_int(time.time_ns() // 1_000_000, os.urandom(10)))}"
