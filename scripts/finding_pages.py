"""Writes what `flowdsl explain CODE` and the pages of docs/findings are made of, and those pages.

    python scripts/finding_pages.py

An example in `flowdsl/reference/examples.json` that still gives its finding is kept. For a finding without one, the
least part of a golden file that gives it is looked for; the example can be written there by hand as well.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from flowdsl.codes import CODES, FINDINGS
from flowdsl.reference.explained import EXAMPLES, findings_of, index, page

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
PAGES = ROOT / "docs" / "findings"
_MOST_LINES = 200


def main() -> None:
    """Keeps the examples that are right, finds those that are missing, and writes all."""
    target = Path(str(EXAMPLES))
    kept = json.loads(target.read_text(encoding="utf-8")) if target.is_file() else {}
    found = {code.name: text for code in FINDINGS if (text := _example(code.name, kept.get(code.name)))}
    written = json.dumps(dict(sorted(found.items())), indent=1, ensure_ascii=False) + "\n"
    target.write_bytes(written.encode("utf-8", "backslashreplace"))
    shutil.rmtree(PAGES, ignore_errors=True)
    PAGES.mkdir()
    (PAGES / "README.md").write_text(index(), encoding="utf-8")
    for code in CODES:
        (PAGES / f"{code}.md").write_text(page(code), encoding="utf-8")
    without = [code.name for code in FINDINGS if code.name not in found]
    print(f"{len(found)} examples; without one: {', '.join(without) or 'none'}")


def _example(code: str, kept: str | dict[str, str] | None) -> str | dict[str, str] | None:
    if isinstance(kept, dict) or (kept is not None and cost(kept, code) is not None):
        return kept  # what takes several files is written by hand
    print(f"finding an example of {code}", file=sys.stderr)
    least = [reduced(text, code) for text in _texts(code)]
    return min(least, key=lambda text: cost(text, code) or (sys.maxsize, 0, 0), default=None)


def _texts(code: str) -> Iterator[str]:
    """The golden files whose findings have a code."""
    for path in sorted(GOLDEN.glob("bad/*.yaml")) + sorted(GOLDEN.glob("systems/**/*.yaml")):
        text = path.read_bytes().decode("utf-8", "replace").replace("\r\n", "\n")
        if text.count("\n") <= _MOST_LINES and cost(text, code) is not None:
            yield text


def cost(text: str, code: str) -> tuple[int, int, int] | None:
    """How far a text is from the least one: other findings, lines, characters; None when it does not give the code."""
    found = findings_of(text)
    if not any(finding.code == code for finding in found):
        return None
    return len(found) - 1, text.count("\n"), len(text)


def reduced(text: str, code: str) -> str:
    """The text without the lines that the finding does not need."""
    lines = text.splitlines(keepends=True)
    best = cost(text, code)
    size = max(1, len(lines) // 2)
    while best is not None:
        at, smaller = 0, False
        while at < len(lines):
            fewer = lines[:at] + lines[at + size :]
            found = cost("".join(fewer), code) if fewer else None
            if found is not None and found < best:
                lines, best, smaller = fewer, found, True
            else:
                at += size
        if size == 1 and not smaller:
            break
        size = max(1, size // 2)
    return "".join(lines)


if __name__ == "__main__":
    main()
