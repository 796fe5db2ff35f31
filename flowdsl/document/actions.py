"""Which flow of a checked file is meant: a kit has one for each of its actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flowdsl.display.visible import visible_line
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.document.flow_file import FlowFile


class ActionNeeded(UsageError):
    """A kit was loaded without saying which of its actions is meant; `actions` holds the id and title of each."""

    def __init__(self, message: str, actions: tuple[tuple[str | None, str | None], ...]) -> None:
        super().__init__(message)
        self.actions = actions


def _names(documents: tuple[Document, ...]) -> list[str]:
    """What each action is chosen by: its title, or its id where it has no title or one before it has the same."""
    names: dict[str, None] = {}
    for document in documents:
        title = document.title
        name = title if title and title not in names else document.id or title or "(no title)"
        names[name] = None
    return list(names)


def chosen(file: FlowFile, action: str | None) -> Document:
    """The flow of a checked file: its only one, or the action of a kit with that id or title.

    Raises:
        UsageError: there is no such action, or the file has no flow at all.
    """
    documents = file.documents
    if file.kind == "module":
        raise UsageError("this file is a module: it has blocks for other flows, and no flow of its own")
    if file.kind == "tests":
        raise UsageError("this file holds flow tests: `flowdsl test` runs them")
    if action is None and len(documents) == 1:
        return documents[0]
    if file.kind == "flow":
        raise UsageError("this file is one flow: it has no actions to choose from")
    if not documents:
        raise UsageError("this kit has no actions")
    from flowdsl.secrets.plain import without_keys  # few files come here

    names = [visible_line(without_keys(name)) for name in _names(documents)]
    if action is None:
        raise ActionNeeded(
            f"this kit has {len(documents)} actions; name one: {', '.join(names)}",
            tuple((document.id, document.title) for document in documents),
        )
    for named in ([document.id for document in documents], [document.title for document in documents]):
        if action in named:  # an id before a title, for one may be called as another is titled
            return documents[named.index(action)]
    from flowdsl.nearest import nearest

    near = nearest(action, names)
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(names)}"
    raise UsageError(f"the kit has no action `{visible_line(without_keys(action))}`: {hint}")
