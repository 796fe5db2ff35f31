"""Flows of Kestra: they run as they are, and what is wrong with one is told in its file and in its words."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Host, Source, Storage
from flowdsl.diagnostics import fixed
from tests.systems.tiny_pictures import TinyPictures

AS_OF = date(2026, 11, 21)
GOLDEN = Path(__file__).parents[1] / "golden" / "systems" / "kestra"
EXAMPLE = Path(__file__).parents[2] / "examples" / "systems" / "comic_page.kestra.yaml"
RIGHT = sorted((GOLDEN / "right").glob("*.yaml"))
WRONG = sorted((GOLDEN / "wrong").glob("*.yaml"))


@pytest.fixture(scope="module")
def running() -> Iterator[TinyPictures]:
    with TinyPictures() as pictures:
        yield pictures


@pytest.fixture
def pictures(running: TinyPictures) -> TinyPictures:
    running.bodies.clear()
    running.keys.clear()
    return running


def environment(pictures: TinyPictures, folder: Path, **host: Any) -> Environment:
    return Environment(
        overrides={"openai": {"endpoint": pictures.url, "apiKey": "sk-simulated"}},
        storage=Storage(images=folder, output=folder / "files"),
        host=Host(**{"secrets": lambda name: f"sk-of-{name}", **host}),
        as_of=AS_OF,
    )


def flow(tasks: str, around: str = "") -> Source:
    return Source(f"id: f\nnamespace: company.ai\n{around}\ntasks:\n{tasks}", "f.yaml")


IMAGE = """\
  - id: page
    type: io.kestra.plugin.ai.completion.ImageGeneration
    prompt: PROMPT
    provider: {type: OpenAI, apiKey: KEY, modelName: gpt-image-2}
"""


def image(prompt: str, key: str = "k-1") -> str:
    return IMAGE.replace("PROMPT", prompt).replace("KEY", key)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_flow_sends_these_requests_and_gives_these_outputs(
    path: Path, tmp_path: Path, pictures: TinyPictures, update_golden: bool
) -> None:
    surroundings = environment(pictures, tmp_path)
    found = [each for each in surroundings.check(path) if each.severity != "note"]
    assert [each for each in found if each.severity == "error"] == []
    said: list[str] = []
    host = surroundings.host
    surroundings = environment(pictures, tmp_path, sink=lambda name, payload: said.append(payload["message"]))
    assert host.sink is None
    result = surroundings.run(path)
    lines = [f"{body['model']}: {body['prompt'].rstrip()}" for body in pictures.bodies]
    if "concurrencyLimit: 2" in path.read_text(encoding="utf-8"):
        lines.sort()
    printed = "".join(f"request {line}\n" for line in lines) + "".join(f"says {line}\n" for line in said)
    printed += "".join(f"{each.severity}: {each.message}\n" for each in found)
    printed += json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
    printed = re.sub(r"file://\S*/", "file:///FOLDER/", printed)
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_flow_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = flowdsl.check(path, environment=Environment(as_of=AS_OF))
    printed = flowdsl.render(found).replace(str(path), path.name) + "\n"
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert [each for each in found if each.severity == "error"]
    assert printed == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_fix_edits_the_flow_file_and_leaves_yaml(path: Path) -> None:
    source = Source(path.read_text(encoding="utf-8"), path.name)
    for finding in Environment(as_of=AS_OF).check(source):
        for fix in finding.fixes:
            assert all(edit.span.source is source for edit in fix.edits)
            after = Source(fixed(source, fix), path.name)
            assert after.text != source.text
            assert "yaml-syntax" not in {each.code for each in Environment(as_of=AS_OF).check(after)}


def test_there_are_forty_documents_a_third_of_them_wrong() -> None:
    assert len(RIGHT) + len(WRONG) >= 40
    assert 3 * len(WRONG) >= len(RIGHT) + len(WRONG)
