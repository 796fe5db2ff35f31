"""An error as a value of the FlowContext: what `flowContext.error` is in a catch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowdsl.errors import RunError, ServiceError

KEYS = ("message", "name", "step", "code", "status", "retryable", "charge_possible")


class ErrorValue(Mapping[str, Any]):
    """A map with message, name, step, code, status, retryable and charge_possible that prints as its message."""

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
            "charge_possible": service.charge_possible if service else False,
        }

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(KEYS)

    def __len__(self) -> int:
        return len(KEYS)

    def __flow_text__(self) -> str:
        return str(self._values["message"])

    def __str__(self) -> str:
        return self.__flow_text__()

    def __repr__(self) -> str:
        return f"ErrorValue({self._values!r})"
