"""Which findings are wanted: comments in files leave some out, settings too, and settings say how grave others are."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.flow_file import FlowFile
    from flowdsl.settings.layers import InForce

_MARK = "flowdsl:"
"""What stands in each comment that ignores a finding."""


def wanted(file: FlowFile | None, found: list[Diagnostic], settings: InForce) -> list[Diagnostic]:
    """The findings of a file that its author and the project want to hear of, with the severities that they give."""
    texts = {id(each.span.source): each.span.source.text for each in found}.values()
    if file is not None and (_MARK in file.source.text or any(_MARK in text for text in texts)):
        from flowdsl.checker.ignores import without_ignored
        from flowdsl.settings.severities import OF_SECRETS

        found = without_ignored(file.source, found, OF_SECRETS, whole=file.kind != "module")
    if settings.severities:
        from flowdsl.settings.severities import with_severities

        found = with_severities(found, settings.severities)
    return found if settings.reported is None else settings.reported.kept(found)
