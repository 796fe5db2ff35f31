"""The second stage: nodes of any form of a flow to nodes of this language, each with its place in the author's file.

A dialect is another way to write flows: it recognises the content of a file and says it in this language. They are
asked in a fixed order, and the first that recognises a content has it: the native form, AI_KIT, then those of plugins
(entry points of the group `flowdsl.dialects`) by their names. A plugin's code is imported only for content that neither
the native form nor AI_KIT recognises. What no dialect recognises is taken for a native flow with mistakes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, Literal

from flowdsl.diagnostics import Diagnostic
from flowdsl.document.dialects.dialect import Dialect, made
from flowdsl.document.dialects.native import AiKit, Native
from flowdsl.document.findings import Findings
from flowdsl.entry_points import foreign, load, targets
from flowdsl.errors import PluginError, in_words
from flowdsl.record import Record
from flowdsl.source import Source
from flowdsl.syntax.composer import Include
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read

if TYPE_CHECKING:
    from flowdsl.document.dialects.task import ForeignTask

__all__ = [
    "Dialect",
    "Findings",
    "Lowered",
    "Node",
    "failure",
    "is_foreign",
    "lowered",
    "made",
    "message_of",
    "schemas",
    "tasks",
    "worded",
]

GROUP = "flowdsl.dialects"
NATIVE = Native()
BUILT_IN: tuple[Dialect, ...] = (NATIVE, AiKit())


class Lowered(Record):
    """A file in this language: its root node, what form that has, and what was found on the way."""

    source: Source
    root: Node
    form: Literal["flow", "kit"]
    findings: Findings
    dialect: Dialect = NATIVE
    own: tuple[Diagnostic, ...] = ()
    """What the dialect has found itself, in its own words."""


def lowered(source: Source, include: Include | None = None) -> tuple[Lowered | None, list[Diagnostic]]:
    """Reads a file and says it in this language; None, with the reasons, when nothing can be made of it.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    root, mistakes = read(source, include)
    dialect = _dialect_of(source, root)
    if dialect.reads_text:
        root, mistakes = _read(dialect, source)
    if root is None:
        return None, mistakes if dialect.reads_text else _worded(dialect, mistakes)
    findings = Findings(mistakes)
    read_first = 0 if dialect.reads_text else len(mistakes)
    if dialect in BUILT_IN:
        node = root if dialect is NATIVE else dialect.lower(root, findings)
    else:
        node = _foreign(dialect, "lower", root, findings, fitting=partial(_lowered, findings))
    own = tuple(findings.diagnostics[read_first:])
    if node is None:
        return None, [*_worded(dialect, findings.diagnostics[:read_first]), *own]
    return Lowered(source, node, dialect.form, findings, dialect, own), []


def _read(dialect: Dialect, source: Source) -> tuple[Node | None, list[Diagnostic]]:
    from flowdsl.document.dialects.shape import read_pair

    found: tuple[Node | None, list[Diagnostic]] = _foreign(dialect, "read", source, fitting=read_pair)
    return found


def worded(nodes: Lowered, found: list[Diagnostic]) -> list[Diagnostic]:
    """The findings of a file in the words of its dialect: those that the dialect has not found itself.

    Raises:
        PluginError: the dialect of a plugin fails.
    """
    if nodes.dialect in BUILT_IN:
        return found
    own = {id(each) for each in nodes.own}
    said = (
        [each] if id(each) in own or each.span.source is not nodes.source else _worded(nodes.dialect, [each])
        for each in found
    )
    return [each for told in said for each in told]


def _worded(dialect: Dialect, found: list[Diagnostic]) -> list[Diagnostic]:
    if dialect in BUILT_IN:
        return found
    said = [_foreign(dialect, "worded", each, fitting=_one_finding) for each in found]
    return [each for each in said if each is not None]


def _one_finding(found: Any) -> Diagnostic | None:
    """What `worded` gave, looked over.

    Raises:
        TypeError: it is no finding.
    """
    if found is not None:
        from flowdsl.document.dialects.shape import check_findings

        check_findings([found])
    return found  # type: ignore[no-any-return]  # looked over


def is_foreign(source: Source) -> bool:
    """Whether a file is of a dialect of a plugin: the document of another system.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    return _dialect_of(source, read(source)[0]) not in BUILT_IN


def message_of(source: Source) -> str | None:
    """Under which name the steps of a document take a message in place of those that come by themselves; None of one
    that works on none.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    return _dialect_of(source, read(source)[0]).message


def failure(source: Source, account: Mapping[str, Any]) -> Any:
    """What is said as JSON of a flow that failed, in the form of the file's dialect; None where that has none.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    dialect = _dialect_of(source, read(source)[0])
    return None if dialect in BUILT_IN else _foreign(dialect, "failure", account, fitting=_written_as_json)


def summary(source: Source, printed: Mapping[str, Any]) -> Mapping[str, Sequence[str]]:
    """The lines that the dialect of a file has for people in place of outputs of a run, by their names.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    dialect = _dialect_of(source, read(source)[0])
    return {} if dialect in BUILT_IN else _foreign(dialect, "summary", printed, fitting=_lines)


