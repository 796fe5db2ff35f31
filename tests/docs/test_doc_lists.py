"""The lists in docs/ say what the code has: made from it, or compared with it."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest
from doc_blocks import ROOT, table

from flowdsl.codes import FAILURES, FINDINGS, Code
from flowdsl.services import all_settings
from flowdsl.template.filters import FILTERS
from flowdsl.template.limits import DEFAULT_LIMITS
from flowdsl.template.methods import METHODS
from flowdsl.template.tags import MAX_LOOPS, MAX_TAGS
from flowdsl.template.tests import TESTS
from flowdsl_steps.image.simulator import FAULTS

DOCS = ROOT / "docs"


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
        f"{limits.max_loops:,} times and takes {limits.max_seconds:g} second. Expressions nest at most",
        f"{limits.max_depth} deep, tags {MAX_TAGS} and loops among them {MAX_LOOPS}; what nests deeper is an error of",
        "the document.",
    ]


def codes_table(codes: Iterable[Code]) -> list[str]:
    """A row for each code."""
    rows = ["| code | severity | meaning |", "|---|---|---|"]
    for code in codes:
        rows.append(f"| `{code.name}` | {', '.join((code.severity, *code.also))} | {code.meaning} |")
    return rows


GENERATED = {
    "filters": ("templates.md", filters_table),
    "members": ("templates.md", members_table),
    "limits": ("templates.md", limits_text),
    "findings": ("checking.md", lambda: codes_table(FINDINGS)),
    "failures": ("checking.md", lambda: codes_table(FAILURES)),
}


@pytest.mark.parametrize("name", sorted(GENERATED))
def test_a_list_that_is_made_from_the_code_is_up_to_date(name: str, update_golden: bool) -> None:
    file, make = GENERATED[name]
    page = DOCS / file
    text = page.read_text(encoding="utf-8")
    start = f"<!-- generated: {name} -->\n"
    before, _, rest = text.partition(start)
    found, end, after = rest.partition("<!-- end -->")
    made = "\n".join(make()) + "\n"
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


def test_extras_are_installed_by_the_same_words_on_every_page() -> None:
    pages = [ROOT / "README.md", *DOCS.rglob("*.md")]
    other = [page for page in pages if page.parent.name != "deploy" and "pip install '.[" in page.read_text("utf-8")]
    assert not other  # of a checkout alone; messages say it as pages do, and it adds to what is installed
