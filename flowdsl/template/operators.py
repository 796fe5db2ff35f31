"""The operators of templates that need more than a value of their own."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite
from typing import Any

from flowdsl.errors import TemplateError, in_words
from flowdsl.template import numbers
from flowdsl.template.limits import MAX_TEXT, check_size, join_checked
from flowdsl.template.members import Method, member
from flowdsl.template.values import UNDEFINED, is_array, is_exact, strict_eq, to_number, to_text


def concat(a: Any, b: Any) -> str:
    """`a ~ b`."""
    text = (a if type(a) is str else to_text(a)) + (b if type(b) is str else to_text(b))
    if len(text) > MAX_TEXT:
        check_size(len(text))
    return text


def texts(*parts: Any) -> str:
    """`a ~ b ~ c`."""
    return join_checked("", [part if type(part) is str else to_text(part) for part in parts])


def add(a: Any, b: Any) -> Any:
    """`a + b`: numbers add up; text, a list or a mapping on either side joins."""
    if type(a) is int and type(b) is int and -numbers.EXACT < a + b < numbers.EXACT:
        return a + b
    if adds(a) and adds(b):
        return numbers.plus(to_number(a), to_number(b))
    return concat(a, b)


def adds(value: Any) -> bool:
    """Whether `+` takes a value as a number."""
    return value is None or value is UNDEFINED or isinstance(value, (int, float)) or is_exact(value)


def subtract(a: Any, b: Any) -> Any:
    """`a - b`."""
    return numbers.minus(to_number(a), to_number(b))


def multiply(a: Any, b: Any) -> Any:
    """`a * b`."""
    return numbers.multiply(to_number(a), to_number(b))


def divide(a: Any, b: Any) -> Any:
    """`a / b`."""
    return numbers.divide(to_number(a), to_number(b))


def remainder(a: Any, b: Any) -> Any:
    """`a % b`, with the sign of `a`."""
    return numbers.remainder(to_number(a), to_number(b))


def power(a: Any, b: Any) -> Any:
    """`a ** b`."""
    return numbers.power(to_number(a), to_number(b))


def floored(value: Any) -> Any:
    """The next integer below."""
    return numbers.floor(to_number(value))


def negate(value: Any) -> Any:
    """`-value`."""
    number = to_number(value)
    return -number if number != 0 or isinstance(number, float) else -0.0


def finite(value: Any, sign: str) -> Any:
    """What an operator gave.

    Raises: TemplateError when that is NaN or infinite.
    """
    if type(value) is float and not isfinite(value):
        shown = numbers.number_text(value)
        raise TemplateError(
            f"`{sign}` gives {shown}, which is no number",
            hint="make sure that both sides are numbers, and that nothing is divided by 0",
        )
    return value


def finite_subtract(a: Any, b: Any) -> Any:
    """`a - b` when strict."""
    return finite(numbers.minus(to_number(a), to_number(b)), "-")


def finite_multiply(a: Any, b: Any) -> Any:
    """`a * b` when strict."""
    return finite(numbers.multiply(to_number(a), to_number(b)), "*")


def finite_divide(a: Any, b: Any) -> Any:
    """`a / b` when strict."""
    return finite(numbers.divide(to_number(a), to_number(b)), "/")


def finite_remainder(a: Any, b: Any) -> Any:
    """`a % b` when strict."""
    return finite(numbers.remainder(to_number(a), to_number(b)), "%")


def finite_power(a: Any, b: Any) -> Any:
    """`a ** b` when strict."""
    return finite(numbers.power(to_number(a), to_number(b)), "**")


def finite_negate(value: Any) -> Any:
    """`-value` when strict.

    Raises:
        TemplateError: it is no finite number.
    """
    return finite(negate(value), "-")


def finite_number(value: Any) -> Any:
    """`+value` when strict.

    Raises:
        TemplateError: it is no finite number.
    """
    return finite(to_number(value), "+")


def contains(item: Any, container: Any) -> bool:
    """`item in container`: an item of a list (`===`), a part of a text, a key of a mapping.

    Raises: TemplateError when the right side is a number or boolean.
    """
    if isinstance(container, str):
        return to_text(item) in container
    if is_array(container):
        return any(strict_eq(item, each) for each in container)
    if isinstance(container, Mapping):
        return member(container, item) is not UNDEFINED or to_text(item) in container
    if container is None or container is UNDEFINED:
        return False
    raise TemplateError(f"`in` looks into a list, text or mapping, not into {to_text(container)}")


def call(function: Any, name: str, /, *args: Any, **kwargs: Any) -> Any:
    """What a function of the host or a listed method gives.

    Raises: TemplateError when it is no function, or does not take these arguments.
    """
    if function is UNDEFINED or function is None:
        raise TemplateError(f"`{name}` is {to_text(function)}, so it cannot be called")
    if not callable(function):
        raise TemplateError(f"`{name}` is not a function")
    if kwargs and isinstance(function, Method):
        raise TemplateError(f"`{name}` takes no arguments by name")
    try:
        return function(*args, **kwargs)
    except TypeError as error:
        trace = error.__traceback__
        if trace is not None and trace.tb_next is None and not isinstance(function, Method):
            raise TemplateError(f"`{name}` cannot be called like this: {error}") from None
        raise


def called_in(error: BaseException) -> tuple[str, tuple[Any, ...]] | None:
    """How a template calls the function of the host in which an exception was raised, and with what; None where none
    was called."""
    trace = error.__traceback__
    while trace is not None:
        frame = trace.tb_frame
        if frame.f_code is call.__code__ and not isinstance(frame.f_locals["function"], Method):
            return str(frame.f_locals["name"]), (*frame.f_locals["args"], *frame.f_locals["kwargs"].values())
        trace = trace.tb_next
    return None


def host_failure(name: str, error: BaseException) -> TemplateError:
    """The error of a template for what a function of the host raised."""
    return TemplateError(f"{name} failed: {in_words(error)}", hint="it is a function of the host")


def characters_or_items(value: Any) -> Any:
    """What `for` with one name walks: the items of a list, the characters of a text, nothing of anything else."""
    return value if isinstance(value, (list, tuple, str)) else ()


def entries(value: Any, names: int) -> list[tuple[Any, ...]]:
    """What `for` with so many `names` walks: the parts of each item, or a mapping's keys and values."""
    if isinstance(value, Mapping):
        from flowdsl.template.values import own_keys, property_key

        rest = (UNDEFINED,) * (names - 2)
        return [(property_key(key), value[key], *rest) for key in own_keys(value)]
    return [tuple(member(item, index) for index in range(names)) for item in characters_or_items(value)]
