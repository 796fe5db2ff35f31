"""What a project says of image models beside the catalogue of their vendors: `[models]` of its settings file.

It counts while a flow is checked and run, and is read where the catalogue is asked: no vendor has to pass it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flowdsl.record import Record

if TYPE_CHECKING:
    from flowdsl.errors import UsageError


class OwnModels(Record):
    """Entries by the name of their model, in one form, and the file that they stand in. `key` tells them from others.

    An entry has those of `like` (a known model whose rules it has), `prices` (size, `*` for any → quality, `*` for any
    → USD), `rates` (USD for a million tokens of a kind), `sizes`, `qualities`, `snapshots`, and `life`: provider, `*`
    for all that have the model → days by `released`, `shutdown`, `replacement`; `file` is the path that it stands in.
    `mistake` makes the error for what cannot be: of a file, the keys that lead to its place, a message and a hint.
    """

    where: str
    entries: Mapping[str, Mapping[str, Any]]
    key: str
    mistake: Callable[..., UsageError]


OWN_MODELS: ContextVar[OwnModels | None] = ContextVar("own models", default=None)


def counting(own: OwnModels | None) -> AbstractContextManager[None]:
    """Within it these entries count."""
    return _UNCHANGED if own is None and OWN_MODELS.get() is None else _counting(own)


_UNCHANGED = nullcontext()


@contextmanager
def _counting(own: OwnModels | None) -> Iterator[None]:
    token = OWN_MODELS.set(own)
    try:
        yield
    finally:
        with suppress(ValueError):  # a run that is closed elsewhere: there they were never in force
            OWN_MODELS.reset(token)
