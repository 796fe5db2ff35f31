"""What makes a request cheaper that a budget has refused."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flowdsl.errors import LimitExceeded
from flowdsl_steps.image.request import ImageRequest

_SPENT = "budget-spent"
_OPEN = (None, "auto")


@contextmanager
def with_cheaper(request: ImageRequest) -> Iterator[None]:
    """Says behind the hint of a run's budget that is spent what the step itself can do."""
    try:
        yield
    except LimitExceeded as error:
        if error.code == _SPENT and error.hint and "`--max-usd X`" in error.hint:
            error.hint = f"{error.hint}; or {_cheaper(request)}"
        raise


def _cheaper(request: ImageRequest) -> str:
    missing = [name for name in ("size", "quality") if request.option(name) in _OPEN]
    if missing:
        keys, cost = " and ".join(f"a `{name}`" for name in missing), "costs" if len(missing) == 1 else "cost"
        return f"give the step {keys}, which {cost} less than `auto` may"
    less = [] if request.n == 1 else ["fewer pictures"]
    less += [] if request.quality == "low" else ["a lower `quality`"]
    return f"ask for less: {', '.join([*less, 'a smaller `size`'])} or a cheaper model"
