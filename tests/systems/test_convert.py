"""`flowdsl convert`: documents of other systems as flows that a person reads, and that send the same requests."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from images_fake import FakeImages

from flowdsl import Diagnostic, Environment, Host, Source, Storage
from flowdsl.cli import main
from flowdsl.document.converted import Converted, converted
from flowdsl.document.dialects import lowered
from flowdsl.errors import RunError
from flowdsl.syntax.block_style import block_style
from flowdsl.syntax.yaml_reader import read
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides
from tests.systems.tiny_pictures import TinyPictures

AS_OF = date(2026, 11, 21)
ROOT = Path(__file__).parents[2]
GOLDEN = ROOT / "tests" / "golden"
EXPECTED = GOLDEN / "convert"
SYSTEMS = GOLDEN / "systems"
TASKS = sorted((SYSTEMS / "generate_image" / "right").glob("*.[jy]*"))
PIPELINES = sorted((SYSTEMS / "redpanda" / "right").glob("*.yaml"))
FLOWS = sorted((SYSTEMS / "kestra" / "right").glob("*.yaml"))
SHOWN = [
    *sorted((ROOT / "examples" / "systems").glob("*.*")),
    SYSTEMS / "generate_image" / "right" / "every_parameter.json",
    SYSTEMS / "redpanda" / "right" / "advanced.yaml",
    SYSTEMS / "redpanda" / "right" / "fallback_model.yaml",
    SYSTEMS / "kestra" / "right" / "flow_outputs.yaml",
    SYSTEMS / "kestra" / "right" / "retry.yaml",
    SYSTEMS / "kestra" / "right" / "if_else.yaml",
    SYSTEMS / "kestra" / "right" / "inputs.yaml",
    SYSTEMS / "kestra" / "right" / "computed_defaults.yaml",
    SYSTEMS / "kestra" / "right" / "for_each_over_an_input.yaml",
    SYSTEMS / "kestra" / "right" / "loop_of_version_2.yaml",
    SYSTEMS / "kestra" / "right" / "loop_until.yaml",
    SYSTEMS / "kestra" / "right" / "loop_that_breaks.yaml",
    SYSTEMS / "kestra" / "right" / "pebble_tags.yaml",
    SYSTEMS / "kestra" / "right" / "variables.yaml",
    SYSTEMS / "kestra" / "right" / "poster_of_today.yaml",
    SYSTEMS / "kestra" / "right" / "current_each_output.yaml",
]
NOT_SAID = {"for_each", "inputs_with_dots", "loop_until_its_last_iteration"}
"""The flows of Kestra in which something has no counterpart."""
FILES = {
    "products.csv": 'name,background\nRed Chair,white\n"Lamp, small","a ""dark"" wall"\n',
    "prompts/1.txt": "a lighthouse\n",
    "prompts/2.txt": "a bridge\nin fog\n",
}


def source_of(path: Path) -> Source:
    return Source(path.read_text(encoding="utf-8"), path.name)


def conversion(source: Source) -> Converted:
    return converted(source, Environment(as_of=AS_OF).examined(source).diagnostics)


def flow_of(path: Path) -> Source:
    """The flow that a document becomes."""
    text = conversion(source_of(path)).text
    assert text is not None
    return Source(text, f"{path.stem}.flow.yaml")


def errors(found: list[Diagnostic]) -> list[tuple[str, str]]:
    """The errors, all in the words of a document, which has tasks where a flow has steps."""
    return [(each.code, each.message.replace("step's", "task's")) for each in found if each.severity == "error"]


@pytest.fixture(scope="module")
def web() -> Iterator[FakeImages]:
    with FakeImages() as running:
        yield running


@pytest.fixture(scope="module")
def pictures() -> Iterator[TinyPictures]:
    with TinyPictures() as running:
        yield running


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


@pytest.mark.parametrize("path", SHOWN, ids=lambda path: path.stem)
def test_a_document_becomes_this_flow(path: Path, update_golden: bool) -> None:
    text = flow_of(path).text
    expected = EXPECTED / f"{path.name.split('.')[0]}.flow.yaml"
    if update_golden:
        expected.write_text(text, encoding="utf-8")
    assert text == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", [*TASKS, *PIPELINES, *FLOWS], ids=lambda path: path.stem)
def test_what_is_written_reads_back_as_it_is(path: Path) -> None:
    """Whatever values there are, also where the flow is not written for other reasons."""
    source = source_of(path)
    found, _ = lowered(source)
    assert found is not None
    text = block_style(found.root, source, read(source)[0])
    back, mistakes = read(Source(text, "flow.yaml"))
    assert mistakes == []
    assert back is not None
    assert json.dumps(back.plain()) == json.dumps(found.root.plain())


@pytest.mark.parametrize(
    "path",
    [*TASKS, *PIPELINES, *(path for path in FLOWS if path.stem not in NOT_SAID)],
    ids=lambda path: path.stem,
)
def test_the_flow_has_no_error_that_the_document_had_not(path: Path) -> None:
    environment = Environment(as_of=AS_OF)
    assert errors(environment.check(flow_of(path))) == errors(environment.check(source_of(path)))


@pytest.mark.long
@pytest.mark.parametrize("path", TASKS, ids=lambda path: path.stem)
def test_the_flow_of_a_task_sends_the_same_request(path: Path, tmp_path: Path, simulator: Simulator) -> None:
    sent = []
    for source in (source_of(path), flow_of(path)):
        before = len(simulator.requests)
        storage = Storage(images=tmp_path, output=tmp_path / "files")
        environment = Environment(overrides=overrides(simulator.url, simulator.key), storage=storage, as_of=AS_OF)
        result = environment.run(source).to_json()
        assert list(result) == ["success", "payload"]
        sent.append([request.json for request in simulator.requests[before:] if isinstance(request.json, dict)])
    assert len(sent[0]) == 1
    assert sent[0] == sent[1]


@pytest.mark.parametrize("path", PIPELINES, ids=lambda path: path.stem)
def test_the_flow_of_a_pipeline_sends_the_same_requests(
    path: Path, tmp_path: Path, web: FakeImages, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    lines = path.with_suffix(".in")
    content = lines.read_bytes() if lines.exists() else b"a red cat\na blue dog\n"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(content)))
    web.api.bodies.clear()
    storage = Storage(images=tmp_path / "images", output=tmp_path / "files")
    try:
        Environment(overrides=web.settings, storage=storage, as_of=AS_OF).run(flow_of(path))
    except RunError as error:
        assert error.code == "records-failed"
    sent = [line for line in path.with_suffix(".txt").read_text(encoding="utf-8").splitlines() if line[:5] == "sent:"]
    assert sorted(f"sent: {json.dumps(body, ensure_ascii=False)}" for body in web.api.bodies) == sorted(sent)


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_a_flow_of_kestra_sends_the_same_requests_and_gives_the_same_or_is_not_written(
    path: Path, tmp_path: Path, pictures: TinyPictures
) -> None:
    if path.stem in NOT_SAID:
        found = conversion(source_of(path))
        assert found.text is None
        assert {each.code for each in found.findings} == {"not-supported"}
        return
    said: list[str] = []
    environment = Environment(
        overrides={"openai": {"endpoint": pictures.url, "apiKey": "sk-simulated"}},
        storage=Storage(images=tmp_path, output=tmp_path / "files"),
        host=Host(secrets=lambda name: f"sk-of-{name}", sink=lambda name, payload: said.append(payload["message"])),
        as_of=AS_OF,
    )
    given: list[Any] = []
    for source in (source_of(path), flow_of(path)):
        pictures.bodies.clear()
        said.clear()
        result = re.sub(r"file://\S*/|-\d+\.png", "", json.dumps(environment.run(source).to_json()))
        given.append(
            (sorted(body["prompt"] for body in pictures.bodies), sorted(map(str, pictures.bodies)), [*said], result)
        )
    assert given[0][0]
    assert given[0] == given[1]


def test_out_is_written_once_and_again_with_force(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    task, out = tmp_path / "task.json", tmp_path / "task.flow.yaml"
    task.write_text(
        '{"tasktype": "generate_image", "params": {"prompt": "A", "model": "gpt-image-2"}}', encoding="utf-8"
    )
    arguments = ["convert", str(task), "--out", str(out)]
    assert main(arguments) == 0
    written = out.read_text(encoding="utf-8")
    assert written == flow_of(task).text
    out.write_text("mine", encoding="utf-8")
    assert main(arguments) == 2
    assert out.read_text(encoding="utf-8") == "mine"
    assert main([*arguments, "--force"]) == 0
    assert out.read_text(encoding="utf-8") == written
    assert capsys.readouterr().out == ""


def test_a_key_in_the_document_becomes_a_secret(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "pipeline.yaml"
    key = "sk-proj-0123456789abcdef"
    path.write_text(f"openai_image_generation:\n  # {key}\n  api_key: {key}\n  model: gpt-image-2\n", encoding="utf-8")
    assert main(["convert", str(path)]) == 0
    printed = capsys.readouterr()
    assert key not in printed.out + printed.err
    assert "apiKey: \"{{ secret('OPENAI_API_KEY') }}\"" in printed.out
    assert "reads the environment variable OPENAI_API_KEY for the key in line 3" in printed.err


def test_a_key_in_a_native_flow_becomes_a_secret_too() -> None:
    text = "services:\n  mine: {provider: openai, apiKey: 'sk-proj-0123456789abcdef'}\nflow:\n"
    text += "  - step: OPENAI_IMAGE_GENERATION\n    model: gpt-image-2\n    instruction: A kite\n    service: mine\n"
    found = conversion(Source(text, "flow.yaml"))
    assert found.text == text.replace("'sk-proj-0123456789abcdef'", "\"{{ secret('OPENAI_API_KEY') }}\"")
    assert found.variables == {"OPENAI_API_KEY": 2}


def test_a_comment_beside_a_key_of_a_map_and_those_of_nodes_that_are_gone_stay() -> None:
    text = """\
