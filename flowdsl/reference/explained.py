"""What a code means, with an example that is checked, and mended, as it is shown.

`flowdsl explain CODE` prints it, and the pages of `docs/findings` are made of it, by `scripts/finding_pages.py`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

from flowdsl.codes import CODES, FAILURES, address
from flowdsl.diagnostics import Diagnostic, fixed, render
from flowdsl.errors import UsageError
from flowdsl.reference.why import why
from flowdsl.source import Source
from flowdsl.syntax.opened import project_root
from flowdsl.syntax.yaml_reader import read_bytes

EXAMPLES = files("flowdsl.reference") / "examples.json"
"""The example of each finding that has one: code → text of a flow, or the texts of several files by their names, of
which the first is checked. A byte that is no text stands there as half of a character."""
_AS_OF = date(2026, 11, 21)
_NAME = "example.flow.yaml"


class Example(NamedTuple):
    """A flow with a finding, what `flowdsl validate` says of it, and the flow with the first fix (None: there is none)
    and what that fix does. `files` are all by their names where the name of the flow, or a file beside it, matters."""

    text: str
    said: str
    fixed: str | None
    title: str | None
    files: Mapping[str, str] | None = None


class Explained(NamedTuple):
    """What there is to say of a code."""

    name: str
    severities: tuple[str, ...]
    meaning: str
    why: str
    at_run: bool
    """Whether it comes only while a flow runs."""
    example: Example | None
    url: str


def explained(name: str) -> Explained:
    """What there is to say of a code of the table."""
    code = CODES[name]
    at_run = code in FAILURES
    url = address(name) or ""
    return Explained(name, (code.severity, *code.also), code.meaning, why(name), at_run, example(name), url)


def example(name: str) -> Example | None:
    """The example of a code, checked now."""
    given = _examples().get(name)
    if given is None:
        return None
    text = given if isinstance(given, str) else next(iter(given.values()))
    shown = None if isinstance(given, str) else {file: _readable(text) for file, text in given.items()}
    try:
        findings = findings_of(given)
    except UsageError as error:  # of its settings file
        return Example(text, str(error), None, None, shown) if f"[{name}]" in str(error) else None
    finding = next((one for one in findings if one.code == name), None)
    if finding is None:
        return None
    said = render(findings).replace(project_root("."), "/home/me/project")
    if not finding.fixes:
        return Example(_readable(text), said, None, None, shown)
    return Example(text, said, fixed(finding.span.source, finding.fixes[0]), finding.fixes[0].title, shown)


def findings_of(example: str | Mapping[str, str]) -> list[Diagnostic]:
    """The findings of an example, as of a day that stays.

    Raises:
        UsageError: of a settings file among its files.
    """
    from flowdsl.environment import Environment

    if isinstance(example, str):
        return Environment(as_of=_AS_OF, settings=None, environ={}).check(Source(example, _NAME))
    import os
    from contextlib import chdir

    from flowdsl.rewriting.temporary import temporary_folder

    with temporary_folder() as folder, chdir(folder):
        os.mkdir(".git")  # noqa: PTH102  the root of a project: what lies above does not count
        for name, text in example.items():
            Path(name).write_bytes(text.encode("utf-8", "surrogateescape"))
        name = next(iter(example))
        source, found = read_bytes(Path(name).read_bytes(), name)
        return found or Environment(as_of=_AS_OF, environ={}).check(source)


def _readable(text: str) -> str:
    """A text with a sign in place of each byte that is none."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def page(name: str) -> str:
    """The page of a code, in Markdown."""
    said = explained(name)
    parts = [f"# {name}", f"{', '.join(said.severities)}: {said.meaning}", said.why]
    if said.example is not None:
        checked = ""
        for file, text in (said.example.files or {"": said.example.text}).items():
            parts.append((f"`{file}`:\n\n" if file else "") + _block(text, file.rpartition(".")[2] or "yaml"))
            checked = checked or (file and f" {file}")
        parts.append(f"`flowdsl validate{checked}` says:\n\n{_block(said.example.said, 'text')}")
        if said.example.fixed is not None:
            parts.append(f"With the fix, {said.example.title}:\n\n{_block(said.example.fixed, 'yaml')}")
    elif said.at_run:
        parts.append("It comes while a flow runs; the run's error, or its notes, have this code.")
    parts.append(f"`flowdsl explain {name}` prints this page without the web. [All codes](README.md)")
    return "\n\n".join(parts) + "\n"


def index() -> str:
    """The list of all pages, in Markdown."""
    rows = ["| code | severity | meaning |", "|---|---|---|"]
    for code in CODES.values():
        rows.append(f"| [`{code.name}`]({code.name}.md) | {', '.join((code.severity, *code.also))} | {code.meaning} |")
    head = "# Findings and failures\n\nA page for each code, as `flowdsl explain CODE` prints it."
    return f"{head}\n\n" + "\n".join(rows) + "\n"


def _block(text: str, kind: str) -> str:
    fence = "````" if "```" in text else "```"
    return f"{fence}{kind}\n{text.rstrip()}\n{fence}"


@cache
def _examples() -> dict[str, str | dict[str, str]]:
    found: dict[str, str | dict[str, str]] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found
