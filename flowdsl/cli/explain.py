"""`flowdsl explain`: the options of one step, and where each comes from; or what a code means."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, one_of
from flowdsl.cli.flow_files import flow_source
from flowdsl.diagnostics import has_errors
from flowdsl.display.visible import visible_line
from flowdsl.errors import FlowCheckError, UsageError

if TYPE_CHECKING:
    from flowdsl.cli.origins import Option
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.document import Document, StepNode
    from flowdsl.environment.environment import Examined
    from flowdsl.step.service import Service

EXAMPLES = (
    "flowdsl explain skyline.flow.yaml:4",
    "flowdsl explain studio.ai-kit.yaml:27 --action poster --format json",
    "flowdsl explain maybe-undefined",
)
_WIDEST = 60
_DIGITS = 10


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when the file has mistakes, which are told after the step, 2 when no step stands there."""
    options = parser().parse(arguments)
    if ":" not in options.place:
        print(_meaning(options.place, options.format))
        return 0
    path, line = _place(options.place)
    examined, document, step = _found(path, line, options.action)
    from flowdsl.cli.origins import options_of, settings_of
    from flowdsl.environment.destinations import service_of

    service = service_of(step, document, examined.settings.services)
    hide = step.node.source.hide
    given = [row._replace(value=without_secrets(row.value, hide)) for row in options_of(step, service)]
    settings = list(settings_of(service)) if service is not None else []
    if options.format == "json":
        print(_json(step, given, service, settings))
    else:
        print(_text(step, given, service, settings))
        _print_destinations(examined, document, step)
    if has_errors(examined.diagnostics):
        sys.stdout.flush()
        raise FlowCheckError(_hidden_findings(examined))
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("explain", COMMANDS["explain"], EXAMPLES)
    parser.add_argument(
        "place", metavar="FILE:LINE|CODE", help="the line of a step, or one inside it; or a code, such as unknown-step"
    )
    parser.add_argument("--action", metavar="NAME", help="for steps that several actions of a kit share: as which one")
    parser.add_argument(
        "--format", type=one_of("text", "json"), default="text", metavar="FORM", help="text (default) or json"
    )
    return parser


def _print_destinations(examined: Examined, document: Document, step: StepNode) -> None:
    """Prints which secret the step sends to which host, when it sends one."""
    from flowdsl.environment.destinations import destinations_of

    rows = dict.fromkeys(destinations_of(step, document, examined.settings.services))
    if rows:
        print("\n".join(["\nsecrets", *(f"  {secret} → {host}" for secret, host, _ in rows)]))


def _meaning(code: str, form: str) -> str:
    """What a code of a finding or an error means.

    Raises:
        UsageError: there is no such code.
    """
    from flowdsl.codes import CODES

    found = CODES.get(code)
    if found is None:
        from flowdsl.nearest import nearest

        near = nearest(code, CODES)
        raise UsageError(
            f"`{visible_line(code)}` is neither FILE:LINE, such as skyline.flow.yaml:4, nor a code"
            + (f"; did you mean `{near}`?" if near else "")
        )
    from flowdsl.reference.explained import explained

    said = explained(found.name)
    shown = said.example
    if form == "json":
        example = None if shown is None else shown._asdict()
        head = {"code": found.name, "severity": found.severity, "also": list(found.also), "meaning": found.meaning}
        return json.dumps(
            {**head, "why": said.why, "url": said.url, "since": found.since, "example": example}, indent=2
        )
    parts = [f"{found.name}: {' or '.join(said.severities)}\n  {said.meaning}\n  {said.why}"]
    if shown is not None:
        parts += [f"example\n{_indented(shown.text)}", f"what is said of it\n{_indented(shown.said)}"]
        if shown.fixed is not None:
            parts.append(f"with the fix: {shown.title}\n{_indented(shown.fixed)}")
    return "\n\n".join([*parts, said.url])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip("\n").split("\n"))


def _place(text: str) -> tuple[str, int]:
    path, _, line = text.rpartition(":")
    if not path or not (line.isdecimal() and len(line) < _DIGITS) or int(line) < 1:
        raise UsageError(f"`{text}` is not FILE:LINE, such as skyline.flow.yaml:4")
    return path, int(line)


def _found(path: str, line: int, action: str | None) -> tuple[Examined, Document, StepNode]:
    """The step of a line, in the first flow of the file that can come to it, which may have mistakes.

    Raises:
        FlowCheckError: the file has mistakes, and no step can be found there.
        UsageError: no step stands there, or the kit has no such action.
    """
    from flowdsl.cli.origins import step_at
    from flowdsl.cli.variables import Environments
    from flowdsl.document.actions import chosen

    source = flow_source(path)
    examined = Environments().of(source).examined(source)
    file = examined.file
    documents: Iterable[Document] = ()
    if file is not None:
        documents = file.documents if action is None and file.documents else (chosen(file, action),)
    for document in documents:
        step = step_at(document, path, line)
        if step is not None:
            return examined, document, step
    if has_errors(examined.diagnostics):
        raise FlowCheckError(_hidden_findings(examined))
    raise UsageError(f"no step stands at {path}:{line}")


def _hidden_findings(examined: Examined) -> list[Diagnostic]:
    return [finding.hidden() for finding in examined.diagnostics]


def _text(step: StepNode, given: Iterable[Option], service: Service | None, settings: Sequence[Option]) -> str:
    parts = [f"{step.node.span.path}:{step.node.span.first.line} {step.spec.name} ({step.path})"]
    parts.append(_table("options", given))
    if service is not None:
        parts.append(_table(f"service {service.name}", settings))
    return "\n\n".join(parts)


def _table(title: str, rows: Iterable[Option]) -> str:
    shown = [(row.name, _short(row.value), row.origin) for row in rows]
    names = max((len(name) for name, _, _ in shown), default=0)
    values = max((len(value) for _, value, _ in shown), default=0)
    lines = [f"  {name:{names}}  {value:{values}}  {origin}" for name, value, origin in shown]
    return "\n".join([title, *(lines or ["  none"])])


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = visible_line(" ".join(_hidden(text).split()))
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 1]}…"


def _hidden(text: str) -> str:
    """A text without the user name and password that an address may hold."""
    import re

    return re.sub(r"(?<=://)[^/@\s]+@", "***@", text)


def without_secrets(value: Any, hide: Callable[[str], str]) -> Any:
    """A value of the file without the secrets that stand there in plain text."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, dict):
        return {key: without_secrets(item, hide) for key, item in value.items()}
    return [without_secrets(item, hide) for item in value] if isinstance(value, list) else value


def _json(step: StepNode, given: Iterable[Option], service: Service | None, settings: Iterable[Option]) -> str:
    first = step.node.span.first
    found: dict[str, Any] = {
        "file": step.node.span.path,
        "line": first.line,
        "step": step.spec.name,
        "path": step.path,
        "options": [_plain(row) for row in given],
    }
    if service is not None:
        found |= {"service": service.name, "settings": [_plain(row) for row in settings]}
    return json.dumps(found, indent=2, ensure_ascii=False)


def _plain(row: Option) -> dict[str, Any]:
    value = _hidden(row.value) if isinstance(row.value, str) else row.value
    return {"name": row.name, "value": value, "origin": row.origin}
