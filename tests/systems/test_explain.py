"""`flowdsl explain`, `inputs` and `run --help` of documents of other systems: in their own words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl.cli import main

KESTRA = """\
id: comic
namespace: company.ai
description: A comic page
inputs:
  - {id: topic, type: STRING, defaults: a data engineer, description: what it is about}
  - {id: note, type: STRING, required: false}
pluginDefaults:
  - type: io.kestra.plugin.ai.provider.OpenAI
    values: {modelName: gpt-image-2}
tasks:
  - id: loop
    type: io.kestra.plugin.core.flow.Sequential
    tasks:
      - id: page
        type: io.kestra.plugin.ai.completion.ImageGeneration
        prompt: "{{ inputs.topic }}"
        timeout: PT1M
        provider:
          type: io.kestra.plugin.ai.provider.OpenAI
          apiKey: "{{ secret('OPENAI_API_KEY') }}"
  - id: said
    type: io.kestra.plugin.core.debug.Return
    format: "{{ outputs.page.finishReason }}"
"""
PAGE = """\
flow.yaml:14 ImageGeneration page (tasks[0].tasks[0])

options
  prompt              {{ inputs.topic }}                   task
  timeout             PT1M                                 task
  provider.type       io.kestra.plugin.ai.provider.OpenAI  task
  provider.apiKey     {{ secret('OPENAI_API_KEY') }}       task
  provider.modelName  gpt-image-2                          pluginDefaults, line 9
  provider.baseUrl    https://api.openai.com/v1            default of OpenAI

service IMAGE_GENERATION
  provider  openai       flow
  apiKey    ***          flow
  model     gpt-image-2  flow

secrets
  OPENAI_API_KEY → the own host of openai
"""
SAID = """\
flow.yaml:21 Return said (tasks[1])

options
  format  {{ outputs.page.finishReason }}  task
"""
PIPELINE = """\
input:
  file: {paths: [in.txt]}
pipeline:
  processors:
    - try:
        - label: paint
          openai_image_generation:
            api_key: ${OPENAI_API_KEY}
            model: gpt-image-2
    - mapping: root = @path
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("flow.yaml").write_text(KESTRA, encoding="utf-8")
    Path("pipeline.yaml").write_text(PIPELINE, encoding="utf-8")


@pytest.mark.parametrize("place", [["flow.yaml", "page"], ["flow.yaml:17"], ["flow.yaml:14"]])
def test_a_task_is_explained_in_its_own_words_by_its_id_and_by_its_line(
    place: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["explain", *place]) == 0
    assert capsys.readouterr().out == PAGE


def test_a_file_shows_all_of_its_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "flow.yaml"]) == 0
    loop = "flow.yaml:11 Sequential loop (tasks[0])\n\noptions\n  none\n"
    assert capsys.readouterr().out == f"{loop}\n{PAGE}\n{SAID}"


def test_tasks_are_explained_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "flow.yaml", "said", "--json"]) == 0
    said = {
        "file": "flow.yaml",
        "line": 21,
        "task": "Return",
        "id": "said",
        "path": "tasks[1]",
        "options": [{"name": "format", "value": "{{ outputs.page.finishReason }}", "origin": "task"}],
    }
    assert json.loads(capsys.readouterr().out) == {"tasks": [said]}
    assert main(["explain", "flow.yaml:22", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == said


def test_the_components_of_a_pipeline_are_explained(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "pipeline.yaml"]) == 0
    out = capsys.readouterr().out
    heads = [line for line in out.splitlines() if line.startswith("pipeline.yaml:")]
    assert heads == [
        "pipeline.yaml:2 file (input)",
        "pipeline.yaml:5 try (pipeline.processors[0])",
        "pipeline.yaml:6 openai_image_generation paint (pipeline.processors[0].try[0])",
        "pipeline.yaml:10 mapping (pipeline.processors[1])",
    ]
    assert "  server_address  https://api.openai.com/v1  default of openai_image_generation\n" in out
    assert main(["explain", "pipeline.yaml", "paint"]) == 0
    assert capsys.readouterr().out.startswith("pipeline.yaml:6 openai_image_generation paint")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["flow.yaml", "pgae"], "no step of flow.yaml has the id `pgae`; there are loop, page, said"),
        (["flow.yaml:900"], "no step stands at flow.yaml:900"),
        (["flow.yaml:3", "page"], "a task is named by its line, or by its id: give one of them"),
        (["nothing.yaml"], "`nothing.yaml` is neither a file, nor FILE:LINE, such as skyline.flow.yaml:4, nor a code"),
    ],
)
def test_what_is_not_there_is_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_mistakes_are_told_behind_the_tasks(capsys: pytest.CaptureFixture[str]) -> None:
    Path("flow.yaml").write_text(KESTRA.replace("timeout: PT1M", "timeout: 1m"), encoding="utf-8")
    assert main(["explain", "flow.yaml", "page"]) == 1
    printed = capsys.readouterr()
    assert "  timeout             1m  " in printed.out
    assert "`timeout` is `1m`, which is no duration" in printed.err


def test_a_key_in_the_file_is_hidden(capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-0123456789abcdef"
    Path("flow.yaml").write_text(KESTRA.replace("{{ secret('OPENAI_API_KEY') }}", key), encoding="utf-8")
    for form in ("text", "json"):
        main(["explain", "flow.yaml", "--format", form])
        printed = capsys.readouterr()
        assert key not in printed.out + printed.err


def test_the_steps_of_a_native_flow_are_explained_by_the_file_and_by_an_id(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.flow.yaml").write_text("- step: SET\n  x: 1\n- {step: RAISE, id: second, message: x}\n", encoding="utf-8")
    assert main(["explain", "a.flow.yaml"]) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if line.startswith("a.")] == [
        "a.flow.yaml:1 SET (flow[0])", "a.flow.yaml:3 RAISE (flow[1])",
    ]  # fmt: skip
    assert main(["explain", "a.flow.yaml", "second"]) == 0
    assert capsys.readouterr().out.count("a.flow.yaml:") == 1


def test_inputs_and_the_help_of_run_show_those_of_the_document(capsys: pytest.CaptureFixture[str]) -> None:
    shown = """\
inputs of flow.yaml
  topic  a text, default `a data engineer`
         what it is about
  note   a text or null, default null
"""
    assert main(["inputs", "flow.yaml"]) == 0
    assert capsys.readouterr().out == shown
    assert main(["run", "flow.yaml", "--help"]) == 0
    assert capsys.readouterr().out.endswith(shown)
