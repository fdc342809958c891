"""Money: integer minor units and an ISO 4217 code. The one place that converts decimals.

Rates and percentages are ``Decimal``; floats never appear. Rounding is half up, once, at the end.
"""

import re
from collections.abc import Sequence
from decimal import ROUND_HALF_UP, Context, Decimal, localcontext
from typing import Final

from shared.domain.errors import invalid

MAX_MINOR: Final = 10**15
EXACT: Final = Context(prec=60)
"""Wide enough for any two numbers that we read, so that nothing is rounded on the way."""
_DECIMAL: Final = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?")

# ISO 4217 codes with minor units, funds codes too, by exponent (list one of 2026-01-01). Codes that
# the list drops stay here (BGN), because what was paid in them must still be read. Codes without
# minor units (XAU, XDR, XTS, XXX, ...) are no money.
_EXPONENT_0: Final = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_EXPONENT_3: Final = "BHD IQD JOD KWD LYD OMR TND"
_EXPONENT_4: Final = "CLF UYW"
_EXPONENT_2: Final = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD
CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP
GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD
MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP
PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT
TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG
"""

EXPONENTS: Final[dict[str, int]] = {
    code: exponent
    for exponent, codes in ((0, _EXPONENT_0), (2, _EXPONENT_2), (3, _EXPONENT_3), (4, _EXPONENT_4))
    for code in codes.split()
}


def is_currency(code: str) -> bool:
    """Tell whether ``code`` is an ISO 4217 code with minor units."""
    return code in EXPONENTS


def parse_decimal(text: object) -> Decimal | None:
    """Return the exact value of a plain decimal string, or None if it is none.

    No exponents, no signs but a leading minus, at most 18 digits on either side.
    """
    if not isinstance(text, str) or not _DECIMAL.fullmatch(text):
        return None
    return Decimal(text)


def to_minor(value: Decimal, currency: str) -> int:
    """Round a decimal amount half up to the currency's minor units."""
    with localcontext(EXACT):
        scaled = value.scaleb(EXPONENTS[currency])
        return int(scaled.to_integral_value(rounding=ROUND_HALF_UP))


def is_exact(value: Decimal, currency: str) -> bool:
    """Tell whether the currency has all digits of a decimal amount, so that none is rounded."""
    with localcontext(EXACT):
        scaled = value.scaleb(EXPONENTS[currency])
        return scaled == scaled.to_integral_value()


def parse_amount(text: object, currency: str, path: str = "amount") -> int:
    """Read a decimal string such as ``"20000.00"`` into minor units.

    Raises:
        InvalidFieldsError: when it is not a decimal string, too large, or the currency unknown.
    """
    if not is_currency(currency):
        raise invalid("currency", "not_allowed", "must be an ISO 4217 code")
    value = parse_decimal(text)
    if value is None:
        raise invalid(path, "not_an_amount", 'must be a decimal string such as "20000.00"')
    minor = to_minor(value, currency)
    if abs(minor) > MAX_MINOR:
        raise invalid(path, "too_large", "is over the largest amount")
    return minor


def format_amount(minor: int, currency: str) -> str:
    """Write minor units as a decimal string with all digits of the currency."""
    exponent = EXPONENTS[currency]
    sign = "-" if minor < 0 else ""
    digits = str(abs(minor)).rjust(exponent + 1, "0")
    if exponent == 0:
        return sign + digits
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}"


def money_json(minor: int, currency: str) -> dict[str, str]:
    """Return the wire form of an amount."""
    return {"amount": format_amount(minor, currency), "currency": currency}


def percent_of(minor: int, percent: Decimal) -> int:
    """Return ``percent`` per cent of an amount, rounded half up to whole minor units."""
    with localcontext(EXACT):
        return int((minor * percent / 100).to_integral_value(rounding=ROUND_HALF_UP))


def split(minor: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Divide an amount by weights so that the parts sum to the whole: largest remainder.

    Equal remainders go to the earlier part. ``minor`` must not be negative and the weights must
    sum to more than zero.
    """
    total = sum(weights)
    parts = [minor * weight // total for weight in weights]
    remainders = [minor * weight % total for weight in weights]
    missing = minor - sum(parts)
    by_remainder = sorted(range(len(weights)), key=lambda place: (-remainders[place], place))
    for place in by_remainder[:missing]:
        parts[place] += 1
    return tuple(parts)
