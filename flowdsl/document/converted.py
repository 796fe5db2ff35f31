"""Documents of other systems as flows of this language: what `flowdsl convert` writes.

Each is said in this language by its dialect already; here its values become text that a person reads. Keys that stand
in the file become secrets, and expressions of another language templates, where one means the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowdsl.diagnostics import Diagnostic
from flowdsl.document.dialects import Findings, Node, is_foreign, lowered, made
from flowdsl.document.files import Files
from flowdsl.record import Record
from flowdsl.secrets.plain import REVEALING, names_secret
from flowdsl.source import Source, Span
from flowdsl.syntax.block_style import block_style
from flowdsl.syntax.scalars import span_in
from flowdsl.syntax.yaml_reader import read
from flowdsl.template.foreign import ForeignText, Place
from flowdsl.template.problems import Mistake, TemplateProblem

_RENAMED = frozenset(("deprecated-key", "deprecated-alias"))
_READS = re.compile(r"\bsecret\('(\w+)'\)")
_RUNS = "`flowdsl run` runs the file as it is; docs/systems.md lists what is converted"
_FIRST = ("step", "id", "label")
"""The keys that a step begins with."""


class Converted(Record):
    """A flow of this language; `text` is None where `findings` has an error.

    `variables` are the environment variables that the flow reads in place of keys of the file, each with the line where
    the first one stands. `notes` say what the flow does not do that the document did, each with its line; the text has
    them as comments. `was_native`: nothing but old names and keys differs.
    """

    text: str | None
    findings: list[Diagnostic]
    variables: dict[str, int]
    notes: dict[str, int]
    was_native: bool


def converted(source: Source, found: list[Diagnostic]) -> Converted:
    """A file without errors as a flow of this language; `found` is what was found in it.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    findings, secrets = Findings([]), _Secrets(source)
    notes: dict[str, int] = {}
    if not is_foreign(source):
        text, was_native = _renamed(source, found, secrets), True
    else:
        nodes, mistakes = lowered(source, Files(source).include)
        if nodes is None:
            return Converted(None, mistakes, {}, {}, False)
        saying = _Saying(nodes.root, findings, secrets)
        root, notes = saying.said(nodes.root), saying.notes
        text, was_native = block_style(root, source, read(source)[0]), False
        text = "".join(f"# {note}\n" for note in notes) + ("\n" if notes else "") + text
    _refuse_secrets(text, source, findings)
    if any(each.severity == "error" for each in findings.diagnostics):
        wrong = sorted(findings.diagnostics, key=lambda each: each.span.start)
        return Converted(None, wrong, {}, {}, was_native)
    return Converted(text, [], secrets.variables, notes, was_native)