pipeline:  # all of it
  threads: 1  # one
  processors:  # just one
    - openai_image_generation:  # paint
        api_key: ${OPENAI_API_KEY}
        model: gpt-image-2
"""
    written = conversion(Source(text, "pipeline.yaml")).text or ""
    assert [found in written for found in ("# all of it", "# one", "# just one", "# paint")] == [True] * 4
    assert written.count("#") == 4


def test_a_native_flow_stays_as_it_is_with_present_names() -> None:
    text = "# a kite\n- step: OPENAI_IMAGE_GENERATION\n  model:   gpt-image-2\n  prompt: A kite  # red\n"
    found = conversion(Source(text, "flow.yaml"))
    assert found.was_native
    assert found.text == text.replace("prompt:", "instruction:")
    again = conversion(Source(found.text, "flow.yaml"))
    assert again.text == found.text


def test_a_kit_stays_one_with_present_names() -> None:
    step = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, prompt: A kite}"
    text = f"AI_KIT:\n  SECTIONS:\n    - section: Air\n      actions:\n        - {{title: Kite, flow: [{step}]}}\n"
    assert conversion(Source(text, "kit.yaml")).text == text.replace("prompt", "instruction")


def test_a_key_in_a_prompt_is_not_written() -> None:
    params = {"prompt": "sk-proj-0123456789abcdef", "model": "gpt-image-2"}
    found = conversion(Source(json.dumps({"tasktype": "generate_image", "params": params}), "task.json"))
    assert found.text is None
    assert [(each.code, each.severity) for each in found.findings] == [("not-supported", "error")]


def test_comments_stay_with_what_they_are_about() -> None:
    text = """\
