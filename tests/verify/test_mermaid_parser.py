"""What `flowdsl graph` writes as Mermaid, read by the parser of Mermaid itself."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

import flowdsl
from flowdsl.graph.drawing import drawing
from flowdsl.graph.mermaid import mermaid

ROOT = Path(__file__).parents[2]
SCRIPT = ROOT / "scripts" / "mermaid" / "parse.mjs"
CHARACTERS = "\"'`<>{}[]()|;:#&%\\/\n-=~^@!?*_+.,$ é日🦊\x7f\u202e"


def hostile() -> list[str]:
    """Flows whose texts hold every sign that could mean something, alone and in words of Mermaid."""
    words = [*CHARACTERS, "end", "-->", "%% x", "%%{init: {}}%%", "subgraph", "click n1 href", ":::x", "#quot;", "<br>"]
    return [
        f"title: {json.dumps(f'a {word} b')}\nflow:\n  - step: SWITCH\n    condition: '{{{{ 1 }}}}'\n    cases:\n"
        f"      {json.dumps(word)}: [{{step: SET, monitorLabel: {json.dumps(word)}, a: 1}}]\n"
        f"      {json.dumps(f'x{word}x')}: [{{step: SET, a: 2}}]\n"
        for word in words
        if word.isprintable() or word == "\n"
    ]


def test_the_parser_of_mermaid_reads_every_drawing() -> None:
    if shutil.which("node") is None or not (SCRIPT.parent / "node_modules" / "mermaid").is_dir():
        pytest.skip("needs node, and `npm ci --prefix scripts/mermaid`")
    environment = flowdsl.Environment()
    texts = [mermaid(drawing(environment.load(flow).document)) for flow in hostile()]
    for path in sorted(
        [*ROOT.glob("examples/*.yaml"), *ROOT.glob("examples/systems/*"), *ROOT.glob("tests/golden/ok/*")]
    ):
        file = environment.examined(path).file
        texts += [mermaid(drawing(document)) for document in (file.documents if file is not None else ())]
    done = subprocess.run(
        ["node", str(SCRIPT)], input=json.dumps(texts), capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    print(f"{len(said)} drawings read")
    assert len(said) == len(texts) > 60
    assert [(text, what) for text, what in zip(texts, said, strict=True) if what is not None] == []
