"""What a code means, with an example that is checked, and mended, as it is shown.

`flowdsl explain CODE` prints it, and the pages of `docs/findings` are made of it, by `scripts/finding_pages.py`.
"""

from __future__ import annotations

import json
from datetime import date
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from flowdsl.codes import CODES, FAILURES, address
from flowdsl.diagnostics import Diagnostic, fixed, render
from flowdsl.reference.why import why
from flowdsl.source import Source
from flowdsl.syntax.opened import project_root

EXAMPLES = files("flowdsl.reference") / "examples.json"
"""The example of each finding that has one: code → text of a flow. What takes several files, or bytes that are no text,
has none."""
_AS_OF = date(2026, 11, 21)
_NAME = "example.flow.yaml"


class Example(NamedTuple):
    """A flow with a finding, what `flowdsl validate` says of it, and the flow with the first fix (None: there is none)
    and what that fix does."""

    text: str
    said: str
    fixed: str | None
    title: str | None


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
    text = _examples().get(name)
    if text is None:
        return None
    findings = findings_of(text)
    finding = next((one for one in findings if one.code == name), None)
    if finding is None:
        return None
    said = render(findings).replace(project_root("."), "/home/me/project")
    if not finding.fixes:
        return Example(text, said, None, None)
    return Example(text, said, fixed(finding.span.source, finding.fixes[0]), finding.fixes[0].title)


def findings_of(text: str) -> list[Diagnostic]:
    """The findings of an example, as of a day that stays."""
    from flowdsl.environment import Environment

    return Environment(as_of=_AS_OF, settings=None, environ={}).check(Source(text, _NAME))


def page(name: str) -> str:
    """The page of a code, in Markdown."""
    said = explained(name)
    parts = [f"# {name}", f"{', '.join(said.severities)}: {said.meaning}", said.why]
    if said.example is not None:
        parts.append(_block(said.example.text, "yaml"))
        parts.append(f"`flowdsl validate` says:\n\n{_block(said.example.said, 'text')}")
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
def _examples() -> dict[str, str]:
    found: dict[str, str] = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return found
