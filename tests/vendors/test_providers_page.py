"""docs/providers.md says of each vendor what its fake shows."""

from __future__ import annotations

import pytest
from provider_page import COLUMNS, PAGE, cells, table, written
from vendor_cases import CASES

from flowdsl.services import provider_names

CELLS = [(name, kind, column) for kind, columns in COLUMNS.items() for name in sorted(CASES) for column in columns]


def test_every_vendor_that_comes_along_has_a_fake() -> None:
    assert sorted(CASES) == sorted(provider_names())


@pytest.mark.parametrize("kind", sorted(COLUMNS))
def test_a_table_has_a_row_for_each_vendor(kind: str, update_golden: bool) -> None:
    before, found, after = written(kind)
    made = "\n".join(table(kind)) + "\n"
    if update_golden:
        PAGE.write_text(f"{before}<!-- generated: {kind} -->\n{made}<!-- end -->{after}", encoding="utf-8")
        return
    rows = [line.split(" | ")[0].strip("| `") for line in found.splitlines()[2:]]
    assert rows == sorted(CASES), "pytest -n 0 tests/vendors/test_providers_page.py --update-golden writes it"


@pytest.mark.parametrize(("name", "kind", "column"), CELLS, ids=lambda value: str(value))
def test_a_cell_says_what_the_vendor_does(name: str, kind: str, column: str) -> None:
    head, _, *rows = written(kind)[1].splitlines()
    at = [cell.strip() for cell in head.strip("|").split(" | ")].index(column)
    [row] = [row for row in rows if row.startswith(f"| `{name}` |")]
    said = [cell.strip() for cell in row.strip("|").split(" | ")][at]
    assert said == cells(name)[column], "pytest -n 0 tests/vendors/test_providers_page.py --update-golden writes it"