# the picture of the day
openai_image_generation:
  api_key: ${OPENAI_API_KEY}  # of the team
  # the living one
  model: gpt-image-2
  quality: low  # cheap
# the end
"""
    written = conversion(Source(text, "pipeline.yaml")).text or ""
    assert written.startswith("# the picture of the day\n")
    assert written.endswith("# the end\n")
    assert "        # the living one\n        model: gpt-image-2\n" in written
    assert "quality: low  # cheap\n" in written
    assert written.count("#") == text.count("#")


@pytest.mark.parametrize(
    "text",
    [
        "one\ntwo\n", "one\n\n\ntwo", "ends\n\n\n", " begins\nwith a blank", "blank \nends", "tab\tin\nit", "\n", "",
        "a: b", "# no comment", "- x", "true", "12", "null", "'", '"', "\\", "é\u2028x", "x" * 300, "a  b " * 60 + "c",
        "word " * 60 + "end", "word " * 60 + "\n  indented\nword", "{{ a }}", "[a", "a, b", "%x", "@x", "---", "a\r\nb",
        "word " * 30 + "\n\nword\n" + "word " * 30 + "end\n", "00123", "~", "2026-01-01", "1e3", "yes", "?",
        "\ufeffx", "x\x85y\nz",
    ],
)  # fmt: skip
def test_any_text_reads_back_as_itself(text: str) -> None:
    from flowdsl.document.dialects import made
    from flowdsl.source import Span

    source = Source("x", "x.yaml")
    values = {"a": text, "list": [text, {"k": text, "step": text}], "in": [{"type": text}], "d": {"e": {"f": text}}}
    root = made(values, Span(source, 0, 1))
    back, mistakes = read(Source(block_style(root, source, None), "y.yaml"))
    assert mistakes == []
    assert back is not None
    assert back.plain() == values
