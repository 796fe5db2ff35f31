"""docs/language.md: every statement is shown by a scenario, and every scenario shows statements."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from pathlib import Path

from scenario import Scenario

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "language.md"
FOLDERS = (ROOT / "tests" / "golden" / "run", ROOT / "tests" / "golden" / "conformance")
_STATEMENT = re.compile(r"- \*\*(\d\.[A-Z0-9_]+\.\w+)\*\* ")
_LINK = re.compile(r"\]\((\.\./tests/[^)]+)\)")
_LINK_LINE = re.compile(r" {2}\[\w+\]\(\.\./tests/golden/\S+\)")
_TABLE = re.compile(r"(?<=<!-- generated: statements -->\n).*(?=<!-- end -->)", re.DOTALL)


@cache
def shown() -> dict[str, list[Path]]:
    """Label → the scenarios that show it."""
    found: dict[str, list[Path]] = {}
    for folder in FOLDERS:
        for path in sorted(folder.glob("*.yaml")):
            for label in Scenario(path).values["shows"]:
                found.setdefault(label, []).append(path)
    return found


def stated() -> list[str]:
    """The labels of the page, in order."""
    return [match[1] for line in PAGE.read_text(encoding="utf-8").splitlines() if (match := _STATEMENT.match(line))]


def link(path: Path) -> str:
    """A link from the page to a scenario."""
    return f"[{path.stem}](../{path.relative_to(ROOT).as_posix()})"


def written(page: str) -> str:
    """The page with the link below each statement and the table at its end made anew."""
    lines: list[str] = []
    label = None
    for line in [*page.splitlines(), ""]:
        if _LINK_LINE.fullmatch(line):
            continue
        if label is not None and not line.startswith("  "):
            lines += [f"  {link(path)}" for path in shown().get(label, [])[:1]]
            label = None
        match = _STATEMENT.match(line)
        label = match[1] if match else label
        lines.append(line)
    rows = [f"| {label} | {', '.join(map(link, shown().get(label, [])))} |" for label in stated()]
    table = "\n".join(["| statement | files |", "|---|---|", *rows, ""])
    return _TABLE.sub(lambda _: table, "\n".join(lines))


def test_every_statement_is_shown_by_a_scenario() -> None:
    assert [label for label in stated() if label not in shown()] == []


def test_every_label_of_a_scenario_is_a_statement() -> None:
    labels = set(stated())
    unstated = {label: [path.name for path in paths] for label, paths in shown().items() if label not in labels}
    assert unstated == {}


def test_every_statement_stands_once() -> None:
    assert [label for label, times in Counter(stated()).items() if times > 1] == []


def test_the_links_and_the_table_are_up_to_date(update_golden: bool) -> None:
    page = PAGE.read_text(encoding="utf-8")
    made = written(page)
    if update_golden:
        PAGE.write_text(made, encoding="utf-8")
        return
    assert page == made, "pytest tests/test_language_reference.py --update-golden writes it"


def test_every_file_that_is_linked_exists() -> None:
    targets = _LINK.findall(PAGE.read_text(encoding="utf-8"))
    assert len(targets) > len(stated())
    assert [target for target in targets if not (PAGE.parent / target).is_file()] == []
