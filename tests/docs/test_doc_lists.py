"""The lists in docs/ say what the code has: made from it, or compared with it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

import pytest
from doc_blocks import ROOT, table

from flowdsl.services import all_settings
from flowdsl.template.filters import FILTERS
from flowdsl.template.limits import DEFAULT_LIMITS
from flowdsl.template.methods import METHODS
from flowdsl.template.tests import TESTS
from flowdsl_steps.image.simulator import FAULTS

DOCS = ROOT / "docs"
_CALLS_WITH_CODE = {
    **dict.fromkeys(("Diagnostic", "Problem", "TemplateProblem", "add", "note", "report"), 0),
    "emit_note": 1,
    "_limit": 1,
    "on": 2,
    "Note": 3,
}
"""Functions that take a code, and as which argument."""
_MADE_FROM_PARTS = {"unknown-filter": "flowdsl/template/references.py"}
"""Codes that no literal spells out."""
_CODE = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SHOWN_CODE = re.compile(r": (?:error|warning|note): .*\[([a-z0-9-]+)\]$", re.MULTILINE)


def filters_table() -> list[str]:
    """A row for each filter with its arguments and what its function says of itself."""
    rows = ["| filter | what it gives |", "|---|---|"]
    for name, found in sorted(FILTERS.items(), key=lambda item: item[0].lower()):
        arguments = "…" if found.arguments is None else ", ".join(found.arguments)
        call = f"{name}({arguments})" if arguments else name
        said = _summary(name).replace("|", "\\|")
        rows.append(f"| `{call}` | {said[:1].lower()}{said[1:].rstrip('.')} |")
    return rows


def _summary(name: str) -> str:
    function = FILTERS[name].function
    inner = next((cell.cell_contents for cell in function.__closure__ or () if callable(cell.cell_contents)), function)
    said = (inner.__doc__ or "").strip().partition("\n\n")[0]
    assert said, f"the filter `{name}` has no docstring"
    return " ".join(said.split())


def members_table() -> list[str]:
    """A row for each kind of value with members."""
    rows = ["| of | members |", "|---|---|"]
    for kind, methods in METHODS.items():
        names = [*(["length"] if kind in ("text", "list") else []), *sorted(methods)]
        rows.append(f"| {kind} | {', '.join(f'`{name}`' for name in names)} |")
    return rows


def limits_text() -> list[str]:
    """What one rendering may use."""
    limits = DEFAULT_LIMITS
    return [
        f"One rendering makes at most {limits.max_output:,} characters, goes through loops at most",
        f"{limits.max_loops:,} times, nests {limits.max_depth} deep and takes {limits.max_seconds:g} second.",
    ]


GENERATED = {"filters": filters_table, "members": members_table, "limits": limits_text}


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_list_that_is_made_from_the_code_is_up_to_date(name: str, update_golden: bool) -> None:
    page = DOCS / "templates.md"
    text = page.read_text(encoding="utf-8")
    start = f"<!-- generated: {name} -->\n"
    before, _, rest = text.partition(start)
    found, end, after = rest.partition("<!-- end -->")
    made = "\n".join(GENERATED[name]()) + "\n"
    if update_golden:
        page.write_text(f"{before}{start}{made}{end}{after}", encoding="utf-8")
        return
    assert found == made, "pytest tests/docs/test_doc_lists.py --update-golden writes it"


def test_every_template_test_is_listed() -> None:
    listed = [re.sub(r"\(.*", "", name) for row in table(DOCS / "templates.md", "Tests") for name in _split(row[0])]
    assert sorted(listed) == sorted(TESTS)


def test_every_service_setting_is_listed() -> None:
    listed = [name for row in table(DOCS / "services.md", "Settings") for name in _split(row[0])]
    assert sorted(listed) == sorted(all_settings())


def test_every_fault_of_the_simulator_is_listed() -> None:
    listed = [name for row in table(DOCS / "simulator.md", "Kinds") for name in _split(row[0])]
    assert sorted(listed) == sorted(FAULTS)


def _split(cell: str) -> list[str]:
    return [part.strip().strip("`") for part in cell.split(", ")]


def _listed_codes() -> dict[str, str]:
    """Code → where it is listed."""
    return {
        name: heading
        for heading in ("Findings of a check", "Failures of a run")
        for row in table(DOCS / "checking.md", heading)
        for name in _split(row[0])
    }


def _codes_in_the_code() -> dict[str, str]:
    """Every code that a finding, note or error can have → one place in the code that makes it."""
    found: dict[str, str] = {}
    for folder in ("flowdsl", "steps/flowdsl_steps"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "simulator" not in path.parts:
                for code, line in _codes_in(ast.parse(path.read_text(encoding="utf-8"))):
                    found.setdefault(code, f"{path.relative_to(ROOT)}:{line}")
    return found


def _codes_in(tree: ast.AST) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        for value in _places_of_codes(node):
            yield from (found for found in _alternatives(value) if _CODE.fullmatch(found[0]))


def _places_of_codes(node: ast.AST) -> Iterator[ast.expr]:
    """The expressions of a node that give a code: `code=…`, `code = …`, and the argument that is one."""
    if isinstance(node, ast.Call):
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        yield from (keyword.value for keyword in node.keywords if keyword.arg == "code")
        if name in _CALLS_WITH_CODE:
            place = _CALLS_WITH_CODE[name]
            yield from node.args[place : place + 1]
    elif isinstance(node, ast.Assign):
        for target in node.targets:
            targets = target.elts if isinstance(target, ast.Tuple) else [target]
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            pairs = zip(targets, values, strict=False)
            yield from (value for one, value in pairs if isinstance(one, ast.Name) and one.id == "code")


def _alternatives(value: ast.expr) -> Iterator[tuple[str, int]]:
    if isinstance(value, ast.IfExp):
        yield from (*_alternatives(value.body), *_alternatives(value.orelse))
    elif isinstance(value, ast.Constant) and isinstance(value.value, str):
        yield value.value, value.lineno


def test_every_code_of_the_code_base_is_listed_and_every_listed_one_exists() -> None:
    found, listed = {**_codes_in_the_code(), **_MADE_FROM_PARTS}, _listed_codes()
    assert {code: place for code, place in found.items() if code not in listed} == {}
    assert {code: place for code, place in listed.items() if code not in found} == {}


def test_every_code_in_a_golden_file_is_listed() -> None:
    golden = ROOT / "tests" / "golden"
    found = {code for path in golden.rglob("*.txt") for code in _SHOWN_CODE.findall(path.read_text(encoding="utf-8"))}
    assert found - set(_listed_codes()) == set()
