"""`flowdsl explain`: the options of steps, and where each comes from; or what a code means."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, flag, one_of
from flowdsl.cli.flow_files import flow_source
from flowdsl.diagnostics import has_errors
from flowdsl.display.visible import visible_line
from flowdsl.errors import FlowCheckError, UsageError
from flowdsl.record import Record
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.cli.origins import Option
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.document.dialects.task import ForeignTask
    from flowdsl.document.document import Document, StepNode
    from flowdsl.environment.environment import Examined
    from flowdsl.step.service import Service
    from flowdsl.syntax.node import Node

EXAMPLES = (
    "flowdsl explain skyline.flow.yaml:4",
    "flowdsl explain studio.ai-kit.yaml:27 --action poster --json",
    "flowdsl explain comic_page.kestra.yml image_generation",
    "flowdsl explain maybe-undefined",
)
_WIDEST = 60
_DIGITS = 10


def main(arguments: Sequence[str]) -> int:
    """The exit code: 1 when the file has mistakes, which are told after the steps, 2 when no step stands there."""
    options = parser().parse(arguments)
    form = "json" if options.json else options.format
    path, line = _place(options.place)
    if line is None and options.task is None and not os.path.exists(path):  # noqa: PTH110  pathlib is slow to import
        print(_meaning(path, form))
        return 0
    if line is not None and options.task is not None:
        raise UsageError("a task is named by its line, or by its id: give one of them")
    file = _examined(path, options.action)
    found = list(_shown(file, line, options.task))
    if not found:
        if has_errors(file.examined.diagnostics):
            raise FlowCheckError(_hidden_findings(file.examined))
        raise UsageError(_none_found(file, line, options.task))
    if form == "json":
        shown = [each.to_json() for each in found]
        print(json.dumps({"tasks": shown} if line is None else shown[0], indent=2, ensure_ascii=False))
    else:
        print("\n\n".join(each.text() for each in found))
    if has_errors(file.examined.diagnostics):
        sys.stdout.flush()
        raise FlowCheckError(_hidden_findings(file.examined))
    return 0


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("explain", COMMANDS["explain"], EXAMPLES)
    parser.add_argument(
        "place",
        metavar="FILE|FILE:LINE|CODE",
        help="all steps of a file, or the one on a line; of a document of another system its tasks, in its own words; "
        "or a code, such as unknown-step",
    )
    parser.add_argument("task", metavar="TASK", nargs="?", help="of a FILE only the step or task with this id")
    parser.add_argument("--action", metavar="NAME", help="for steps that several actions of a kit share: as which one")
    parser.add_argument(
        "--format", type=one_of("text", "json"), default="text", metavar="FORM", help="text (default) or json"
    )
    flag(parser, "--json", help="the same as --format json")
    return parser


class _File(Record):
    """A file: what its check found, the flows in it that are looked through, and the tasks of another system."""

    path: str
    examined: Examined
    documents: Sequence[Document]
    tasks: Sequence[ForeignTask]


class _Shown(Record):
    """A step, in the words of a document of another system where that has its task."""

    file: _File
    document: Document | None
    step: StepNode | None
    task: ForeignTask | None

    @property
    def service(self) -> Service | None:
        """The service that the step asks."""
        if self.step is None or self.document is None:
            return None
        from flowdsl.environment.destinations import service_of

        return service_of(self.step, self.document, self.file.examined.settings.services)

    def options(self) -> list[Option]:
        """The options with their origins, without the secrets of the file."""
        from flowdsl.cli.origins import Option, options_of

        if self.task is not None:
            hide = self.task.node.source.without_keys
            rows = [Option(row.name, row.value, row.origin) for row in self.task.options]
        else:
            assert self.step is not None  # noqa: S101  one of the two is there
            hide = self.step.node.source.without_keys
            rows = list(options_of(self.step, self.service))
        return [row._replace(value=without_secrets(row.value, hide)) for row in rows]

    def settings(self) -> list[Option]:
        """The settings of the service with their origins."""
        from flowdsl.cli.origins import settings_of

        service = self.service
        return [] if service is None else list(settings_of(service))

    def text(self) -> str:
        """It in lines for people."""
        parts = [self._title(), _table("options", self.options())]
        service = self.service
        if service is not None:
            parts.append(_table(f"service {service.name}", self.settings()))
        parts += self._destinations()
        return "\n\n".join(parts)

    def to_json(self) -> dict[str, Any]:
        """It as JSON values."""
        node = self.step.node if self.task is None and self.step is not None else self._node()
        found: dict[str, Any] = {"file": node.span.path, "line": node.span.first.line}
        if self.task is not None:
            hide = self.task.node.source.without_keys
            found |= {"task": self.task.kind, "id": self.task.id and hide(self.task.id), "path": hide(self.task.path)}
        elif self.step is not None:
            found |= {"step": self.step.spec.name, "path": self.step.node.source.without_keys(self.step.path)}
        if self.task is not None and self.step is not None:
            found |= {"step": self.step.spec.name}
        found["options"] = [_plain(row) for row in self.options()]
        service = self.service
        if service is not None:
            found |= {"service": service.name, "settings": [_plain(row) for row in self.settings()]}
        return found

    def _node(self) -> Node:
        assert self.task is not None  # noqa: S101  asked of tasks alone
        return self.task.node

    def _title(self) -> str:
        if self.task is not None:
            node, name = self.task.node, " ".join(filter(None, (self.task.kind, self.task.id)))
            title = f"{node.span.path}:{node.span.first.line} {name} ({self.task.path})"
            return visible_line(node.source.without_keys(title))
        assert self.step is not None  # noqa: S101  one of the two is there
        node = self.step.node
        title = f"{node.span.path}:{node.span.first.line} {self.step.spec.name} ({self.step.path})"
        return visible_line(node.source.without_keys(title))

    def _destinations(self) -> list[str]:
        """Which secret the step sends to which host, when it sends one."""
        if self.step is None or self.document is None:
            return []
        from flowdsl.environment.destinations import destinations_of

        rows = dict.fromkeys(destinations_of(self.step, self.document, self.file.examined.settings.services))
        return ["\n".join(["secrets", *(f"  {secret} → {host}" for secret, host, _ in rows)])] if rows else []


def _examined(path: str, action: str | None) -> _File:
    """The flows of a file and the tasks of another system, whatever mistakes it has."""
    from flowdsl.cli.variables import Environments
    from flowdsl.document.actions import chosen
    from flowdsl.document.dialects import tasks

    source = flow_source(path)
    examined = Environments().of(source).examined(source)
    file = examined.file
    documents: Sequence[Document] = ()
    if file is not None:
        documents = file.documents if action is None and file.documents else (chosen(file, action),)
    return _File(path, examined, documents, tasks(source))


def _shown(file: _File, line: int | None, id: str | None) -> Iterator[_Shown]:
    """The steps or tasks that are asked for: that of a line, that of an id, or all."""
    if not file.tasks:
        yield from _steps(file, line, id)
        return
    around = [task for task in file.tasks if line is not None and _holds(task, line)]
    innermost = max(around, key=lambda task: task.node.start, default=None)
    for task in file.tasks:
        if (line is None or task is innermost) and id in (None, task.id):
            step = _step_of(file, task)
            yield _Shown(file, file.documents[0] if file.documents else None, step, task)


def _steps(file: _File, line: int | None, id: str | None) -> Iterator[_Shown]:
    from flowdsl.cli.origins import step_at

    for document in file.documents:
        if line is not None:
            step = step_at(document, file.path, line)
            if step is not None:
                yield _Shown(file, document, step, None)
                return
            continue
        for each in document.every_step():
            if id in (None, each.id):
                yield _Shown(file, document, each, None)


def _holds(task: ForeignTask, line: int) -> bool:
    text = task.node.span.text.rstrip()
    last = task.node.source.position(task.node.start + max(0, len(text) - 1)).line
    return task.node.span.first.line <= line <= last


def _step_of(file: _File, task: ForeignTask) -> StepNode | None:
    """The step that asks a service for a task itself, and not for one in it."""
    inner = [
        each.node for each in file.tasks if each is not task and task.node.start <= each.node.start < task.node.end
    ]
    for step in file.documents[0].every_step() if file.documents else ():
        at = step.node.start
        if not task.node.start <= at < task.node.end or step.spec.provider is None:
            continue
        if not any(node.start <= at < node.end for node in inner):
            return step
    return None


def _none_found(file: _File, line: int | None, id: str | None) -> str:
    if line is not None:
        return f"no step stands at {file.path}:{line}"
    names = [task.id for task in file.tasks if task.id]
    if not file.tasks:
        names = [step.id for document in file.documents for step in document.every_step() if step.id]
    if id is None:
        return f"{file.path} has no steps of its own"
    there = f"there are {', '.join(names)}" if names else "no step there has an id"
    return visible_line(without_keys(f"no step of {file.path} has the id `{id}`; {there}"))


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
            f"`{visible_line(code)}` is neither a file, nor FILE:LINE, such as skyline.flow.yaml:4, nor a code"
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
        parts += [f"{name}\n{_indented(text)}" for name, text in (shown.files or {"example": shown.text}).items()]
        parts.append(f"what is said of {next(iter(shown.files or ['it']))}\n{_indented(shown.said)}")
        if shown.fixed is not None:
            parts.append(f"with the fix: {shown.title}\n{_indented(shown.fixed)}")
    return "\n\n".join([*parts, said.url])


def _indented(text: str) -> str:
    return "\n".join(f"  {line}".rstrip() for line in text.rstrip("\n").split("\n"))


def _place(text: str) -> tuple[str, int | None]:
    """A file, or a code, and the line behind it, where one is given."""
    path, _, line = text.rpartition(":")
    if path and line.isdecimal() and len(line) < _DIGITS and int(line) >= 1:
        return path, int(line)
    if ":" in text and not os.path.exists(text):  # noqa: PTH110  pathlib is slow to import
        raise UsageError(f"`{text}` is not FILE:LINE, such as skyline.flow.yaml:4")
    return text, None


def _hidden_findings(examined: Examined) -> list[Diagnostic]:
    return [finding.hidden() for finding in examined.diagnostics]


def _table(title: str, rows: Iterable[Option]) -> str:
    shown = [(visible_line(row.name), _short(row.value), row.origin) for row in rows]
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


def _plain(row: Option) -> dict[str, Any]:
    value = _hidden(row.value) if isinstance(row.value, str) else row.value
    return {"name": row.name, "value": value, "origin": row.origin}
