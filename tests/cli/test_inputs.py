"""`flowdsl inputs` and `run FILE --help`: which inputs a flow takes, without trying."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
inputs:
  city: {type: string, default: Lisbon, description: "Where the picture is taken, in words a traveller would use."}
  hour: {enum: [dawn, dusk]}
  count: {type: integer, minimum: 1, maximum: 4, default: 2}
  products: {type: array, items: {type: object}}
flow:
  - step: SET
    text: "{{ inputs.city }} {{ inputs.hour }} {{ inputs.count }} {{ inputs.products }}"
  - step: SETT
"""
KIT = """\
AI_KIT:
  SECTIONS:
    - section: All
      actions:
        - title: Poster
          id: poster
          inputs: {event: {type: string}}
          flow:
            - {step: SET, text: "{{ inputs.event }}"}
        - title: Icon
          id: icon
          inputs: {thing: {type: string, default: bean}}
          flow:
            - {step: SET, text: "{{ inputs.thing }}"}
"""


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text(FLOW, encoding="utf-8")
    Path("a.ai-kit.yaml").write_text(KIT, encoding="utf-8")


LISTED = """\
inputs of a.flow.yaml
  city      a text, default `Lisbon`
            Where the picture is taken, in words a traveller would use.
  hour      one of dawn, dusk, required
  count     a whole number from 1 to 4, default `2`
  products  a list, required
"""


def test_the_inputs_of_a_flow_are_listed_with_types_defaults_and_descriptions(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["inputs", "a.flow.yaml"]) == 0
    assert capsys.readouterr().out == LISTED


def test_the_help_of_a_run_shows_the_inputs_of_the_flow(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "a.flow.yaml", "--help"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("usage: flowdsl run ")
    assert printed.endswith(f"\n\n{LISTED}")
    assert main(["run", "a.ai-kit.yaml", "--action", "icon", "--help"]) == 0
    assert capsys.readouterr().out.endswith("\n\ninputs of a.ai-kit.yaml, Icon\n  thing  a text, default `bean`\n")


@pytest.mark.parametrize("file", ["nobody.flow.yaml", "empty.flow.yaml"], ids=["missing", "no-flow"])
def test_the_help_of_a_run_stays_help_for_a_file_that_is_no_flow(file: str, capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty.flow.yaml").write_text("", encoding="utf-8")
    assert main(["run", file, "--help"]) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("usage: flowdsl run ")
    assert f"the inputs of {file} cannot be shown: " in printed.err


def test_each_action_of_a_kit_has_its_inputs(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inputs", "a.ai-kit.yaml"]) == 0
    assert capsys.readouterr().out == (
        "inputs of a.ai-kit.yaml, Poster\n  event  a text, required\n\n"
        "inputs of a.ai-kit.yaml, Icon\n  thing  a text, default `bean`\n"
    )
    assert main(["inputs", "a.ai-kit.yaml", "--action", "icno"]) == 2


def test_inputs_as_json_hold_the_schemas(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["inputs", "a.flow.yaml", "--json"]) == 0
    (flow,) = json.loads(capsys.readouterr().out)["flows"]
    assert [entry["name"] for entry in flow["inputs"] if entry["required"]] == ["hour", "products"]
    assert flow["inputs"][2] == {
        "name": "count",
        "required": False,
        "default": 2,
        "schema": {"type": "integer", "minimum": 1, "maximum": 4},
    }


def test_names_that_a_flow_reads_without_declaring_them_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.flow.yaml").write_text('- step: SET\n  text: "{{ flowContext.city }} at dawn"\n', encoding="utf-8")
    assert main(["inputs", "b.flow.yaml"]) == 0
    assert capsys.readouterr().out == (
        "inputs of b.flow.yaml\n  city  any value, required; the flow reads it without declaring it\n"
    )


def test_a_key_in_a_default_is_not_shown(capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    Path("b.flow.yaml").write_text(
        f"inputs: {{key: {{type: string, default: {key}}}}}\nflow:\n- {{step: SET, text: x}}\n", encoding="utf-8"
    )
    for more in ([], ["--json"]):
        assert main(["inputs", "b.flow.yaml", *more]) == 0
        assert "abcdefghij" not in capsys.readouterr().out


def test_a_module_and_a_missing_file_are_errors(capsys: pytest.CaptureFixture[str]) -> None:
    Path("a.module.yaml").write_text("blocks: {constants: {a: 1}}\n", encoding="utf-8")
    assert main(["inputs", "a.module.yaml"]) == 2
    assert main(["inputs", "nobody.flow.yaml"]) == 2
    assert "nobody.flow.yaml: No such file or directory" in capsys.readouterr().err


KEYS = """\
inputs:
  products: {type: array, items: {type: object, required: [sku]}}
  style: {type: object}
  other: {type: array}
  plain: {type: array}
flow:
  - step: SET
    cheapest: "{{ inputs.products | sort(attribute='price') | reverse }}"
    text: "{% for o in inputs.other %}{{ o.title }} {{ o.n | default(1) }}{% endfor %} {{ inputs.style.color }}
      {{ inputs.style.mood | default('') }} {{ inputs.other.length }} {{ inputs.other[0].first }} {{ inputs.plain }}"
  - step: FOR
    var: item
    items: "{{ flowContext.cheapest }}"
    do:
      - step: SET
        same: "{{ flowContext.item }}"
        text: "{{ flowContext.item.name.toUpperCase() }} {{ flowContext.same.price }}
          {{ flowContext.item.note | default('') }}"
      - step: FOR
        var: tag
        items: "{{ flowContext.item.tags }}"
        do: [{step: SET, text: "{{ flowContext.tag.word }}"}]
    collect: "{{ flowContext.item.late }}"
    collectKey: all
outputs:
  all: "{{ flowContext.all }} {{ flowContext.item.last | default('') }}"
"""


def test_the_keys_that_a_flow_reads_of_the_items_of_a_list_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    Path("k.flow.yaml").write_text(KEYS, encoding="utf-8")
    assert main(["inputs", "k.flow.yaml"]) == 0
    assert capsys.readouterr().out == (
        "inputs of k.flow.yaml\n"
        "  products  a list, required\n"
        "            each item, or line of a CSV file, needs sku, name, price, tags, late; may have note,\n"
        "            last\n"
        "  style     a map, required\n"
        "            it needs color; may have mood\n"
        "  other     a list, required\n"
        "            each item, or line of a CSV file, needs first, title; may have n\n"
        "  plain     a list, required\n"
    )
    assert main(["inputs", "k.flow.yaml", "--json"]) == 0
    products, style, other, plain = json.loads(capsys.readouterr().out)["flows"][0]["inputs"]
    assert [key["name"] for key in products["item_keys"] if key["required"]] == ["name", "price", "tags", "late"]
    assert style["keys"] == [{"name": "color", "required": True}, {"name": "mood", "required": False}]
    assert [key["name"] for key in other["item_keys"]] == ["first", "title", "n"]
    assert {"keys", "item_keys"}.isdisjoint(plain)
