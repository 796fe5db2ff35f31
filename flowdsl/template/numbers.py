"""JavaScript's numbers: their text, their reading, their arithmetic.

Integers stay exact far beyond 2**53 (JavaScript rounds them); past about 1e300 they become floats.
"""

from __future__ import annotations

import math
import re
from typing import Any, Final

EXACT: Final = 2**1000
_DECIMAL: Final = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
JS_SPACE: Final = (
    "\t\n\x0b\x0c\r \xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
    "\u2028\u2029\u202f\u205f\u3000\ufeff"
)
NAN: Final = math.nan

Number = int | float


def number_text(value: Number) -> str:
    """JavaScript's text of a number: `1` for 1.0, an exponent only from 1e21 and below 1e-6.

    Source: ECMA-262, Number::toString.
    """
    if isinstance(value, int):
        return int.__repr__(value) if -EXACT < value < EXACT else number_text(as_float(value))
    if value != value:
        return "NaN"
    if value in (math.inf, -math.inf):
        return "Infinity" if value > 0 else "-Infinity"
    if value.is_integer() and abs(value) < 1e21:
        return _whole_text(int(value)) if abs(value) > 2**53 else str(int(value))
    sign, digits, point = _shortest(value)
    if 0 < point <= 21:
        return f"{sign}{digits[:point].ljust(point, '0')}" + (f".{digits[point:]}" if len(digits) > point else "")
    if -6 < point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    exponent = point - 1
    tail = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{tail}e{'+' if exponent >= 0 else '-'}{abs(exponent)}"


def _whole_text(value: int) -> str:
    sign, digits, point = _shortest(float(value))
    return sign + digits.ljust(point, "0")


def _shortest(value: float) -> tuple[str, str, int]:
    mantissa, _, exponent = repr(abs(value)).partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + (fraction if fraction != "0" else "")
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    return ("-" if value < 0 else ""), stripped.rstrip("0") or "0", point


