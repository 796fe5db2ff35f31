"""What a step works on is looked for when a flow is checked, before the step above it is paid for."""

from __future__ import annotations

import pytest

from flowdsl import Environment
from flowdsl.diagnostics import fixed
from flowdsl.source import Source

PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
ENVIRONMENT = Environment()


def found(text: str) -> list[tuple[str, str, str | None]]:
    return [(each.code, each.message, each.hint) for each in ENVIRONMENT.check(text)]


def corrected(text: str) -> str:
    """The text with the first fix of its only finding."""
    source = Source(text)
    (finding,) = ENVIRONMENT.check(source)
    return fixed(source, finding.fixes[0])


@pytest.mark.parametrize("step", ["TO_LIST", "PARSE_JSON", "SANITIZE", "BASE64_TO_BLOB", "SHOW_RESPONSE", "DOWNLOAD"])
def test_a_step_that_has_nothing_to_work_on_is_an_error_of_the_check(step: str) -> None:
    name = "\n  filename: a" if step == "DOWNLOAD" else ""
    (finding,) = found(f"{PICTURE}- step: {step}{name}\n")
    assert finding[0] == "missing-input"
    assert finding[1].startswith(f"{step} has nothing to work on: ")


def test_pictures_under_another_key_are_named_where_no_step_sets_image_list() -> None:
    flow = f"{PICTURE}  outputKey: posters\n- step: SAVE_IMAGES\n"
    ((code, _, hint),) = found(flow)
    assert (code, hint) == ("missing-input", "did you mean `in: posters`?")
    assert found(corrected(flow)) == []


UNLIKE = "write `in: hero`, which holds what a step before has made"


@pytest.mark.parametrize(
    ("path", "right"),
    [("heroo", "did you mean `hero`?"), ("flowContext.hero", "did you mean `hero`?"), ("picture", UNLIKE)],
)
def test_a_path_that_nothing_sets_is_not_taken_for_pictures(path: str, right: str) -> None:
    flow = f"{PICTURE}  outputKey: hero\n- step: SAVE_IMAGES\n  in: {path}\n"
    ((code, message, hint),) = found(flow)
    assert (code, hint) == ("undefined-variable", right)
    assert message == f"nothing is called `{path}` at this step, and SAVE_IMAGES works on an image or a list of images"
    assert found(corrected(flow)) == []


def test_an_input_of_the_flow_is_read_by_its_name() -> None:
    flow = "inputs:\n  photo: {type: object}\nflow:\n  - step: SAVE_IMAGES\n    in: inputs.photo\n"
    assert found(corrected(flow)) == []


@pytest.mark.parametrize(
    ("step", "value", "what"),
    [
        ("PARSE_JSON", "10", "a whole number"),
        ("SAVE_IMAGES", "words", "a text"),
        ("SAVE_IMAGES", "names", "a list, of which an item is a text"),
        ("SAVE_IMAGES", "'{{ flowContext.words }}'", "a text"),
        ("SANITIZE", "imageList", "a list, of which an item is an image"),
        ("BASE64_TO_BLOB", "'{{ flowContext.names }}'", "a list, of which an item is a text"),
    ],
)
def test_a_value_that_a_step_cannot_work_on_is_an_error_of_the_check(step: str, value: str, what: str) -> None:
    flow = f"{PICTURE}- step: SET\n  words: one\n  names: [a, b]\n- step: {step}\n  in: {value}\n"
    ((code, message, _),) = found(flow)
    assert code == "wrong-type"
    assert message.endswith(f"is {what}")


@pytest.mark.parametrize("text", ["- step: TO_LIST\n  in: a, b\n", "- step: PARSE_JSON\n  in: '[1]'\n"])
def test_a_text_that_is_no_path_is_itself(text: str) -> None:
    assert found(text) == []


def test_a_text_that_is_nearly_a_path_is_a_warning() -> None:
    flow = "- step: SET\n  words: one, two\n- step: TO_LIST\n  in: wordss\n"
    (finding,) = ENVIRONMENT.check(flow)
    assert (finding.severity, finding.hint) == ("warning", "did you mean `words`?")


def test_more_pictures_than_are_asked_for_cannot_be_read() -> None:
    ((code, message, hint),) = found(f"{PICTURE}- step: SAVE_IMAGES\n  in: '{{{{ flowContext.imageList[1] }}}}'\n")
    assert (code, message) == ("unknown-member", "`flowContext.imageList` is a list, and has no `1`")
    assert hint == "it has 1 item, counted from 0"
    assert found(f"{PICTURE}  n: 2\n- step: SAVE_IMAGES\n  in: '{{{{ flowContext.imageList[1] }}}}'\n") == []


def test_a_misspelt_member_of_an_input_is_found_by_its_schema() -> None:
    inputs = "inputs:\n  p: {type: object, properties: {name: {type: string}}}\nflow:\n"
    flow = inputs + "  - {step: SET, text: 'A portrait of {{ inputs.p.nmae }}'}\n"
    (finding,) = ENVIRONMENT.check(flow)
    assert (finding.code, finding.severity, finding.hint) == (
        "unknown-member",
        "warning",
        "did you mean `inputs.p.name`?",
    )
    assert found(corrected(flow)) == []


@pytest.mark.parametrize(
    "value", ["products", "out/boat.png", "[imageList]", '["{{ flowContext.imageList }}"]', "[a.png, b.png]", "3"]
)
def test_what_is_no_name_of_pictures_is_told_the_key_that_holds_them(value: str) -> None:
    flow = f"- {{step: SET, product: [a, b], path: [c]}}\n{PICTURE}- step: SAVE_IMAGES\n  in: {value}\n"
    ((_, _, hint),) = found(flow)
    assert hint is not None
    assert hint.startswith("write `in: imageList`")
    assert found(corrected(flow)) == []


def test_a_key_that_may_be_unset_and_is_no_template_is_not_told_to_have_a_default() -> None:
    flow = (
        f"- step: IF\n  condition: '{{{{ flowContext.x }}}}'\n  then:\n{PICTURE}- step: SAVE_IMAGES\n  in: imageList\n"
    )
    hints = [hint for code, _, hint in found(flow.replace("\n  model", "\n    model")) if code == "maybe-undefined"]
    assert hints in ([], ["set it on every path"])


LOOP = """\
- step: FOR
  var: hour
  items: [dawn, noon]
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: "A boat at {{ flowContext.hour }}"
"""


def test_what_a_loop_is_told_to_collect_can_be_worked_on_as_its_hint_says() -> None:
    ((code, _, hint),) = found(LOOP)
    collect, key, read = hint.split("`")[1::2] if hint else ("", "", "")
    assert (code, key, read) == ("lost-images", "collectKey: all", "{{ flowContext.all | flatten }}")
    kept = f"{LOOP}  {collect}\n  {key}\n- step: SAVE_IMAGES\n  filename: a\n"
    assert found(f'{kept}  in: "{read}"\n') == []
    ((code, _, hint),) = found(f"{kept}  in: all\n")
    assert (code, hint) == ("wrong-type", f'write `in: "{read}"`')
    assert found(corrected(f"{kept}  in: all\n")) == []
    ((_, _, hint),) = found(f'{kept}  in: "{{{{ flowContext.all }}}}"\n')
    assert hint is not None and "by `| flatten`" in hint
