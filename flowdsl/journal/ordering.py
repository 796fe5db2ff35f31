"""Orders that services have taken, in the ledger: `vendor_order` of their requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from flowdsl.journal.database import Database
from flowdsl.journal.errors import JournalError
from flowdsl.journal.keeper import Keeper
from flowdsl.journal.rows import json_text
from flowdsl.step.ordering import ORDERING

ORDER = "order "
"""What the text begins with that stands there; another names a vendor's batch."""
_MOST = 64 * 1024


class KeptOrder:
    """The order of one request, by the key of its row. It is no reason to fail that it cannot be written: the request
    is in doubt then, as that of a service which takes no orders."""

    def __init__(self, database: Database, key: bytes, order: str | None, hide: Callable[[Any], Any]) -> None:
        self._database = database
        self._key = key
        self._earlier = order
        self._is_there = order is not None
        self._hide = hide

    def earlier(self) -> Mapping[str, Any] | None:
        """See `Ordering`, as with the others."""
        order, self._earlier = self._earlier, None
        found = None if order is None else json.loads(order.removeprefix(ORDER))
        return found if isinstance(found, dict) else None

    async def keep(self, order: Mapping[str, Any]) -> None:
        """It is taken."""
        text = f"{ORDER}{json_text(self._hide(dict(order)))}"
        if len(text) <= _MOST:
            self._is_there = True
            await self._write(text, durable=False)

    async def forget(self) -> None:
        """There is none: known to the disk before another is sent."""
        if self._is_there:
            self._is_there, self._earlier = False, None
            await self._write(None, durable=True)

    async def _write(self, text: str | None, *, durable: bool) -> None:
        values = (text, self._key)
        update = "UPDATE ledger SET vendor_order = ? WHERE id = ?"
        with suppress(JournalError):
            await self._database.write(lambda db: db.execute(update, values) and None, durable=durable)


@contextmanager
def ordering(journal: Keeper, key: bytes, order: str | None, hide: Callable[[Any], Any]) -> Iterator[None]:
    """Keeps the order of a request that is performed meanwhile. A simulator ends with its command, and its orders."""
    if journal.simulated:
        yield
        return
    own = order if order is not None and order.startswith(ORDER) else None
    token = ORDERING.set(KeptOrder(journal.database, key, own, hide))
    try:
        yield
    finally:
        ORDERING.reset(token)
