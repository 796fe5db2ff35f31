"""docs/findings has a page for each code, made of the table, its example, and what is found in that now."""

from __future__ import annotations

from doc_blocks import ROOT

from flowdsl.codes import CODES
from flowdsl.reference.explained import index, page

PAGES = ROOT / "docs" / "findings"


def test_every_page_is_up_to_date() -> None:
    different = [code for code in CODES if (PAGES / f"{code}.md").read_text(encoding="utf-8") != page(code)]
    assert different == [], "python scripts/finding_pages.py writes them"


def test_the_list_names_every_page() -> None:
    assert (PAGES / "README.md").read_text(encoding="utf-8") == index()
    assert {path.stem for path in PAGES.glob("*.md")} == {*CODES, "README"}
