"""Pipelines of Redpanda Connect with the processor `openai_image_generation`: they run as they are."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from images_fake import PIXEL, FakeImages
from jsonschema import Draft202012Validator

import flowdsl
from flowdsl import Diagnostic, Environment, Source, Storage
from flowdsl.cli import main
from flowdsl.diagnostics import fixed
from flowdsl.document.dialects import lowered
from flowdsl.errors import RunError
from flowdsl.events import Emitted, Event, Note
from flowdsl.syntax.yaml_reader import read

AS_OF = date(2026, 11, 21)
GOLDEN = Path(__file__).parents[1] / "golden" / "systems" / "redpanda"
RIGHT = sorted((GOLDEN / "right").glob("*.yaml"))
WRONG = sorted((GOLDEN / "wrong").glob("*.yaml"))
ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "systems" / "openai_image_generation.yml"
LINES = b"a red cat\na blue dog\n"
FILES = {
    "products.csv": 'name,background\nRed Chair,white\n"Lamp, small","a ""dark"" wall"\n',
    "prompts/1.txt": "a lighthouse\n",
    "prompts/2.txt": "a bridge\nin fog\n",
}
SCHEMA = Draft202012Validator(json.loads((ROOT / "schemas" / "redpanda.schema.json").read_text(encoding="utf-8")))
FORM = """\
{ends}
pipeline:
  processors:
    - openai_image_generation:
        api_key: ${{OPENAI_API_KEY}}
        model: gpt-image-2
