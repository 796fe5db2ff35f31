"""Expressions of Kestra in a converted flow: the same value for every input, or an error at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Source
from flowdsl.cli import main
from flowdsl.errors import RunError
from flowdsl.syntax.yaml_reader import read
from tests.systems.test_convert import AS_OF, conversion

_FLOW = """\
id: f
namespace: company.ai
inputs:
  - {id: topic, type: STRING, defaults: kite}
  - {id: panels, type: INT, defaults: 4}
  - {id: loud, type: BOOLEAN, defaults: false}
  - {id: note, type: STRING, required: false}
  - {id: style, type: SELECT, values: [comic, poster], defaults: comic}
  - {id: tags, type: ARRAY, itemType: STRING, defaults: [a, b]}
  - {id: stored, type: JSON, defaults: '{"a": 1}'}
variables:
  title: The harbour at dusk
  palette: [teal, coral]
  letters: {a: x, b: y}
  count: 3
  full: "{{ vars.title }} in {{ vars.count }} parts"
  twice: "{{ vars.full }}"
labels: {team: art}
tasks:
  - id: one
    type: io.kestra.plugin.core.debug.Return
    format: "one {{ inputs.topic }}"
  - id: page
    type: io.kestra.plugin.core.debug.Return
    format: FORMAT
"""
_GIVEN: list[dict[str, Any]] = [
    {},
    {
        "topic": 'a "{{ x }}" Tea 😀',
        "panels": -7,
        "loud": True,
        "note": "  ",
        "style": "poster",
        "tags": ["z", "z", "q r"],
    },
    {"topic": " ", "panels": 0, "note": "n", "tags": []},
]
_SAID = [
    ("{{ inputs.topic }}", "{{ inputs.topic }}"),
    ("{{inputs.panels}}", "{{ inputs.panels | string }}"),
    ("a {{ inputs.panels }}, {{ inputs['loud'] }}", "a {{ inputs.panels }}, {{ inputs.loud }}"),
    ("{{ flow.id }} {{ flow.revision }}", "{{ flowContext.flow.id }} {{ flowContext.flow.revision }}"),
    ("{% raw %}{{ x }}{% endraw %} {{ inputs.topic }}", "{{ '{{' }} x }} {{ inputs.topic }}"),
    ("{{ inputs.topic }}\n\n {{ flow.id -}}\n x\n", "{{ inputs.topic }}\n\n {{ flowContext.flow.id }}x\n"),
    ("{{ labels.team }}{{ trigger.date ?? '!' }}", "{{ flowContext.labels.team }}!"),
    ("{{ inputs.note }}", "{{ '' if inputs.note is none else inputs.note }}"),
    ("({{ inputs.note }})", "({{ inputs.note }})"),
    ("{{ inputs.note ?? 'none' }}", "{{ 'none' if inputs.note is none else inputs.note }}"),
    ("{{ inputs.note ?? inputs.topic | upper }}",
     "{{ (inputs.topic if inputs.note is none else inputs.note) | upper }}"),
    ("{{ inputs.note | default('x') }}", "{{ inputs.note if inputs.note | trim else 'x' }}"),
    ("{{ outputs.one.value ?? 'd' }}", "{{ flowContext.one.value | default('d') }}"),
    ("{{ inputs.topic ~ ' x ' ~ inputs.panels }}", "{{ inputs.topic ~ ' x ' ~ inputs.panels }}"),
    ("{{ inputs.panels * 2 - 1 }} x", "{{ (inputs.panels * 2) - 1 }} x"),
    ("{{ inputs.panels % 3 }} {{ -inputs.panels }}", "{{ inputs.panels % 3 }} {{ -inputs.panels }}"),
    ("{{ inputs.panels > 3 ? 'many' : 'few' }}", "{{ 'many' if inputs.panels > 3 else 'few' }}"),
    ("{{ not (inputs.panels == 4) or inputs.loud }}", "{{ (not (inputs.panels == 4) or inputs.loud) | string }}"),
    ("{{ inputs.topic | upper }}!", "{{ inputs.topic | upper }}!"),
    ("{{ inputs.topic | capitalize }}", "{{ inputs.topic.slice(0, 1) | upper ~ inputs.topic.slice(1) }}"),
    ("{{ inputs.style | capitalize }}", "{{ inputs.style | capitalize }}"),
    ("{{ vars.title | split(' ') | last | upper }}", "{{ flowContext.vars.title | split(' ') | last | upper }}"),
    ("{{ vars.palette | last }} {{ vars.palette[0] }}",
     "{{ flowContext.vars.palette | last }} {{ flowContext.vars.palette[0] }}"),
    ("{{ vars.letters | keys | join(',') }}", "{{ flowContext.vars.letters | keys | join(',') }}"),
    ("{{ vars.letters }}", "{{ flowContext.vars.letters | json }}"),
    ("{{ render(vars.full) }}", "{{ flowContext.vars.title ~ ' in ' ~ flowContext.vars.count ~ ' parts' }}"),
    ("{{ inputs.tags }}", "{{ inputs.tags | json }}"),
    ("{{ inputs.tags | join(', ') }} {{ inputs.tags | length }}",
     "{{ inputs.tags | join(', ') }} {{ inputs.tags | length }}"),
    ("{{ inputs.tags contains 'a' }}", "{{ ('a' in inputs.tags) | string }}"),
    ("{{ inputs.topic | substringBefore('i') }}", "{{ inputs.topic.split('i') | first }}"),
    ("{{ inputs.topic | substringAfterLast('i') }}",
     "{{ inputs.topic.split('i') | last if 'i' in inputs.topic else '' }}"),
    ("{{ inputs.topic | substringAfter('Te') }}",
     "{{ inputs.topic.slice(inputs.topic.indexOf('Te') + 2) if 'Te' in inputs.topic else '' }}"),
    ("{{ inputs.topic | substringBeforeLast('t') }}",
     "{{ inputs.topic.slice(0, inputs.topic.lastIndexOf('t')) if 't' in inputs.topic else inputs.topic }}"),
    ("{{ inputs.topic | replace({'k': 'b', 'i': \"it's\"}) }}",
     "{{ inputs.topic | replace('k', 'b') | replace('i', \"it's\") }}"),
    ("{{ inputs.topic is empty }} {{ inputs.note is null }} {{ inputs.tags is not empty }}",
     "{{ inputs.topic | trim == '' }} {{ inputs.note is none }} {{ inputs.tags | length > 0 }}"),
    ("{% if inputs.loud %}A{% elseif inputs.panels == 4 %}B{% else %}C{% endif %}",
     "{% if inputs.loud %}A{% elif inputs.panels == 4 %}B{% else %}C{% endif %}"),
    ("{% for t in inputs.tags %}{{ loop.index }}{{ t }}{{ loop.last ? '' : ',' }}{% else %}none{% endfor %}",
     "{% for t in inputs.tags %}{{ loop.index0 }}{{ t }}{{ '' if loop.last else ',' }}{% else %}none{% endfor %}"),
    ("{% for i in range(1, 3) %}{{ i }}{% endfor %}", "{% for i in range(1, 4) %}{{ i }}{% endfor %}"),
    ("{% set x = inputs.topic | upper %}{{ x }}!", "{% set x = inputs.topic | upper %}{{ x }}!"),
    ("{{ max(inputs.panels, 9) }} of 9", "{{ Math.max(inputs.panels, 9) }} of 9"),
    (" {{ inputs.panels }}\n", "{{ ' ' ~ inputs.panels | string ~ '\\n' }}"),
    ("{{ ' ' }}{{ inputs.note }}", "{{ ' ' ~ ('' if inputs.note is none else inputs.note) }}"),
    ("{{ inputs.topic ~ (inputs.panels + 1) }}", "{{ inputs.topic ~ (inputs.panels + 1) }}"),
    ("{ {{ inputs.topic }} {x} {# gone #}{{ '{' }}", "{ {{ inputs.topic }} {x} {{ '{' }}"),
]  # fmt: skip
_REFUSED = [
    ("{{ 7 / 2 }}", "`7 / 2` has no counterpart here", "7 / 2"),
    (
        "a {{ inputs.tags | first }}",
        "the filter `first` does another thing to `inputs.tags` here",
        "inputs.tags | first",
    ),
    ("{{ inputs.tags[0] | length }}", "`inputs.tags[0]` is an error in Pebble where the list is shorter",
     "inputs.tags[0]"),
    ("{{ inputs.stored.a }}", "what `inputs.stored.a` holds is known in the run alone", "inputs.stored.a"),
    ("{{ inputs.topic | slugify }}", "the filter `slugify` has no counterpart", "inputs.topic | slugify"),
    ("{{ inputs.topic == 4 }}", "`inputs.topic == 4` compares in another way here", "inputs.topic == 4"),
    ("{{ kv('KEY') }}", "`kv('KEY')` has no counterpart here", "kv('KEY')"),
    ("{{ now() }}", "`now()` has no counterpart", "now()"),
    ("{{ execution.id }}", "what is known of an execution is another thing in each run", "execution"),
    ("{{ render(vars.twice) }}", "`render(vars.twice)` renders what it gives as well", "render(vars.twice)"),
    ("{{ render(inputs.topic) }}", "`render(inputs.topic)` has no counterpart here", "render(inputs.topic)"),
    ("{% if inputs.note %}x{% endif %}", "whether `inputs.note` is true is another question", "inputs.note"),
    ("{% for e in vars.letters %}x{% endfor %}", "a loop over `vars.letters` is another one", "vars.letters"),
    ("{{ 1.5 }}", "`1.5` may be printed with other digits here", "1.5"),
]  # fmt: skip


def _document(pebble: str) -> Source:
    return Source(_FLOW.replace("FORMAT", json.dumps(pebble, ensure_ascii=False)), "f.yaml")


def _flow(source: Source) -> str:
    text = conversion(source).text
    assert text is not None
    return text


@pytest.mark.parametrize(("pebble", "template"), _SAID)
def test_an_expression_of_kestra_becomes_this_template(pebble: str, template: str) -> None:
    back = read(Source(_flow(_document(pebble)), "flow.yaml"))[0]
    assert back is not None
    assert back.plain()["flow"][-1]["page"]["value"] == template


@pytest.mark.long
@pytest.mark.parametrize("given", _GIVEN, ids=["defaults", "odd", "empty"])
@pytest.mark.parametrize("pebble", [pebble for pebble, _ in _SAID])
def test_an_expression_gives_the_same_in_the_flow(pebble: str, given: dict[str, Any]) -> None:
    document = _document(pebble)
    flow = Source(_flow(document), "g.yaml")
    environment = Environment(as_of=AS_OF)
    assert [each.message for each in environment.check(flow) if each.severity == "error"] == []
    printed: list[Any] = []
    for source in (document, flow):
        try:
            printed.append(environment.run(source, inputs=given).to_json()["outputs"]["page"])
        except RunError as error:
            printed.append(error.code)
    assert printed[0] == printed[1]


@pytest.mark.parametrize(("pebble", "message", "place"), _REFUSED)
def test_an_expression_without_a_counterpart_is_told_at_its_place(pebble: str, message: str, place: str) -> None:
    found = conversion(_document(pebble))
    assert found.text is None
    (only,) = found.findings
    assert only.message.startswith(message)
    assert (only.code, only.span.first.line, only.span.text) == ("not-supported", 25, place)
    assert "`flowdsl run` runs the file as it is" in (only.hint or "")


@pytest.mark.parametrize(
    ("condition", "template"),
    [
        ("{{ inputs.loud }}", "{{ inputs.loud }}"),
        ("{{ inputs.topic != 'boat' }}", "{{ inputs.topic != 'boat' }}"),
        ("{{ inputs.loud == true }}", "{{ inputs.loud == true }}"),
        ("{{ inputs.loud and inputs.panels >= 4 }}", "{{ inputs.loud and inputs.panels >= 4 }}"),
        ("{{ inputs.panels }}", "{{ inputs.panels != 0 }}"),
        ("{{ inputs.topic }}", "{{ (inputs.topic | trim | lower) not in ['', 'false', '0', '-0'] }}"),
        ("{{ inputs.panels == '4' }}", None),
        ("{{ inputs.loud }}{{ inputs.topic }}", None),
    ],
)
def test_a_condition_of_kestra_has_this_template_or_none(condition: str, template: str | None) -> None:
    text = _FLOW.replace("FORMAT", f"x\n    runIf: {json.dumps(condition)}")
    found = conversion(Source(text, "f.yaml"))
    back = read(Source(found.text or "", "flow.yaml"))[0]
    assert (back.plain()["flow"][-1]["condition"] if back is not None else None) == template


def test_a_secret_that_kestra_reads_elsewhere_too_is_told() -> None:
    text = """\