def as_float(value: Number) -> float:
    """A number as a float, infinite when it is too large."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def tidy(value: Any) -> Number:
    """The result of arithmetic: whole floats become integers, huge integers become floats."""
    if isinstance(value, float):
        if value.is_integer() and abs(value) < 2**53 and (value != 0.0 or math.copysign(1.0, value) > 0):
            return int(value)
        return value
    return value if -EXACT < value < EXACT else as_float(value)


def _digits_number(text: str) -> Number:
    if text.lstrip("+-").isdigit():
        return int(text) if len(text) < 300 else as_float(float(text))
    return float(text)


def parse_number(text: str) -> Number:
    """The number a whole text stands for (`Number(text)`); "" is 0, what is no number is NaN."""
    text = text.strip(JS_SPACE)
    if not text:
        return 0
    if _DECIMAL.fullmatch(text):
        return _digits_number(text)
    if text.lstrip("+-") == "Infinity" and len(text) <= 9:
        return -math.inf if text[0] == "-" else math.inf
    base = {"0x": 16, "0o": 8, "0b": 2}.get(text[:2].lower())
    if base is not None and text.isascii() and text[2:].isalnum():
        try:
            return tidy(int(text[2:], base))
        except ValueError:
            return NAN
    return NAN


def parse_float(text: str) -> Number:
    """The number at the start of a text (`parseFloat`), else NaN."""
    text = text.lstrip(JS_SPACE)
    found = _DECIMAL.match(text)
    if found:
        return tidy(_digits_number(found.group()))
    if re.match(r"[+-]?Infinity", text):
        return -math.inf if text[0] == "-" else math.inf
    return NAN


def parse_int(text: str, base: int = 10) -> Number:
    """The integer at the start of a text (`parseInt`), else NaN; `base` 0 means 10, or 16 after `0x`."""
    text = text.lstrip(JS_SPACE)
    sign = -1 if text[:1] == "-" else 1
    if text[:1] in ("+", "-"):
        text = text[1:]
    if base in (0, 16) and text[:2].lower() == "0x":
        text, base = text[2:], 16
    base = base or 10
    if not 2 <= base <= 36:
        return NAN
    end = 0
    while end < len(text) and end < 1000 and _digit(text[end]) < base:
        end += 1
    return tidy(sign * int(text[:end], base)) if end else NAN


def _digit(char: str) -> int:
    if "0" <= char <= "9":
        return ord(char) - 48
    return ord(char.lower()) - 87 if "a" <= char.lower() <= "z" else 99


def multiply(a: Number, b: Number) -> Number:
    """`a * b`."""
    if isinstance(a, int) and isinstance(b, int) and ((a == 0 and b < 0) or (b == 0 and a < 0)):
        return -0.0
    try:
        return tidy(a * b)
    except OverflowError:
        return as_float(a) * as_float(b)


def plus(a: Number, b: Number) -> Number:
    """`a + b`."""
    try:
        return tidy(a + b)
    except OverflowError:
        return as_float(a) + as_float(b)


def minus(a: Number, b: Number) -> Number:
    """`a - b`."""
    try:
        return tidy(a - b)
    except OverflowError:
        return as_float(a) - as_float(b)


def divide(a: Number, b: Number) -> Number:
    """`a / b`; by zero it is infinite or NaN."""
    if b == 0:
        if a == 0 or a != a:
            return NAN
        return math.copysign(math.inf, a) * math.copysign(1.0, b)
    if isinstance(a, int) and isinstance(b, int) and a % b == 0:
        return a // b if a or b > 0 else -0.0
    try:
        return tidy(a / b)
    except OverflowError:
        return as_float(a) / as_float(b)


def remainder(a: Number, b: Number) -> Number:
    """`a % b`, with the sign of `a`."""
    if b == 0 or a != a or b != b or a in (math.inf, -math.inf):
        return NAN
    if isinstance(a, int) and isinstance(b, int):
        return a % abs(b) if a >= 0 else -(-a % abs(b)) or -0.0
    return tidy(math.fmod(as_float(a), as_float(b)))


def power(a: Number, b: Number) -> Number:
    """`a ** b`; 1 to an infinite power is NaN."""
    if b != b or (abs(a) == 1 and abs(b) == math.inf):
        return NAN
    if isinstance(a, int) and isinstance(b, int) and b >= 0 and a.bit_length() * b <= 1100:
        return tidy(a**b)
    try:
        found = math.pow(a, b)
    except OverflowError:
        odd = isinstance(b, int) and b % 2 == 1
        return -math.inf if a < 0 and (odd or (isinstance(b, float) and b % 2 == 1)) else math.inf
    except ValueError:
        if a != 0:
            return NAN
        return -math.inf if math.copysign(1.0, a) < 0 and b % 2 == 1 else math.inf
    return tidy(found)


def floor(value: Number) -> Number:
    """The next integer below; NaN and infinities stay."""
    if isinstance(value, float) and (value == 0 or value != value or value in (math.inf, -math.inf)):
        return value
    return math.floor(value)


def is_finite(value: Number) -> bool:
    """Whether a number is neither NaN nor infinite."""
    return isinstance(value, int) or math.isfinite(value)


def to_integer(value: Any, default: int = 0) -> int:
    """A whole number for counts and positions: text and floats are cut, what is no number gives `default`."""
    if isinstance(value, str):
        value = parse_number(value)
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, (int, float)):
        if value != value:
            return default
        return int(max(-1e15, min(1e15, value)))
    return default


def round_half_up(value: Number, precision: int = 0, method: str = "common") -> Number:
    """A number rounded to `precision` decimals; halves go up, as by JavaScript's Math.round. `method`: ceil, floor."""
    if not is_finite(value):
        return value
    if isinstance(value, int) and precision >= 0:
        return value
    factor = power(10, max(-400, min(400, precision)))
    scaled = multiply(value, factor)
    if method == "ceil":
        whole = scaled if not is_finite(scaled) else math.ceil(scaled)
    elif method == "floor" or abs(scaled) >= 2**52:
        whole = floor(scaled)
    else:
        whole = floor(scaled)
        if scaled - whole >= 0.5:
            whole += 1
    return divide(whole, factor)