"""


@pytest.fixture(scope="module")
def served() -> Iterator[FakeImages]:
    with FakeImages() as running:
        yield running


@pytest.fixture
def fake(served: FakeImages) -> FakeImages:
    served.api.bodies.clear()
    return served


class Unordered(list[dict[str, Any]]):
    """Bodies of requests that are sent side by side, by their prompts."""

    def append(self, body: dict[str, Any]) -> None:
        super().append(body)
        self.sort(key=lambda each: str(each["prompt"]))


def given(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))


def ran(fake: FakeImages, folder: Path, flow: Path | Source) -> tuple[Any, list[Event]]:
    """What a run gives, or the error that it ends with, and its events."""
    events: list[Event] = []
    storage = Storage(images=folder / "images", output=folder / "files")
    environment = Environment(overrides=fake.settings, storage=storage, as_of=AS_OF)
    try:
        return environment.run(flow, on_event=events.append), events
    except RunError as error:
        return error, events


def printed(fake: FakeImages, folder: Path, found: Any, events: list[Event]) -> str:
    lines = [f"sent: {json.dumps(body, ensure_ascii=False)}" for body in fake.api.bodies]
    lines += [f"stdout: {event.payload['message']}" for event in events if isinstance(event, Emitted)]
    lines += [f"note: {event.text}" for event in events if isinstance(event, Note)]
    for path in sorted((folder / "files").rglob("*")):
        if path.is_file():
            content = path.read_bytes()
            known = {PIXEL: "the picture", PIXEL + b"\n": "the picture, and a line end"}
            shown = known.get(content) or repr(content.decode())
            lines.append(f"file {path.relative_to(folder / 'files').as_posix()}: {shown}")
    if isinstance(found, RunError):
        lines.append(f"error: {found.message} [{found.code}]")
    else:
        result = found.to_json()
        result["records"].pop("messages", None)  # its pictures have a test of their own
        lines.append(f"result: {json.dumps(result, ensure_ascii=False)}")
    return "\n".join(lines).replace(str(folder), "FOLDER") + "\n"


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_a_pipeline_asks_for_these_pictures_and_gives_this(
    path: Path, tmp_path: Path, fake: FakeImages, monkeypatch: pytest.MonkeyPatch, update_golden: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    if path.stem == "side_by_side":
        monkeypatch.setattr(fake.api, "bodies", Unordered())
    lines = path.with_suffix(".in")
    given(monkeypatch, lines.read_bytes() if lines.exists() else LINES)
    found = [f"{each.severity}: {each.message}\n" for each in Environment(as_of=AS_OF).check(path)]
    text = "".join(found) + printed(fake, tmp_path, *ran(fake, tmp_path, path))
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_the_flow_that_a_pipeline_becomes_asks_for_the_same_pictures(
    path: Path, tmp_path: Path, fake: FakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    found, _ = lowered(Source(path.read_text(encoding="utf-8"), path.name))
    assert found is not None
    flow = yaml.safe_dump(found.root.plain(), allow_unicode=True, sort_keys=False)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = path.with_suffix(".in")
    given(monkeypatch, lines.read_bytes() if lines.exists() else LINES)
    ran(fake, tmp_path, Source(flow, "native.flow.yaml"))
    sent = [line for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines() if line[:5] == "sent:"]
    assert sorted(f"sent: {json.dumps(body, ensure_ascii=False)}" for body in fake.api.bodies) == sorted(sent)


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_a_wrong_pipeline_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = flowdsl.check(path, environment=Environment(as_of=AS_OF))
    text = flowdsl.render(found).replace(str(path), path.name) + "\n"
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert any(finding.severity == "error" for finding in found)
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*RIGHT, *WRONG], ids=lambda path: path.stem)
def test_a_fix_edits_the_pipelines_own_file_and_leaves_yaml(path: Path) -> None:
    source = Source(path.read_text(encoding="utf-8"), path.name)
    for finding in Environment(as_of=AS_OF).check(source):
        for fix in finding.fixes:
            assert all(edit.span.source is source for edit in fix.edits)
            text = fixed(source, fix)
            assert text != source.text
            if path.stem != "not_yaml":  # which has several mistakes of syntax
                assert read(Source(text))[1] == []


def test_forty_documents_and_a_third_of_them_is_wrong() -> None:
    assert len(RIGHT) + len(WRONG) >= 40
    assert len(WRONG) * 3 >= len(RIGHT) + len(WRONG)


def test_every_mistake_stands_in_the_authors_own_line() -> None:
    """No finding speaks of the root of the file where a key of it is meant."""
    for path in WRONG:
        for finding in Environment(as_of=AS_OF).check(Source(path.read_text(encoding="utf-8"), path.name)):
            assert finding.span.text.count("\n") < 3 or finding.code == "wrong-type", (path.name, finding)


# What counts as a pipeline


@pytest.mark.parametrize(
    "text",
    [
        "processors:\n  openai_image_generation: {api_key: a, model: m}",
        "- openai_image_generation: {api_key: a, model: m}",
        "- mapping: root = this\n- openai_image_generation: {api_key: a, model: m}",
        "- try:\n    - openai_image_generation: {api_key: a, model: m}",
        "openai_image_generaton: {api_key: a, model: m}",
        "input: {stdin: {}}\npipeline: {processors: [{mapping: root = this}]}\noutput: {drop: {}}",
        "pipeline:\n  processors:\n    - openai_image_generation:\n        prompt: 'a",
    ],
    ids=["fragment", "list", "second of a list", "in a try", "misspelt", "without pictures", "broken"],
)
def test_a_pipeline_is_known_by_its_content(text: str) -> None:
    found = Environment(as_of=AS_OF).check(Source(text, "any.yaml"))
    assert not {"not-a-flow", "unknown-step", "missing-step"} & {finding.code for finding in found}


@pytest.mark.parametrize("text", ["pipeline: build", "a: {b: 1}", "- one\n- two", "processors: 3\nflow: []"])
def test_another_file_is_none(text: str) -> None:
    found = Environment(as_of=AS_OF).check(Source(text, "any.yaml"))
    assert not any("processor" in finding.message and "`processors`" not in finding.message for finding in found)
    assert any(finding.code in ("not-a-flow", "unknown-key", "empty-flow", "wrong-type") for finding in found)


def test_the_document_of_the_vendors_page_as_it_stands_lacks_only_its_model() -> None:
    text = 'processors:\n  label: ""\n  openai_image_generation:\n    api_key: ""\n    model: ""\n    prompt: ""\n'
    (found,) = errors(text)
    assert (found.code, found.span.text) == ("missing-key", '""')


def errors(text: str) -> list[Diagnostic]:
    return [found for found in Environment(as_of=AS_OF).check(Source(text, "p.yaml")) if found.severity == "error"]


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_the_schema_of_editors_takes_what_runs(path: Path) -> None:
    document = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert list(SCHEMA.iter_errors(document)) == []


@pytest.mark.parametrize("name", ["missing", "misspelt", "fields", "labels"])
def test_the_schema_of_editors_shows_what_does_not(name: str) -> None:
    document = yaml.safe_load((GOLDEN / "wrong" / f"{name}.yaml").read_text(encoding="utf-8"))
    assert list(SCHEMA.iter_errors(document)) != []


def test_checking_a_pipeline_imports_nothing_that_runs_it() -> None:
    code = "import sys\nfrom flowdsl.cli import main\nmain(sys.argv[1:])\nprint(*sys.modules, file=sys.stderr)"
    arguments = [sys.executable, "-c", code, "validate", str(GOLDEN / "right" / "conditions.yaml")]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    assert not {"pydantic", "httpx", "asyncio"} & set(done.stderr.split())


# The command


def command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    shown = capsys.readouterr()
    return code, shown.out, shown.err


@pytest.mark.long
@pytest.mark.parametrize(
    ("path", "warnings"),
    [(EXAMPLE, 0), (GOLDEN / "right" / "common.yaml", 1), (GOLDEN / "right" / "advanced.yaml", 1)],
    ids=["example", "common", "advanced"],
)
def test_five_lines_on_stdin_are_five_pictures(
    path: Path, warnings: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given(monkeypatch, b"a red cat\na blue dog\na green horse\na white bird\na brown fox\n")
    code, out, err = command(["run", str(path), "--simulate"], capsys)
    assert (code, err.count("warning:")) == (0, warnings)  # of the model of the page, which is shut down
    assert len(list(Path("flowdsl-images").glob("*.png"))) == 5
    assert "5 messages read, 5 written\nline 1: flowdsl-images/" in out
    assert out.splitlines()[-1].startswith("5 images in ")
    assert "✓ RECORD_IMAGE 5 a brown fox" in err


@pytest.mark.long
def test_with_one_refused_there_are_four_and_the_fifth_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given(monkeypatch, b"a red cat\na blue dog\na green horse\na white bird\na brown fox\n")
    fault = ["--fault", "RECORD_IMAGE=moderation,when=fox"]
    code, out, err = command(["run", str(EXAMPLE), "--simulate", *fault], capsys)
    assert code == 4
    assert len(list(Path("flowdsl-images").glob("*.png"))) == 4
    assert "1 of 5 messages failed: line 5: moderation of" in err
    assert "4 images made" in err
    assert out == "a brown fox\n"  # a message that is marked is written nevertheless, as in the engine


def test_json_of_a_run_with_failures_names_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given(monkeypatch, b"a red cat\n\n")
    Path("p.yaml").write_text(FORM.format(ends="output: {drop: {}}"), encoding="utf-8")
    code, out, _ = command(["run", "p.yaml", "--simulate", "--json", "-q"], capsys)
    found = json.loads(out)
    assert code == 4
    assert found["error"]["code"] == "records-failed"
    (message,) = found["records"].pop("messages")
    (picture,) = message.pop("images")
    assert message == {"record": 0, "at": "line 1"}
    assert picture["path"] == found["images"][0]["path"]
    assert picture["sha256"] == found["images"][0]["sha256"]
    assert (picture["model"], picture["size"]) == ("gpt-image-2", "1024x1024")
    assert picture["cost_usd"] == found["cost_usd"]
    assert found["records"] == {
        "read": 2,
        "written": 2,
        "dropped": 0,
        "failed": 1,
        "failures": [{"record": 1, "at": "line 2", "error": "the message is empty, so there is nothing to draw"}],
    }
    assert len(found["images"]) == 1


def test_json_names_the_pictures_of_each_message_with_what_they_cost(
    tmp_path: Path, fake: FakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = FORM.format(ends="output: {file: {path: '${! content() }.png', codec: all-bytes}}")
    text = text.replace("model: gpt-image-2", "model: gpt-image-2\n        quality: low\n        size: 1024x1024")
    given(monkeypatch, b"a red cat\na forbidden fox\ntwice a dog\n")
    error, _ = ran(fake, tmp_path, Source(text))
    assert isinstance(error, RunError)
    records = error.to_dict()["records"]
    assert [(each["record"], each["at"]) for each in records["messages"]] == [(0, "line 1"), (2, "line 3")]
    (first,) = records["messages"][0]["images"]
    assert list(first) == ["path", "sha256", "mime", "model", "size", "cost_usd"]
    assert Path(first["path"]).is_file()
    assert first["sha256"] == hashlib.sha256(PIXEL).hexdigest()
    assert (first["mime"], first["model"], first["size"]) == ("image/png", "gpt-image-2", "1x1")
    assert len(records["messages"][1]["images"]) == 2
    assert {Path(each["path"]).is_file() for each in records["messages"][1]["images"]} == {True}


def test_summary_says_of_each_message_where_its_pictures_are_and_which_failed(
    tmp_path: Path, fake: FakeImages, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-used")
    Path("cards.yaml").write_text(FORM.format(ends=""), encoding="utf-8")
    given(monkeypatch, b"Lisbon\nPorto\n")
    _, out, _ = command(["run", "cards.yaml", "--simulate", "--quiet"], capsys)
    lines = out.splitlines()
    assert "2 messages read, 2 written" in lines
    assert "line 2: flowdsl-images/cards-2.png" in lines
    assert "{" not in out
    given(monkeypatch, b"".join(b"%d\n" % number for number in range(7)))
    _, _, err = command(["run", "cards.yaml", "--simulate", "--quiet", "--fault", "RECORD_IMAGE=moderation:6"], capsys)
    lines = err.splitlines()
    assert "7 messages read, 7 written, 6 failed" in lines
    assert [line[:16] for line in lines if line.startswith("line ")] == ["line 6: failed: ", "line 7: flowdsl-"]
    assert "FOR_RECORDS" not in err
