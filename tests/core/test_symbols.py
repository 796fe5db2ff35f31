"""The symbol table: every definition and every use of each kind of name, in flows, modules and kits."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl import Environment, Source, Span
from flowdsl.document.build import build
from flowdsl.document.dialects import lowered
from flowdsl.document.files import Files
from flowdsl.document.flow_file import FlowFile
from flowdsl.document.symbols import Kind, symbols

FLOW = """\
inputs:
  city: {type: string}
services:
  OPENAI_IMAGE_GENERATION: {timeoutMs: 60000}
  OTHER: {options: {quality: "{{ env.QUALITY }}"}}
blocks:
  constants: {sky: blue}
  vars:
    line: "a {{ local.constants.sky }} sky over {{ flowContext.city }}"
  flows:
    draw:
      - step: SET
        drawn: "{{ flowContext.title }}"
imports:
  - from: ./shades.module.yaml
    as: shades
flow:
  - step: SET
    title: "{{ inputs.city }} and {city}"
    other: '{{ flowContext["title"] ~ title }}'
  - step: FOR
    items: "{{ local.constants.sky | list }}"
    var: letter
    do:
      - step: SET
        last: "{{ flowContext.letter }} {{ imports.shades.constants.dark }}"
  - step: CALL_FLOW
    ref: local.flows.draw
  - step: CALL_FLOW
    ref: imports.shades.flows.paint
  - step: OPENAI_IMAGE_GENERATION
    service: OTHER
    model: gpt-image-2
    instruction: "{{ local.vars.line }} {{ flowContext.drawn.title }}"
    inputs: [{type: text, name: title.words}]
    outputs: [{type: imageList, name: pictures}]
outputs:
  shown: "{{ flowContext.pictures }}"
"""
MODULE = """\
blocks:
  constants: {dark: black}
  vars: {again: "{{ local.constants.dark }}"}
  flows:
    paint:
      - step: SET
        painted: "{{ flowContext.title }}"
"""
KIT = """\
AI_KIT:
  SERVICES: {OPENAI_IMAGE_GENERATION: {timeoutMs: 60000}}
  BLOCKS: {constants: {size: 1024x1024}}
  TEMPLATES:
    greet:
      - step: SET
        hello: "{{ global.constants.size }}"
  SECTIONS:
    - section: one
      blocks: {constants: {mood: calm}}
      actions:
        - title: first
          flow:
            - step: CALL_TEMPLATE
              name: greet
            - step: SET
              said: "{{ section.constants.mood }} {{ flowContext.hello }}"
"""


@pytest.fixture
def file(tmp_path: Path) -> FlowFile:
    (tmp_path / "shades.module.yaml").write_text(MODULE, encoding="utf-8")
    return built(Source(FLOW, str(tmp_path / "x.flow.yaml")))


def built(source: Source) -> FlowFile:
    nodes, mistakes = lowered(source, Files(source).include)
    assert nodes is not None and mistakes == []
    made = build(nodes, Environment().registry, Files(source))
    assert made is not None and made.findings.diagnostics == []
    return made


def lines(spans: list[Span]) -> list[tuple[int, str]]:
    return [(span.first.line, span.text) for span in spans]


@pytest.mark.parametrize(
    ("kind", "name", "definitions", "uses"),
    [
        ("input", "city", [(2, "city")], [(19, "city"), (19, "city")]),
        ("variable", "city", [(2, "city")], [(9, "city")]),
        ("variable", "title", [(19, "title")], [(20, "title"), (20, "title"), (35, "title"), (13, "title")]),
        ("variable", "letter", [(23, "letter")], [(26, "letter")]),
        ("variable", "drawn", [(13, "drawn")], [(34, "drawn")]),
        ("variable", "pictures", [(36, "outputs")], [(38, "pictures")]),
        ("service", "OTHER", [(5, "OTHER")], [(32, "OTHER")]),
        ("block", "local.constants.sky", [(7, "sky")], [(22, "sky"), (9, "sky")]),
        ("block", "local.vars.line", [(9, "line")], [(34, "line")]),
        ("block", "local.flows.draw", [(11, "draw")], [(28, "draw")]),
        ("import", "shades", [(16, "shades")], [(26, "shades"), (30, "shades")]),
        ("block", "imports.shades.constants.dark", [(2, "dark")], [(26, "dark")]),
        ("block", "imports.shades.flows.paint", [(5, "paint")], [(30, "paint")]),
    ],
    ids=lambda value: value.replace(".", " ") if isinstance(value, str) else "places",
)
def test_every_definition_and_use_of_a_flow(
    file: FlowFile, kind: Kind, name: str, definitions: list[tuple[int, str]], uses: list[tuple[int, str]]
) -> None:
    table = symbols(file.documents[0])
    assert lines(table.definitions_of(kind, name)) == definitions
    assert lines(table.uses_of(kind, name)) == uses


def test_a_module_has_a_table_of_its_own(file: FlowFile) -> None:
    table = symbols(file.parts[0])
    assert lines(table.definitions_of("variable", "painted")) == [(7, "painted")]
    assert [span.path.endswith("shades.module.yaml") for span in table.uses_of("variable", "title")] == [True]


def test_a_kit_has_names_of_three_levels() -> None:
    file = built(Source(KIT, "x.ai-kit.yaml"))
    table = symbols(file.documents[0])
    assert lines(table.definitions_of("block", "global.constants.size")) == [(3, "size")]
    assert lines(table.uses_of("block", "global.constants.size")) == [(7, "size")]
    assert lines(table.definitions_of("block", "section.constants.mood")) == [(10, "mood")]
    assert lines(table.uses_of("block", "section.constants.mood")) == [(17, "mood")]
    assert lines(table.uses_of("template", "greet")) == [(15, "greet")]
    assert list(table.defined("template")) == ["greet"]
    assert lines(table.definitions_of("variable", "hello")) == [(7, "hello")]
    assert lines(table.uses_of("variable", "hello")) == [(17, "hello")]


def test_the_name_at_a_place_is_found(file: FlowFile) -> None:
    table = symbols(file.documents[0])
    for text, kind, name in (
        ("sky | list", "block", "local.constants.sky"),
        ("letter }}", "variable", "letter"),
        ("OTHER\n", "service", "OTHER"),
    ):
        found = table.at(FLOW.index(text))
        assert found is not None and (found.kind, found.name) == (kind, name)
    assert table.at(FLOW.index("gpt-image-2")) is None


def test_a_text_that_is_spelt_like_a_path_uses_it_perhaps() -> None:
    text = "- step: SET\n  a: 1\n- step: SET\n  b: flowContext.a\n"
    table = symbols(built(Source(text)).documents[0])
    assert table.uses_of("variable", "a") == []
    assert lines(table.uses_of("variable", "a", certain=False)) == [(4, "a")]


def test_a_flow_that_a_template_chooses_may_use_every_name() -> None:
    table = symbols(
        built(Source("- step: SET\n  a: x\n- step: CALL_FLOW\n  ref: 'local.flows.{{ flowContext.a }}'\n")).documents[0]
    )
    assert "*" in table.used("block") and "*" in table.used("variable")
