"""docs/providers.md says of each vendor what its fake shows."""

from __future__ import annotations

import kestra_properties
import pytest
from kestra_properties import PROPERTIES
from provider_page import COLUMNS, PAGE, cells, table, written
from vendor_cases import CASES

from flowdsl.services import provider_names
from flowdsl_steps.image.model_providers import settings_of

CELLS = [(name, kind, column) for kind, columns in COLUMNS.items() for name in sorted(CASES) for column in columns]


def test_every_vendor_that_comes_along_has_a_fake() -> None:
    assert sorted(CASES) == sorted(provider_names())


@pytest.mark.long
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


def test_the_table_of_properties_has_a_row_for_each_of_every_provider_of_kestra(update_golden: bool) -> None:
    before, found, after = written("properties")
    made = "\n".join(kestra_properties.table()) + "\n"
    if update_golden:
        PAGE.write_text(f"{before}<!-- generated: properties -->\n{made}<!-- end -->{after}", encoding="utf-8")
        return
    rows = [tuple(cell.strip(" `") for cell in line.split("|")[1:3]) for line in found.splitlines()[2:]]
    assert rows == PROPERTIES, "pytest -n 0 tests/vendors/test_providers_page.py --update-golden writes it"


@pytest.mark.parametrize(("name", "key"), PROPERTIES, ids=lambda value: str(value))
@pytest.mark.parametrize("column", kestra_properties.COLUMNS)
def test_a_cell_says_what_becomes_of_a_property_of_kestra(name: str, key: str, column: str) -> None:
    [row] = [row for row in written("properties")[1].splitlines() if row.startswith(f"| `{name}` | `{key}` |")]
    said = [cell.strip() for cell in row.strip("|").split(" | ")][2 + kestra_properties.COLUMNS.index(column)]
    assert said == kestra_properties.cells(name, key)[column]


def test_the_base_url_of_a_provider_counts_over_its_endpoint() -> None:
    both = {"baseUrl": "https://gate.example", "endpoint": "https://own.example", "modelName": "m"}
    for type in ("AzureOpenAI", "GoogleVertexAI", "Ollama"):
        assert settings_of({"provider": {"type": type, **both}})["endpoint"] == "https://gate.example"
