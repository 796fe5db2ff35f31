"""Immutable values with named fields.

A NamedTuple or a dataclass writes code for each class and compiles it: 0.1 to 0.6 ms, which every start of the command
line pays for every class it meets. A Record reads its fields from the annotations, and costs a twentieth. Making one is
slower (0.9 µs): what is made thousands of times for one file is a Row. That is a NamedTuple whose annotations are not
compiled: with the first text that it compiles, an interpreter makes all classes of syntax trees, which takes 1 ms.
"""

from __future__ import annotations

from collections import namedtuple
from typing import TYPE_CHECKING, Any, ClassVar, NoReturn, Self, dataclass_transform

if TYPE_CHECKING:
    from inspect import Signature
    from typing import NamedTuple as Row
else:

    class _Rows(type):
        """Makes a named tuple of a class with annotations."""

        def __new__(mcs, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> type:
            if not bases:
                return super().__new__(mcs, name, bases, body)
            fields = body.pop("__annotations__")
            defaults = [body.pop(field) for field in fields if field in body]
            made = namedtuple(name, fields, defaults=defaults, module=body["__module__"])
            made.__annotations__ = fields
            for key, value in body.items():
                if key not in ("__module__", "__qualname__"):
                    setattr(made, key, value)
            return made

    class Row(metaclass=_Rows):
        """A named tuple."""


__all__ = ["Record", "Row", "Unchanging"]


class Unchanging:
    """An object whose attributes are set while it is made, and never again."""

    __slots__ = ()

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change: make another one with another `{name}`")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} does not change")

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)


_NOTHING: dict[str, Any] = {}


class _Signature:
    """The signature of a class of records, for `help` and for whoever asks: made when somebody does."""

    def __get__(self, instance: object, cls: type[Record]) -> Signature:
        from inspect import Parameter, Signature

        kind, none = Parameter.POSITIONAL_OR_KEYWORD, Parameter.empty
        return Signature([Parameter(name, kind, default=cls._defaults.get(name, none)) for name in cls._fields])


@dataclass_transform(frozen_default=True)
class Record(Unchanging):
    """A value whose fields are the annotations of its class, in their order; what is assigned there is the default.

    Two records are equal when they are of one class and their fields are equal.

    Raises:
        TypeError: a field that is missing, unknown or given twice.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _defaults: ClassVar[dict[str, Any]] = {}
    __signature__: ClassVar[Any] = _Signature()

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(cls.__annotations__)
        cls._defaults = {name: vars(cls)[name] for name in cls._fields if name in vars(cls)}

    def __init__(self, *values: Any, **named: Any) -> None:
        cls, fields = type(self), self.__dict__
        fields.update(cls._defaults)
        placed = dict(zip(cls._fields, values, strict=False)) if values else _NOTHING
        if values:
            fields.update(placed)
        fields.update(named)
        if len(values) > len(placed) or len(fields) != len(cls._fields) or not placed.keys().isdisjoint(named):
            raise TypeError(f"{cls.__name__} takes {cls.__signature__}")

    def _asdict(self) -> dict[str, Any]:
        """The fields by name, in their order."""
        return {name: self.__dict__[name] for name in self._fields}

    def _replace(self, **changes: Any) -> Self:
        """The same value with other values for some fields."""
        return type(self)(**{**self.__dict__, **changes})

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.__dict__ == self.__dict__

    def __hash__(self) -> int:
        return hash((type(self), *self._asdict().values()))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in self._asdict().items())})"
