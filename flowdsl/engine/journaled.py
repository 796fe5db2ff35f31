"""A run that has a journal: what that is told of its beginning and its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.engine.effects import Began, Journaling
from flowdsl.engine.secrets import Secrets
from flowdsl.errors import RunError
from flowdsl.step.gather import to_its_end
from flowdsl.template import holds_secret

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document.document import Document


def began(
    document: Document,
    run: str,
    inputs: dict[str, Any],
    secrets: Secrets,
    tags: Mapping[str, str],
    as_of: date | None,
) -> Began:
    """What a journal keeps of a run that begins: nothing of it is secret."""
    from datetime import date

    shown = {name: secrets.hide_in(value) for name, value in inputs.items()}
    hidden = [name for name, value in inputs.items() if holds_secret(value) or shown[name] != value]
    return Began(run, document, shown, hidden, secrets.hide_in(dict(tags)), as_of or date.today(), secrets.hide_in)


async def kept(outputs: Coroutine[Any, Any, dict[str, Any]], door: Journaling) -> dict[str, Any]:
    """The outputs of a run, whose end stands in its journal when this is over, also when it is cancelled."""
    status: str = "cancelled"
    failure: RunError | None = None
    is_closed = False
    try:
        found = await outputs
        status = "done"
        return found
    except RunError as error:
        status, failure = "failed", error
        raise
    except GeneratorExit:
        is_closed = True
        raise
    finally:
        door.end(status, failure)
        if not is_closed:
            await to_its_end(asyncio.ensure_future(door.ended()))
