"""What a class, or the object of a vendor, says of itself in arguments and attributes, which nobody but Python has
looked at: of the right shape, or refused where it is said, and not where it is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from flowdsl.errors import PluginError
from flowdsl.step.rules import Rule
from flowdsl.step.spec import Key, Port

Shape = Callable[[Any], Any]
"""Gives the value, a list as a tuple; raises TypeError for one of another shape, with the words for what is right."""


def with_shapes(called: str, declared: Mapping[str, Any], shapes: Mapping[str, Shape]) -> dict[str, Any]:
    """What is declared, lists of any kind as tuples; `called` has `{}` in the place of a name.

    Raises:
        PluginError: something has another shape.
    """
    found = dict(declared)
    for name, shape in shapes.items():
        if name in declared:
            try:
                found[name] = shape(declared[name])
            except TypeError as error:
                value = declared[name]
                shown = f"{value!r:.60}" if isinstance(value, (str, int, float, type(None))) else type(value).__name__
                raise PluginError(f"{called.format(name)} takes {error}, not {shown}") from None
    return found


def lasting(shape: Shape) -> Shape:
    """A shape of what stands there for good: a value that is missing, or that can be read only once, does not fit."""
    return lambda value: shape(_ODD if value is None or isinstance(value, Iterator) else value)


_ODD = object()


def a_text(value: Any) -> Any:
    """A text, or nothing."""
    return _fitting(value, value is None or isinstance(value, str), "a text")


def a_flag(value: Any) -> Any:
    """True or false, or nothing."""
    return _fitting(value, value is None or isinstance(value, bool), "True or False")


def texts(value: Any) -> tuple[str, ...]:
    """A list of texts that say something."""
    words = 'a tuple of texts, for example ("a", "b")'
    found = _list(value, str, words)
    return found if all(found) else _fitting(found, fits=False, words=words)


def settings(value: Any) -> tuple[Key, ...]:
    """A list of keys."""
    return _list(value, Key, 'a tuple of Keys, for example (Key("region", "text"),)')


def rules(value: Any) -> tuple[Rule, ...]:
    """A list of rules."""
    return _list(value, Rule, 'a tuple of rules, for example (AtLeastOne("a", "b"),)')


def ports(value: Any) -> tuple[Port, ...]:
    """A list of ports, or of their types."""
    words = 'a tuple of types or Ports, for example ("text", Port("image"))'
    made = tuple(Port(each) if isinstance(each, str) else each for each in _list(value, (str, Port), words))
    for port in made:
        texts_in = (port.type, port.summary, port.counted_by)
        fits = all(isinstance(each, str) for each in texts_in) and isinstance(port.instead, (tuple, list))
        _fitting(port, fits and all(isinstance(each, str) for each in port.instead), words)
    return made


def texts_by_name(value: Any) -> Any:
    """A map of texts, or nothing."""
    fits = value is None or (isinstance(value, Mapping) and all(isinstance(each, str) for each in _both(value)))
    return _fitting(value, fits, "a dict of texts")


def lists_by_name(value: Any) -> Any:
    """A map from a text to a list of texts, or nothing."""
    words = 'a dict from a name to a tuple of texts, for example {"apiKey": ("IMAGES_KEY",)}'
    if value is None:
        return None
    _fitting(value, isinstance(value, Mapping) and all(isinstance(key, str) for key in value), words)
    return {key: _list(names, str, words) for key, names in value.items()}


def a_check(value: Any) -> Any:
    """A function, or its address."""
    fits = value is None or callable(value) or (isinstance(value, str) and value.count(":") == 1)
    return _fitting(value, fits and not isinstance(value, type), "a function of the options, or its `module:name`")


def _fitting(value: Any, fits: bool, words: str) -> Any:
    if not fits:
        raise TypeError(words)
    return value


def _list(value: Any, kind: Any, words: str) -> tuple[Any, ...]:
    _fitting(value, isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping, type)), words)
    items = tuple(value)
    _fitting(items, all(isinstance(each, kind) for each in items), words)
    return items


def _both(values: Mapping[Any, Any]) -> Iterable[Any]:
    return (*values, *values.values())
