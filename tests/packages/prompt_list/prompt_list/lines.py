"""A dialect that is no YAML: a text whose first line is `prompts!`, with a prompt on each line below."""

from __future__ import annotations

from flowdsl import Diagnostic, Dialect, Source, Span
from flowdsl.document.dialects import Findings, Node, made

FIRST = "prompts!"


class PromptLines(Dialect):
    """One image for each line."""

    reads_text = True

    def recognises(self, source: Source, root: Node | None) -> bool:
        """The first line says so."""
        return source.text.startswith(f"{FIRST}\n")

    def read(self, source: Source) -> tuple[Node | None, list[Diagnostic]]:
        """A list of the lines."""
        items, at, problems = [], len(FIRST) + 1, []
        for line in source.text[at:].splitlines(keepends=True):
            span = Span(source, at, at + len(line.rstrip("\n")))
            if "\t" in line:
                problems.append(Diagnostic("tab", "a line of prompts has no tabs", span))
            items.append(made(span.text, span))
            at += len(line)
        return made(items, Span(source, 0, len(source.text))), problems

    def lower(self, root: Node, findings: Findings) -> Node:
        """A step for each line."""
        return made([made({"step": "SET", "text": line}, line.span) for line in root.value], root.span)
