"""Values of the FlowContext that JSON has no form for, beside images: bytes, and an error that was caught."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.errors import RunError, ServiceError, UsageError
from flowdsl.walks import DEEPEST

_BLOB_KEYS = ("contentType", "size", "sha256")


class Blob(Mapping[str, Any]):
    """Bytes with a media type: a map with `contentType`, `size` (bytes) and `sha256`. The bytes are in `content`, and
    `name` is what messages call them, such as the name of their file."""

    __slots__ = ("_values", "content", "name")

    def __init__(self, content: bytes, content_type: str, name: str | None = None) -> None:
        import hashlib  # it loads OpenSSL, which a check has no use for

        self.content = content
        self.name = name
        digest = hashlib.sha256(content).hexdigest()
        self._values = {"contentType": content_type, "size": len(content), "sha256": digest}

    def to_json(self) -> dict[str, Any]:
        """The map, without the bytes."""
        return dict(self._values)

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(_BLOB_KEYS)

    def __len__(self) -> int:
        return len(_BLOB_KEYS)

    def __repr__(self) -> str:
        return f"<Blob {self._values['contentType']} {self._values['size']} bytes>"


class ErrorValue(Mapping[str, Any]):
    """A map with message, name, step, code, status, retryable and charge_possible that prints as its message.

    `images`, when there are any, are the pictures that were made and paid for although it failed.
    """

    __slots__ = ("_values", "error")

    def __init__(self, error: RunError) -> None:
        service = error if isinstance(error, ServiceError) else None
        self.error = error
        self._values: dict[str, Any] = {
            "message": error.message,
            "name": type(error).__name__,
            "step": error.step,
            "code": error.code,
            "status": service.status if service else None,
            "retryable": service.retryable if service else False,
            "charge_possible": error.charge_possible,
        }
        if service is not None and "images" in service.details:
            self._values["images"] = service.details["images"]

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __flow_text__(self) -> str:
        return str(self._values["message"])

    def __str__(self) -> str:
        return self.__flow_text__()

    def __repr__(self) -> str:
        return f"ErrorValue({self._values!r})"


_SCALARS = frozenset((str, int, float, bool, type(None)))


def copied(value: Any) -> Any:
    """The value with lists, maps and sets of its own: what a run changes in them is not the host's. Other objects stay
    the same ones. Each is copied once, however many hold it, and one that holds itself still does.

    Raises:
        UsageError: it is nested too deep.
    """
    if type(value) is dict:
        for item in value.values():
            if item.__class__ not in _SCALARS:
                return _copied(value, {}, 0)
        return dict(value)  # most inputs are texts and numbers
    return _copied(value, {}, 0)


def _copied(value: Any, done: dict[int, Any], depth: int) -> Any:
    kind = type(value)
    if kind not in (dict, list, set, tuple):
        return value
    copy: Any = done.get(id(value))
    if copy is not None:
        return copy
    if depth > DEEPEST:
        raise UsageError(f"lists and maps of a host stand at most {DEEPEST} deep in each other")
    if kind is tuple:
        items = []
        for item in value:
            items.append(item if item.__class__ in _SCALARS else _copied(item, done, depth + 1))
        copy = done[id(value)] = tuple(items)
    elif kind is set:
        copy = done[id(value)] = set(value)
    elif kind is list:
        copy = done[id(value)] = []
        for item in value:
            copy.append(item if item.__class__ in _SCALARS else _copied(item, done, depth + 1))
    else:
        copy = done[id(value)] = {}
        for key, item in value.items():
            copy[key] = item if item.__class__ in _SCALARS else _copied(item, done, depth + 1)
    return copy
