"""A run that has a journal: what that is told of its beginning and its end."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.engine.effects import Began, Journaling
from flowdsl.engine.secrets import Secrets
from flowdsl.errors import RunError
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
    """The outputs of a run, whose end its journal is told of."""
    status: str = "cancelled"
    failure: RunError | None = None
    try:
        found = await outputs
        status = "done"
        return found
    except RunError as error:
        status, failure = "failed", error
        raise
    finally:
        door.end(status, failure)
