"""The fenced blocks of a Markdown page, with the remarks that say how they are to be run."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[2]
PAGES = (
    ROOT / "README.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "docs" / "guide").glob("*.md")),
)
"""The pages whose blocks are run. Decisions and generated pages have none of their own."""

_FENCE = re.compile(r"^(```+)(\w*)\s*$")
_REMARK = re.compile(r"^<!-- (?P<kind>[a-z]+): (?P<text>.+) -->$")
_FILE_NAME = re.compile(r"^# (?P<path>[\w./-]+\.(?:yaml|py|toml|json))$")
_HEADING = re.compile(r"^#+ +(.+)$")
REMARKS = frozenset({"checked", "file", "generated", "include", "skip", "wrong"})


class Block(NamedTuple):
    """One fenced block: the page and line of its first line of content, its language and its text.

    `remarks` maps the kind of a remark before it (`<!-- skip: why -->`) to its text.
    """

    page: str
    line: int
    language: str
    text: str
    remarks: Mapping[str, str]

    def __hash__(self) -> int:
        return hash(self.place)

    @property
    def place(self) -> str:
        """`docs/flows.md:12`."""
        return f"{self.page}:{self.line}"

    @property
    def file_name(self) -> str | None:
        """Under which path the reader saves the block: its first line, `# skyline.flow.yaml`, or a remark where the
        file cannot hold one, `<!-- file: products.csv -->`."""
        if "file" in self.remarks:
            return self.remarks["file"]
        found = _FILE_NAME.match(self.text.partition("\n")[0])
        return None if found is None else found["path"]


def blocks(page: Path) -> list[Block]:
    """The blocks of a page in order."""
    name = page.relative_to(ROOT).as_posix()
    found: list[Block] = []
    remarks: dict[str, str] = {}
    fence, language, start = "", "", 0
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, line in enumerate(lines, start=1):
        if fence:
            if line.rstrip() == fence:
                text = "".join(f"{inner}\n" for inner in lines[start : number - 1])
                found.append(Block(name, start + 1, language, text, remarks))
                fence, remarks = "", {}
        elif opening := _FENCE.match(line):
            fence, language, start = opening[1], opening[2], number
        elif remark := _REMARK.match(line):
            if remark["kind"] not in REMARKS:
                raise ValueError(f"{name}:{number}: a remark is one of {', '.join(sorted(REMARKS))}: {line}")
            remarks[remark["kind"]] = remark["text"]
        elif line.strip():
            remarks = {}
    if fence:
        raise ValueError(f"{name}:{start}: this block is never closed")
    return found


def rewrite(page: Path, texts: Mapping[Block, str]) -> None:
    """Puts other texts into blocks of a page."""
    lines = page.read_text(encoding="utf-8").splitlines(keepends=True)
    for block in sorted(texts, key=lambda block: block.line, reverse=True):
        start = block.line - 1
        lines[start : start + block.text.count("\n")] = [texts[block]]
    page.write_text("".join(lines), encoding="utf-8")


def prose(page: Path) -> str:
    """The text of a page without its blocks."""
    kept, fence = [], ""
    for line in page.read_text(encoding="utf-8").splitlines():
        opening = _FENCE.match(line)
        if fence:
            fence = "" if line.rstrip() == fence else fence
        elif opening:
            fence = opening[1]
        else:
            kept.append(line)
    return "\n".join(kept)


def anchors(page: Path) -> set[str]:
    """The anchors that headings of a page get, as GitHub makes them."""
    headings = (_HEADING.match(line) for line in prose(page).splitlines())
    texts = (re.sub(r"[`*]", "", heading[1]).lower() for heading in headings if heading)
    return {re.sub(r"[^\w\- ]", "", text).replace(" ", "-") for text in texts}


def table(page: Path, heading: str) -> list[list[str]]:
    """The cells of the first table below a heading, without its head, back quotes taken off."""
    lines = iter(page.read_text(encoding="utf-8").splitlines())
    for line in lines:
        found = _HEADING.match(line)
        if found and found[1] == heading:
            break
    rows: list[list[str]] = []
    for line in lines:
        if line.startswith("|"):
            rows.append([cell.strip().strip("`") for cell in line.strip("|").split(" | ")])
        elif rows or line.startswith("#"):
            break
    return rows[2:]
