"""Read values of a definition file and collect every mistake instead of stopping at the first."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final, TypeVar

from shared.domain.errors import FieldError
from shared.domain.money import MAX_MINOR, is_exact, parse_decimal, to_minor
from shared.domain.terms import FLAG, MONEY, NUMBER

_MAX_TEXT: Final = 500
_MAX_NAMES: Final = 50
_MAX_NUMBER: Final = 1_000_000_000
_HUNDRED: Final = Decimal(100)
_NAME: Final = re.compile(r"[a-z][a-z0-9_]{0,49}")

T = TypeVar("T")


class Reader:
    """Reads typed values; what is wrong goes into ``errors`` with its path."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.errors: list[FieldError] = []

    def fail(self, path: str, code: str, message: str) -> None:
        """Note a mistake."""
        self.errors.append(FieldError(path=path or "$", code=code, message=message))

    def mapping(self, value: object, path: str, allowed: Collection[str]) -> Mapping[str, Any]:
        """Read an object that has no other keys than the allowed ones."""
        if not isinstance(value, Mapping):
            self.fail(path, "wrong_type", "must be an object")
            return {}
        for key in value:
            if key not in allowed:
                where = f"{path}.{key}" if path else str(key)
                self.fail(where, "unknown_field", "allowed: " + ", ".join(sorted(allowed)))
        return value

    def rows(
        self,
        value: object,
        path: str,
        read: Callable[[object, str], T],
        most: int,
        *,
        required: bool = False,
    ) -> tuple[T, ...]:
        """Read a list, each row by ``read``; a missing one is empty unless it is required."""
        if value is None and not required:
            return ()
        if not isinstance(value, Sequence) or isinstance(value, str) or (required and not value):
            self.fail(path, "required", "must be a list" + (" with entries" if required else ""))
            return ()
        if len(value) > most:
            self.fail(path, "too_many", f"at most {most} entries")
            return ()
        return tuple(read(row, f"{path}[{position}]") for position, row in enumerate(value))

    def text(self, value: object, path: str, *, required: bool = False) -> str:
        """Read a text of bounded length."""
        if value is None and not required:
            return ""
        if value is None:
            self.fail(path, "required", "must be given")
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT:
            self.fail(path, "wrong_type", f"must be a text of 1 to {_MAX_TEXT} characters")
            return ""
        return value

    def texts(self, value: object, path: str) -> tuple[str, ...]:
        """Read a list of texts."""
        return self.rows(
            value, path, lambda row, where: self.text(row, where, required=True), _MAX_NAMES
        )

    def name(self, value: object, path: str) -> str:
        """Read a name that code and people can both use."""
        if value is None:
            self.fail(path, "required", "must be given")
            return ""
        if not isinstance(value, str) or not _NAME.fullmatch(value):
            message = "must be a name of lower-case letters, digits and _ (at most 50)"
            self.fail(path, "wrong_type", message)
            return ""
        return value

    def names(self, value: object, path: str) -> tuple[str, ...]:
        """Read a list of names."""
        if not isinstance(value, Sequence) or isinstance(value, str):
            self.fail(path, "wrong_type", "must be a list of names")
            return ()
        return self.rows(value, path, self.name, _MAX_NAMES)

    def whole(self, value: object, path: str, least: int, most: int) -> int:
        """Read a whole number within bounds."""
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            self.fail(path, "wrong_type", f"must be a whole number from {least} to {most}")
            return least
        return value

    def choice(self, value: object, path: str, allowed: Sequence[str]) -> str:
        """Read one of the allowed words."""
        if value not in allowed:
            self.fail(path, "not_allowed", "must be one of " + ", ".join(allowed))
            return allowed[0]
        return str(value)

    def choices(self, value: object, path: str, allowed: Sequence[str]) -> tuple[str, ...]:
        """Read a list of the allowed words."""
        return self.rows(
            value,
            path,
            lambda row, where: self.choice(row, where, allowed),
            len(allowed),
            required=True,
        )

    def amount(self, value: object, path: str) -> int:
        """Read a decimal string into minor units of the ledger currency."""
        decimal = parse_decimal(value)
        if decimal is None or decimal < 0:
            self.fail(path, "not_an_amount", 'must be a decimal string such as "50.00"')
            return 0
        minor = to_minor(decimal, self.currency)
        if minor > MAX_MINOR:
            self.fail(path, "too_large", "is over the largest amount")
        elif not is_exact(decimal, self.currency):
            # Rounded, the programme would pay something else than its terms say.
            self.fail(path, "too_precise", f"has more digits than {self.currency}")
        return minor

    def percent(self, value: object, path: str, *, least: Decimal | None = None) -> Decimal:
        """Read a percentage: above 0 unless ``least`` allows it, at most 100."""
        decimal = parse_decimal(value)
        low = least is not None and decimal is not None and decimal >= least
        if decimal is None or not (low or decimal > 0) or decimal > _HUNDRED:
            self.fail(path, "not_a_percentage", 'must be a decimal string such as "10"')
            return Decimal(1)
        return decimal

    def typed(self, value: object, path: str, kind: str) -> int | str | bool:
        """Read a value of a declared field's type. Whole numbers may come as decimal strings."""
        if kind == MONEY:
            return self.amount(value, path)
        if kind == FLAG:
            if not isinstance(value, bool):
                self.fail(path, "wrong_type", "must be true or false")
            return value is True
        if kind == NUMBER:
            if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:  # noqa: PLR2004 - fits in an integer
                value = int(value)
            return self.whole(value, path, 0, _MAX_NUMBER)
        return self.text(value, path, required=True)