id: f
namespace: company.ai
tasks:
  - id: page
    type: io.kestra.plugin.ai.completion.ImageGeneration
    prompt: A kite
    provider: {type: OpenAI, modelName: gpt-image-2, apiKey: "{{ secret('my_key') }}"}
  - id: more
    type: io.kestra.plugin.ai.completion.ImageGeneration
    prompt: A kite
    provider: {type: OpenAI, modelName: gpt-image-2, apiKey: "{{ kv('OTHER') }}"}
"""
    found = conversion(Source(text, "f.yaml"))
    mine = "my_key is read from the environment as it is: Kestra's SECRET_MY_KEY, in base64, is not read"
    stored = "OTHER is read from the environment: --kv and [kv] of flowdsl.toml are not read"
    assert found.notes == {mine: 7, stored: 11}
    assert (found.text or "").startswith(f"# {mine}\n# {stored}\n\nid: f\n")


def test_what_the_flow_does_not_read_is_told_on_stderr_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(
        "id: f\nnamespace: company.ai\ntasks:\n  - id: page\n"
        "    type: io.kestra.plugin.ai.completion.ImageGeneration\n    prompt: A kite\n"
        "    provider: {type: OpenAI, modelName: gpt-image-2, apiKey: \"{{ secret('KEY') }}\"}\n",
        encoding="utf-8",
    )
    assert main(["convert", str(path)]) == 0
    printed = capsys.readouterr()
    note = "KEY is read from the environment as it is: Kestra's SECRET_KEY, in base64, is not read"
    assert printed.out.startswith(f"# {note}\n")
    assert f"flowdsl: line 7: {note}\n" in printed.err
