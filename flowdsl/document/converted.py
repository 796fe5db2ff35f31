"""Documents of other systems as flows of this language: what `flowdsl convert` writes.

Each is said in this language by its dialect already; here its values become text that a person reads. Keys that stand
in the file become secrets, and expressions of another language templates, where one means the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowdsl.diagnostics import Diagnostic
from flowdsl.document.dialects import Findings, Node, is_foreign, lowered, made
from flowdsl.document.files import Files
from flowdsl.record import Record
from flowdsl.secrets.plain import REVEALING, names_secret
from flowdsl.source import Source, Span
from flowdsl.step.spec import is_templated
from flowdsl.syntax.block_style import block_style
from flowdsl.syntax.yaml_reader import read
from flowdsl.template.foreign import ForeignText

_RENAMED = frozenset(("deprecated-key", "deprecated-alias"))
_READS = re.compile(r"\bsecret\('(\w+)'\)")
_FIRST = ("step", "id", "label")
"""The keys that a step begins with."""


class Converted(Record):
    """A flow of this language; `text` is None where `findings` has an error.

    `variables` are the environment variables that the flow reads in place of keys of the file, each with the line where
    the first one stands. `was_native`: nothing but old names and keys differs.
    """

    text: str | None
    findings: list[Diagnostic]
    variables: dict[str, int]
    was_native: bool


def converted(source: Source, found: list[Diagnostic]) -> Converted:
    """A file without errors as a flow of this language; `found` is what was found in it.

    Raises:
        PluginError: a dialect of a plugin cannot be loaded, or fails.
    """
    findings, secrets = Findings([]), _Secrets(source)
    if not is_foreign(source):
        text, was_native = _renamed(source, found, secrets), True
    else:
        nodes, mistakes = lowered(source, Files(source).include)
        if nodes is None:
            return Converted(None, mistakes, {}, False)
        root = _Saying(nodes.root, findings, secrets).said(nodes.root)
        text, was_native = block_style(root, source, read(source)[0]), False
    _refuse_secrets(text, source, findings)
    if any(each.severity == "error" for each in findings.diagnostics):
        return Converted(None, findings.diagnostics, {}, was_native)
    return Converted(text, [], secrets.variables, was_native)


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
        self._findings = findings
        self._secrets = secrets

    def said(self, node: Node, key: str = "") -> Node:
        """A node of the flow, which stands at this key."""
        if node.kind == "list":
            return Node("list", [self.said(item, key) for item in node.value], *node.span)
        if node.kind == "map":
            names = sorted(node.value, key=_rank) if "step" in node.value else list(node.value)
            found: dict[str, Node] = {}
            for name in names:
                value = node.value[name]
                secret = self._secrets.template(name, value, node)
                found[name] = self.said(value, name) if secret is None else made(secret, value.span)
            said = made(found, node.span)
            said.keys.update(node.keys)
            return said
        if isinstance(node.value, ForeignText):
            text = node.value.language.native(node.value, self._flow, key)
            if text is None:
                _untranslatable(node, self._findings)
            else:
                self._secrets.read_in(text, node)
            return made(text, node.span)
        return node


def _rank(name: str) -> int:
    return _FIRST.index(name) if name in _FIRST else len(_FIRST)


def _untranslatable(node: Node, findings: Findings) -> None:
    if is_templated(node.value):
        message = "no template of this language means exactly the same"
    else:  # it is made of the document, and stands nowhere in it
        message = "no template of this language gives the outputs of tasks that may not run, or run more than once"
    hint = "`flowdsl run` runs the file as it is; docs/systems.md lists what is converted"
    if any(each.span == node.span for each in findings.diagnostics):
        return
    findings.add("not-supported", message, node, hint=hint)


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
