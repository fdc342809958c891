"""Visitors: how many different ones came, in a few hundred bytes.

The first ``KNOWN`` are known by their marks, so their number is exact. More are estimated by
HyperLogLog (Flajolet and others, 2007) with Ertl's estimator, which needs no table of corrections
(https://arxiv.org/abs/1702.01284), here in whole numbers. Standard error: 1.04 / sqrt(REGISTERS),
4.6 %. What is remembered depends on who came alone, not on the order, the parts or how often.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

KNOWN: Final = 80
"""So many visitors are counted exactly: their marks take the room of the registers."""

MARK_BYTES: Final = 4
"""What is remembered of a mark. Of a million visitors a hundred share theirs with another one."""

REGISTER_BITS: Final = 5
REGISTERS: Final = 512
_REST_BITS: Final = 8 * MARK_BYTES - REGISTERS.bit_length() + 1
_ONE: Final = 1 << 64
_ALPHA: Final = (7_213_475_204_444_817, 10**16)
"""1 / (2 ln 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitors:
    """Who came: ``known`` marks, or else, if there are too many, the highest rank by register."""

    known: frozenset[int] = frozenset()
    registers: bytes = b""

    @property
    def estimated(self) -> bool:
        """Whether the number is no longer exact."""
        return bool(self.registers)

    @property
    def number(self) -> int:
        """How many they are."""
        return _estimate(self.registers) if self.registers else len(self.known)

    def __or__(self, other: "Visitors") -> "Visitors":
        """Return the visitors of both, each once."""
        known = self.known | other.known
        if not self.registers and not other.registers:
            return Visitors(known=known)
        highest = bytearray(self.registers or REGISTERS)
        _raise(highest, known)
        both = zip(highest, other.registers or bytes(REGISTERS), strict=True)
        return Visitors(registers=bytes(max(ranks) for ranks in both))

    def kept(self) -> "Visitors":
        """Return what a counter remembers of them."""
        if len(self.known) <= KNOWN:
            return self
        return self | Visitors(registers=bytes(REGISTERS))


NOBODY: Final = Visitors()


def visitors_of(marks: Iterable[str]) -> Visitors:
    """Return the visitors with these marks, hexadecimal digits at random."""
    return Visitors(known=frozenset(int(mark[-2 * MARK_BYTES :], 16) for mark in marks))


def _raise(registers: bytearray, marks: Iterable[int]) -> None:
    for mark in marks:
        place, rest = mark >> _REST_BITS, mark & ((1 << _REST_BITS) - 1)
        # The rarer a beginning of zeros, the higher its rank; nothing but zeros is the highest.
        registers[place] = max(registers[place], _REST_BITS - rest.bit_length() + 1)


def _estimate(registers: bytes) -> int:
    # Ertl's estimator without his term for full registers: no day has 500 million visitors.
    empty = registers.count(0)
    if empty == REGISTERS:
        return 0
    ranks = sum(_ONE >> rank for rank in registers if rank)
    mean = ranks + REGISTERS * _sigma(empty * _ONE // REGISTERS)
    above, below = _ALPHA
    return (above * REGISTERS * REGISTERS * _ONE // below + mean // 2) // mean


def _sigma(part: int) -> int:
    """Return ``x + sum(x**(2**k) * 2**(k - 1))`` for k from 1, of the part of empty registers."""
    found, power, factor = part, part, 1
    while power := power * power // _ONE:
        found += power * factor
        factor *= 2
    return found