class _Secrets:
    """The keys that stand in a file, each with the environment variable that it becomes."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._names: dict[str, str] = {}
        self.variables: dict[str, int] = {}

    def template(self, key: str, value: Node, beside: Node) -> str | None:
        """What stands in place of a key in the file; None for what is none."""
        spans = self._source.secrets
        if value.kind != "scalar" or not isinstance(value.value, str) or value.source is not self._source:
            return None
        if not names_secret(key) or not any(start < value.end and end > value.start for start, end in spans):
            return None
        name = self._names.setdefault(value.value, self._name(key, beside))
        self.variables.setdefault(name, self._source.position(value.start).line)
        return f"{{{{ secret('{name}') }}}}"

    def read_in(self, text: str, at: Node) -> None:
        """Takes note of the secrets that a template reads."""
        for name in _READS.findall(text):
            self.variables.setdefault(name, at.source.position(at.start).line)

    def _name(self, key: str, beside: Node) -> str:
        """A name that the file does not use yet."""
        owner = next((beside.value[name].value for name in ("provider", "type") if name in beside.value), None)
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|\W+", "_", key).strip("_").upper()
        stem = f"{owner.rpartition('.')[2].upper()}_{words}" if isinstance(owner, str) else words
        stem = re.sub(r"\W", "_", stem)
        name, number = stem, 2
        while name in self._source.text or name in self.variables:
            name, number = f"{stem}_{number}", number + 1
        return name


class _Saying:
    """Says a flow in this language alone, each step with its keys in the order in which they are written here."""

    def __init__(self, flow: Node, findings: Findings, secrets: _Secrets) -> None:
        self._flow = flow.plain()
        self._steps: list[Any] = []
        """The steps up to here, those around included."""
        self._findings = findings
        self._secrets = secrets
        self._is_made = False  # what was told is of a text that the file does not hold
        self.notes: dict[str, int] = {}

    def said(self, node: Node, key: str = "") -> Node:
        """A node of the flow, which stands at this key."""
        if node.kind == "list":
            return Node("list", [self.said(item, key) for item in node.value], *node.span)
        if node.kind == "map":
            names = [*node.value]
            if "step" in node.value:
                self._steps.append(node.plain())
                names.sort(key=_rank)
            found: dict[str, Node | None] = dict.fromkeys(names)
            for name in sorted(names, key=lambda name: not _holds_steps(node.value[name])):
                value = node.value[name]  # the steps in a step first: what else it has may read what they set
                secret = self._secrets.template(name, value, node)
                found[name] = self.said(value, name) if secret is None else made(secret, value.span)
            said = made(found, node.span)
            said.keys.update(node.keys)
            return said
        return self._text(node, key) if isinstance(node.value, ForeignText) else node

    def _text(self, node: Node, key: str) -> Node:
        """A text in another language."""
        try:
            native = node.value.language.native(node.value, Place(self._flow, key, self._steps))
        except Mistake as mistake:
            self._refuse(mistake.problem, node)
            return made("", node.span)
        line = node.source.position(node.start).line
        if native.note is not None:
            self.notes.setdefault(native.note, line)
        self._secrets.read_in(native.text, node)
        return made(native.text, node.span)

    def _refuse(self, problem: TemplateProblem, node: Node) -> None:
        """Tells what cannot be said. Of a text that the file does not hold, only where it is all that there is to tell:
        what it is made of says it better."""
        is_written = str(node.value).split("\n")[0] in node.source.text[node.start : node.end]
        if is_written or not self._findings.diagnostics:
            at = span_in(node, problem.start, problem.end) if is_written else node.span
            hint = f"{problem.hint}; `flowdsl run` runs the file as it is" if problem.hint else _RUNS
            if is_written and self._is_made:
                self._findings.diagnostics.clear()
            self._findings.add("not-supported", problem.message, at, hint=hint)
            self._is_made = not is_written


def _holds_steps(node: Node) -> bool:
    inner = node.value if node.kind == "list" else node.value.values() if node.kind == "map" else ()
    return (node.kind == "map" and "step" in node.value) or any(map(_holds_steps, inner))


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _renamed(source: Source, found: list[Diagnostic], secrets: _Secrets) -> str:
    """A file of this language with the names of today, and no keys in it."""
    fixes = (each.fixes[0] for each in found if each.code in _RENAMED and each.fixes)
    edits = {edit.span: edit.text for fix in fixes for edit in fix.edits if edit.span.source is source}
    root = read(source)[0]
    if root is not None and source.secrets:
        for key, value, beside in _entries(root):
            secret = secrets.template(key, value, beside)
            if secret is not None:
                edits[value.span] = f'"{secret}"'
    text = source.text
    for span, new in sorted(edits.items(), key=lambda each: each[0].start, reverse=True):
        text = text[: span.start] + new + text[span.end :]
    return text


def _entries(node: Node) -> Iterator[tuple[str, Node, Node]]:
    """The entries of all maps: key, value, and the map."""
    for name, value in node.value.items() if node.kind == "map" else ():
        yield name, value, node
        yield from _entries(value)
    for item in node.value if node.kind == "list" else ():
        yield from _entries(item)


def _refuse_secrets(text: str, source: Source, findings: Findings) -> None:
    """Refuses to write a key that stands in the file where no secret can take its place, such as in a prompt."""
    for start, end in source.secrets:
        key = source.text[start:end].strip()
        if len(key) >= REVEALING and key in text:
            message = "a key stands here in plain text, where none can be read from the environment"
            hint = "take it out of the file first"
            findings.add("not-supported", message, Span(source, start, end), hint=hint)