def _lines(found: Any) -> dict[str, list[str]]:
    """What `summary` gave, looked over.

    Raises:
        TypeError: a line in it is no text.
    """
    lines = {str(name): [*each] for name, each in found.items()}
    if not all(isinstance(line, str) for each in lines.values() for line in each):
        raise TypeError("it gave a line that is no text")
    return lines


def told(source: Source, found: Diagnostic) -> tuple[Diagnostic, str] | None:
    """What went wrong in a run, in the words of the file's dialect, and the task it was in, such as `Fail stop
    (tasks[1])`; None of a file of this language.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    dialect = _dialect_of(source, read(source)[0])
    if found.span.source is not source or dialect in BUILT_IN:
        return None
    said = _worded(dialect, [found])
    holding = [task for task in tasks(source) if task.node.start <= found.span.start < task.node.end]
    inner = min(holding, key=lambda task: task.node.end - task.node.start, default=None)
    name = "" if inner is None else " ".join(filter(None, (inner.kind, inner.id)))
    return (said or [found])[0], f"{name} ({inner.path})" if inner is not None else ""


def tasks(source: Source) -> list[ForeignTask]:
    """The tasks of a document of another system, in its own words; none of a file of this language.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    root, _ = read(source)
    dialect = _dialect_of(source, root)
    if dialect in BUILT_IN:
        return []
    if dialect.reads_text:
        root, _ = _read(dialect, source)
    return [] if root is None else _foreign(dialect, "tasks", root, fitting=_tasks)


def _tasks(found: Any) -> list[ForeignTask]:
    """What `tasks` gave, looked over.

    Raises:
        TypeError: something in it is no task.
    """
    from flowdsl.document.dialects.task import ForeignTask

    listed = [*found]
    wrong = next((each for each in listed if not isinstance(each, ForeignTask)), None)
    if wrong is not None:
        raise TypeError(f"it gave {type(wrong).__name__} in place of a ForeignTask")
    return listed


def _written_as_json(found: Any) -> Any:
    """What JSON can write, and what it reads back."""
    import json  # slow to import, and most runs do not fail

    return json.loads(json.dumps(found))


def schemas() -> dict[str, Mapping[str, Any]]:
    """The JSON Schemas of the dialects of plugins that have one, by the names of their entry points.

    Raises:
        PluginError: a dialect cannot be loaded, or fails.
    """
    found = ((name, _foreign(_made(name, target), "schema")) for name, target in sorted(targets(GROUP)))
    return {name: schema for name, schema in found if schema is not None}


def _dialect_of(source: Source, root: Node | None) -> Dialect:
    for dialect in BUILT_IN:
        if dialect.recognises(source, root):
            return dialect
    found = (dialect for dialect in _of_plugins() if _foreign(dialect, "recognises", source, root))
    return next(found, NATIVE)


def _of_plugins() -> Iterator[Dialect]:
    """The dialects of plugins by their names, each imported when it is asked for."""
    for name, target in sorted(targets(GROUP)):
        yield _made(name, target)


def _made(name: str, target: str) -> Dialect:
    found = load(GROUP, name, target)
    made = foreign(GROUP, name, target, found) if isinstance(found, type) else found
    if not isinstance(made, Dialect):
        raise PluginError(f"the dialects plugin `{name}` names {target}, which is no flowdsl.Dialect")
    if made.form not in ("flow", "kit") or not isinstance(made.reads_text, bool):
        said = f"form={made.form!r:.40}, reads_text={made.reads_text!r:.40}"
        raise PluginError(f"the dialects plugin `{name}`: form is flow or kit, reads_text True or False, not {said}")
    _plugins[type(made)] = f" ({name} = {target})"
    return made


def _lowered(findings: Findings, node: Any) -> Any:
    """What `lower` gave, its findings looked over with it."""
    from flowdsl.document.dialects.shape import check_findings, check_nodes

    if node is not None:
        check_nodes(node)
    check_findings(findings.diagnostics)
    if node is None and not findings.diagnostics:
        raise ValueError("it gave None, and says not why: add a finding")
    return node


_plugins: dict[type[Dialect], str] = {}
"""The entry point of each dialect of a plugin."""


def _foreign(
    dialect: Dialect, method: str, *arguments: Any, fitting: Callable[[Any], Any] = lambda found: found
) -> Any:
    """What a dialect gives, where it is `fitting`: the edge to its code."""
    try:
        found = getattr(dialect, method)(*arguments)
        if isinstance(found, CoroutineType):
            found.close()
            raise TypeError("it is async, and a plain function is meant")
        return fitting(found)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # the edge to foreign code: a plugin may raise anything
        reason = str(error) if isinstance(error, PluginError) else f"{in_words(error)}"
        where = _plugins.get(type(dialect), "")
        raise PluginError(f"the dialect {type(dialect).__name__}{where} fails in `{method}`: {reason}") from error
