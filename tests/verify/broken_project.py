"""A project of 300 flows, made of the examples with the variety of a real one, of which 30 are broken in 30 ways."""

from __future__ import annotations

import json
import random
import re
import shutil
from pathlib import Path
from typing import NamedTuple

from flowdsl.reference.explained import EXAMPLES, findings_of

ROOT = Path(__file__).parents[2]
FLOWS = 300
BROKEN = 30
_TEAMS = ("shop", "press", "social", "events", "archive")
_WORDS = {
    "skyline": ("harbour", "market hall", "old town", "mountain pass"),
    "sunset": ("dawn", "noon", "dusk", "night"),
    "boats": ("kites", "owls", "bridges", "gardens"),
    "cinematic": ("flat", "painted", "misty"),
    "low": ("low", "medium"),
}
_NOTES = (
    "# Made for the spring issue.",
    "# Ask the press team before you change the size.",
    "",
    "# size: see the brief",
)
_IMAGE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n"
_MORE = {
    "conflicting-keys": f"{_IMAGE}  instruction: A boat\n  style: vivid\n  output_format: png\n",
    "missing-prompt": _IMAGE,
    "tab": "- step: SET\n\ttext: a\n",
    "undefined-variable": '- step: SET\n  text: "{{ flowContext.nobody }}"\n',
    "unquoted-template": "- step: SET\n  text: {{ 1 + 1 }}\n",
    "wrong-type": f"{_IMAGE}  instruction: A boat\n  n: [1]\n",
}
"""What the examples of findings do not have as a list of steps with one mistake."""


class Broken(NamedTuple):
    """A flow that is broken: its path, the code of its mistake, and the line on which that stands."""

    path: str
    code: str
    line: int


def ways() -> list[tuple[str, str, int]]:
    """Thirty ways to break a flow: code, steps with one mistake, and the line of it in them, from 0."""
    found = []
    for code, text in sorted({**json.loads(EXAMPLES.read_text(encoding="utf-8")), **_MORE}.items()):
        if not isinstance(text, str):  # of several files
            continue
        findings = findings_of(text)
        alone = len(findings) == 1 and findings[0].severity == "error" and text.startswith("- step: ")
        if alone and text.isascii() and len(text) < 400 and code != "second-document":
            found.append((code, text, findings[0].span.first.line - 1))
    return found[:BROKEN]


def make(folder: Path) -> list[Broken]:
    """Makes the project; gives what is broken in it, in the order of the paths."""
    chance = random.Random(11)
    shutil.copytree(ROOT / "examples" / "shared", folder / "flows" / "shared")
    examples = sorted((ROOT / "examples").glob("*.flow.yaml"))
    numbers = sorted(chance.sample(range(FLOWS), BROKEN))
    made = []
    for number in range(FLOWS):
        example = chance.choice(examples)
        text = _varied(example.read_text(encoding="utf-8"), chance)
        name = f"{example.name.removesuffix('.flow.yaml')}-{number:03}.flow.yaml"
        path = folder / "flows" / chance.choice(_TEAMS) / name
        text = text.replace("./shared/", "../shared/")
        if number in numbers:
            code, steps, line = ways()[numbers.index(number)]
            text, above = _with_steps(text, steps)
            made.append(Broken(path.relative_to(folder).as_posix(), code, above + line + 1))
        path.parent.mkdir(parents=True, exist_ok=True)
        end = "\r\n" if number % 17 == 0 else "\n"
        path.write_bytes(text.replace("\n", end).encode())
    return sorted(made)


def _varied(text: str, chance: random.Random) -> str:
    """An example as another author would have written it: other words, remarks above, blank lines between steps."""
    for word, others in _WORDS.items():
        text = re.sub(rf"\b{word}\b", chance.choice(others), text)
    above = "".join(f"{chance.choice(_NOTES)}\n" for _ in range(chance.randrange(4)))
    if chance.random() < 0.3:
        text = re.sub(r"\n(?=  - step: )", "\n\n", text)
    return above + text


def _with_steps(text: str, steps: str) -> tuple[str, int]:
    """A flow with steps before its first one, and how many lines stand above them."""
    first = re.search(r"^( *)- step: ", text, re.MULTILINE)
    assert first is not None
    put = "".join(f"{first[1]}{line}" if line.strip() else line for line in steps.splitlines(keepends=True))
    return text[: first.start()] + put + text[first.start() :], text[: first.start()].count("\n")
