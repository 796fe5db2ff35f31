"""The fonts of the extra `simulator-fonts` come under a licence that a package under Apache-2.0 may depend on."""

from __future__ import annotations

import re
from importlib.metadata import distribution, requires
from pathlib import Path

import pytest

PACKAGES = sorted(
    re.split(r"[^\w-]", line)[0]
    for line in requires("flowdsl") or ()
    if "simulator-fonts" in line and line.startswith(("noto-", "pylopdf-fonts-"))
)
PAGE = Path(__file__).parents[2] / "docs" / "simulator.md"


def test_the_extra_has_fonts() -> None:
    assert len(PACKAGES) == 5


@pytest.mark.parametrize("name", PACKAGES)
def test_the_licence_of_each_package_of_fonts_is_the_one_that_the_docs_tell(name: str) -> None:
    installed = distribution(name)
    texts = [path.read_text() for path in installed.files or () if "license" in path.name.lower()]
    assert len(texts) == 1
    assert "SIL OPEN FONT LICENSE Version 1.1" in texts[0]
    assert "with Reserved Font Name" not in texts[0]
    (row,) = [line for line in PAGE.read_text().splitlines() if line.startswith(f"| `{name}` |")]
    assert "| OFL-1.1 |" in row
    fonts = [path.name for path in installed.files or () if path.suffix in (".ttf", ".otf")]
    assert all(font in row for font in fonts)
