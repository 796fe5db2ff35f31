"""Idempotency keys of agents: a call of a tool that is made again buys nothing again.

The Model Context Protocol has no place of its own for one; what it has for names of others is `_meta`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError
from flowdsl.journal.tags import REQUEST_TAG
from flowdsl.serve.elsewhere import place_of
from flowdsl.serve.headers import LONGEST_KEY
from flowdsl.serve.keys import alone

if TYPE_CHECKING:
    from flowdsl.journal.journal import Journal

META = "flowdsl/idempotency-key"


class KeyedCall:
    """A call with a key: `run` is the id of its run, `owner` whose key it is."""

    def __init__(self, key: str, owner: str, tool: str, arguments: Mapping[str, Any], journal: Journal) -> None:
        self.run = f"call-{hashlib.sha256(json.dumps([owner, key]).encode()).hexdigest()[:40]}"
        self._place = place_of(self.run, owner)
        said = json.dumps([tool, arguments], ensure_ascii=False, sort_keys=True)
        self._digest = hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()[:32]
        self._journal = journal

    def is_bought(self) -> bool:
        """Whether all that the call buys is bought.

        Raises:
            UsageError: the key was used for another call.
        """
        kept = self._journal.kept(self.run)
        if kept is not None and kept.tags.get(REQUEST_TAG) != self._digest:
            raise UsageError(
                f"nothing was run: the `{META}` was used for another call; give each call a key of its own"
            )
        return kept is not None and kept.status == "done"

    @asynccontextmanager
    async def alone(self, journal: Journal) -> AsyncIterator[dict[str, str]]:
        """Nobody else works on this call meanwhile; gives the tags of its run in a journal, which uses what was bought.

        Raises:
            UsageError: the key was used for another call.
            JournalError: somebody works on it for longer than anybody waits; or the folder cannot be written.
        """
        async with alone(self._journal, self._place):
            self.is_bought()
            journal.repeating(self.run)
            yield {REQUEST_TAG: self._digest}


def keyed_call(
    meta: Mapping[str, Any] | None, owner: str, tool: str, arguments: Mapping[str, Any], journal: Journal | None
) -> KeyedCall | None:
    """The call with the key that its `_meta` has; None where it has none.

    Raises:
        UsageError: it is no key.
    """
    key = (meta or {}).get(META)
    if key is None:
        return None
    if not isinstance(key, str) or not 0 < len(key) <= LONGEST_KEY:
        raise UsageError(f"nothing was run: `_meta` has as `{META}` a text of 1 to {LONGEST_KEY} characters")
    if journal is None:
        raise UsageError(f"nothing was run: this server keeps no journal, so that a `{META}` would do nothing")
    return KeyedCall(key, owner, tool, arguments, journal)
