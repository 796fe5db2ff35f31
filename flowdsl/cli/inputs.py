"""`flowdsl inputs`: what a flow takes, without running it."""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.checker.inputs import TYPES
from flowdsl.cli.arguments import Parser, flag
from flowdsl.cli.flow_files import flow_source
from flowdsl.cli.terminal import text_width
from flowdsl.cli.variables import Environments
from flowdsl.display.visible import visible_line
from flowdsl.errors import FlowSyntaxError, UsageError
from flowdsl.record import Record
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.checker.input_keys import Keys
    from flowdsl.document.document import Document, InputDeclaration

EXAMPLES = (
    "flowdsl inputs skyline.flow.yaml",
    "flowdsl inputs studio.ai-kit.yaml --action poster --json",
)
_UNDECLARED = re.compile(r"flowContext\.(\w+)|([A-Za-z_]\w*)$")


class Inputs(Record):
    """What one flow of a file takes; `title` and `id` are those of a kit's action. `undeclared` are names that the flow
    reads, and that neither a step nor a declaration gives; `keys` are those that it reads of each input."""

    file: str
    title: str | None
    id: str | None
    declared: Mapping[str, InputDeclaration]
    undeclared: tuple[str, ...]
    keys: Mapping[str, Keys]


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when the file is no flow, 2 when it cannot be read."""
    options = parser().parse(arguments)
    flows = flows_of(options.file, options.action)
    print(_json(flows) if options.json else listed(flows))
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("inputs", COMMANDS["inputs"], EXAMPLES)
    parser.add_argument("file", metavar="FILE", help="the flow or kit; - for stdin")
    parser.add_argument("--action", metavar="NAME", help="only of this action of a kit: its title or its id")
    flag(parser, "--json", help="print them as JSON")
    return parser


def flows_of(path: str, action: str | None = None) -> list[Inputs]:
    """What the flow of a file takes; of a kit each action, or the one that is named. Other mistakes in the file do
    not matter.

    Raises:
        FlowSyntaxError: the file holds no flow at all.
        UsageError: it is a module, or there is no such action.
        OSError: it cannot be read.
    """
    from flowdsl.document.actions import chosen

    source = flow_source(path)
    examined = Environments().of(source).examined(source)
    file, diagnostics = examined.file, examined.diagnostics
    if file is None:
        raise FlowSyntaxError(diagnostics)
    if file.kind == "module":
        raise UsageError("this file is a module: it has blocks for other flows, and takes no inputs")
    documents = file.documents if action is None and file.kind == "kit" else (chosen(file, action),)
    unset = [found.span.text for found in diagnostics if found.code == "undefined-variable"]
    names = dict.fromkeys(found[1] or found[2] for text in unset if (found := _UNDECLARED.match(text)))
    return [_inputs(path, document, () if file.kind == "kit" else tuple(names)) for document in documents]


def listed(flows: Iterable[Inputs]) -> str:
    """The inputs of flows as text for people."""
    return "\n\n".join("\n".join(map(without_keys, _lines(flow))) for flow in flows)


def _inputs(path: str, document: Document, names: tuple[str, ...]) -> Inputs:
    from flowdsl.checker.input_keys import input_keys

    undeclared = names if document.inputs is None else ()
    return Inputs(path, document.title, document.id, document.inputs or {}, undeclared, input_keys(document))


def _lines(flow: Inputs) -> Iterator[str]:
    name = "stdin" if flow.file == "-" else flow.file
    yield visible_line(f"inputs of {name}" + (f", {flow.title}" if flow.title else ""))
    names = max((len(name) for name in flow.declared), default=0)
    for name, declaration in flow.declared.items():
        kind = _kind(_hidden(declaration, declaration.schema))
        yield visible_line(f"  {name:{names}}  {kind}{_default(declaration)}")
        for key in ("title", "description"):
            if isinstance(declaration.schema.get(key), str):
                indent = " " * (names + 4)
                text = " ".join(declaration.schema[key].split())
                yield textwrap.fill(text, text_width(sys.stdout), initial_indent=indent, subsequent_indent=indent)
        yield from _needed(flow.keys.get(name), declaration.schema, names + 4)
    for name in flow.undeclared:
        yield f"  {name}  any value, required; the flow reads it without declaring it"
    if not flow.declared and not flow.undeclared:
        yield "  none"


def _needed(keys: Keys | None, schema: Mapping[str, Any], columns: int) -> Iterator[str]:
    """The keys that the flow reads of the items of an input, and of the input itself, and those that its schema asks
    for."""
    items = schema.get("items")
    required = items.get("required") if isinstance(items, Mapping) else None
    of_items = dict.fromkeys(required if isinstance(required, list) else (), False)
    for name, optional in (keys.of_items if keys is not None else {}).items():
        of_items[name] = optional and of_items.get(name, True)
    indent = " " * columns
    for words, read in (("each item, or line of a CSV file,", of_items), ("it", keys.own if keys is not None else {})):
        needed = ", ".join(str(name) for name, optional in read.items() if not optional)
        spare = ", ".join(name for name, optional in read.items() if optional)
        said = "; ".join(filter(None, (f"{words} needs {needed}" * bool(needed), f"may have {spare}" * bool(spare))))
        if said:
            said = said if needed else f"{words} {said}"
            yield textwrap.fill(said, text_width(sys.stdout), initial_indent=indent, subsequent_indent=indent)


def _default(declaration: InputDeclaration) -> str:
    if not declaration.has_default:
        return ", required"
    from flowdsl.step.problem import show

    return f", default {show(_hidden(declaration, declaration.default))}"


def _hidden(declaration: InputDeclaration, value: Any) -> Any:
    """A value of a declaration without the secrets that stand in the file in plain text."""
    from flowdsl.cli.explain import without_secrets

    return without_secrets(value, declaration.node.source.without_keys)


def _kind(schema: Mapping[str, Any]) -> str:
    """What a schema accepts, in words; what it says beyond the common keywords is left out."""
    choices = schema.get("enum")
    if isinstance(choices, list):
        return f"one of {', '.join(str(choice) for choice in choices)}"
    either = schema.get("anyOf")
    if isinstance(either, list) and all(isinstance(each, Mapping) for each in either):
        return " or ".join(map(_kind, either))
    wanted = schema.get("type")
    names = [wanted] if isinstance(wanted, str) else wanted if isinstance(wanted, list) else []
    kind = " or ".join(TYPES.get(name, str(name)) for name in names) or "any value"
    least, most = (schema.get(name) for name in ("minimum", "maximum"))
    if least is not None or most is not None:
        kind += f" {f'from {least}' if least is not None else ''}{f' to {most}' if most is not None else ''}".rstrip()
    return kind.replace("  ", " ")


def _json(flows: Iterable[Inputs]) -> str:
    import json

    found = [
        {
            "id": flow.id,
            "title": flow.title and without_keys(flow.title),
            "inputs": [_plain(declaration, flow.keys.get(name)) for name, declaration in flow.declared.items()],
            "undeclared": list(flow.undeclared),
        }
        for flow in flows
    ]
    return json.dumps({"flows": found}, indent=2, ensure_ascii=False)


def _plain(declaration: InputDeclaration, keys: Keys | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": declaration.name, "required": not declaration.has_default}
    if declaration.has_default:
        found["default"] = _hidden(declaration, declaration.default)
    for name, read in (("item_keys", keys.of_items), ("keys", keys.own)) if keys is not None else ():
        if read:
            found[name] = [{"name": key, "required": not optional} for key, optional in read.items()]
    return {**found, "schema": _hidden(declaration, declaration.schema)}
