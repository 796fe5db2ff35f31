"""What stands where a list belongs: the name of a file, which a flow does not read, or how often a loop is to run."""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic, Edit, Fix
from flowdsl.source import Span
from flowdsl.step.flow_shapes import Loop
from flowdsl.syntax import fixes
from flowdsl.syntax.edits import in_brackets, line_break, replaced

if TYPE_CHECKING:
    from flowdsl.document.document import Document, StepNode

_FILE = re.compile(r"@?([\w./ -]{0,200}\w\.(?:csv|tsv|json|ya?ml))", re.I)


def instead_of_list(found: Diagnostic, step: StepNode, key: str, document: Document) -> Diagnostic:
    """A finding about an option that is no list, with what to write where that is plain; else unchanged."""
    node, flow = step.keys[key], step.spec.flow
    if isinstance(flow, Loop) and key == flow.items and len(flow.numbers) > 1 and node.value.__class__ is int:
        return _counted(found, step, key, flow.numbers) if node.value > 0 else found
    match = _FILE.fullmatch(node.value) if isinstance(node.value, str) else None
    if match is None:
        return found
    name = re.sub(r"\W+", "_", PurePosixPath(match[1]).stem).strip("_")
    name = f"_{name}" if not name or name[0].isdigit() else name
    template = f"{{{{ inputs.{name} }}}}"
    declare = f"declare `{name}: {{type: array}}` under `inputs:`, "
    parts = [fixes.renamed(node, template)]
    if document.inputs is not None and name in document.inputs:
        declare = ""
    else:
        parts.append(_declared(document, f"{name}: {{type: array}}"))
    hint = f'a file is given as an input: write `{key}: "{template}"`, {declare}and give {match[1]} as that input'
    fix = fixes.together(parts, title=f'write `{key}: "{template}"`, and declare it')
    return found._replace(hint=hint, fixes=(fix,) if fix is not None else ())


def _counted(found: Diagnostic, step: StepNode, key: str, numbers: tuple[str, ...]) -> Diagnostic:
    """A number in place of items: the loop counts up to it."""
    first, last = numbers[:2]
    node, name = step.keys[key], step.key_nodes[key]
    source, column = node.source, node.source.position(name.start).col - 1
    bracketed = in_brackets(source.line(name.span.first.line)[:column])
    text = f"{', ' if bracketed else line_break(source) + ' ' * column}{last}: {node.value}"
    hint = f"write `{first}: 1` and `{last}: {node.value}`, to count"
    parts = fixes.renamed(name, first), fixes.renamed(node, 1), replaced(Span(source, node.end, node.end), text)
    fix = fixes.together(parts, title=hint)
    return found._replace(hint=hint, fixes=(fix,) if fix is not None else ())


def _declared(document: Document, entry: str) -> Fix | None:
    """The document with one declared input more; None where it has no place."""
    root, source = document.root, document.source
    own = root.value.get("inputs") if root.kind == "map" else None
    if own is not None:
        return fixes.added(own, entry) if own.kind == "map" and own.source is source else None
    start = source.offset(source.position(root.start).line, 1)
    if root.source is not source or source.text[start : root.start].strip() or source.text[root.start] in "{[":
        return None
    end, indentation = line_break(source), source.text[start : root.start]
    text = f"{indentation}inputs:{end}{indentation}  {entry}{end}"
    text += f"{indentation}flow:{end}" if root.kind == "list" else ""
    return Fix("declare it", (Edit(Span(source, start, start), text),))
