"""PARSE_JSON, TO_LIST, BASE64_TO_BLOB, MARKDOWN_TO_HTML, SANITIZE: what comes of which text."""

from __future__ import annotations

import base64
import sys
import time
from pathlib import Path
from typing import Any

import pytest

import flowdsl

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


def run(step: str, given: Any = None, folder: Path | None = None, **limits: Any) -> dict[str, Any]:
    """The FlowContext after one step; `given` is the key of that name."""
    environment = flowdsl.Environment(
        limits=flowdsl.Limits(**limits), storage=flowdsl.Storage(images=folder or "images")
    )
    return flowdsl.run(f"- step: {step}\n", {"given": given}, environment=environment).context


def failure(step: str, given: Any = None, **limits: Any) -> tuple[str, str, str | None]:
    with pytest.raises(flowdsl.RunError) as caught:
        run(step, given, **limits)
    return caught.value.code, caught.value.message, caught.value.hint


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 2.5, null, true, "ü"]}', {"a": [1, 2.5, None, True, "ü"]}),
        ("  [1]\n", [1]),
        ("5", 5),
        ('"dawn"', "dawn"),
        ("null", None),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('\n ```\r\n{"a": 1}\r\n```  \n', {"a": 1}),
        ('```json\n{"a": "```"}\n```', {"a": "```"}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('{"a": 1, "a": 2}', {"a": 2}),
    ],
)
def test_a_json_text_becomes_its_value_and_stays_as_text(text: str, value: Any) -> None:
    context = run("PARSE_JSON\n  in: given", text)
    assert (context["object"], context["text"]) == (value, text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "this is not JSON: Expecting value at line 1, column 1"),
        ("```json\n```", "this is not JSON: Expecting value at line 1, column 1"),
        ("{'a': 1}", "this is not JSON: Expecting property name enclosed in double quotes at line 1, column 2"),
        ('{"a": 1,\n}', None),
        ("NaN", "this is not JSON: NaN is no JSON value"),
        ("[1] and more", "this is not JSON: Extra data at line 1, column 5"),
        ("[" * 201 + "]" * 201, "this is not JSON: it is nested more than 200 deep"),
        ("9" * 5000, None),
    ],
)
def test_a_text_that_is_no_json_says_where(text: str, message: str | None) -> None:
    code, found, hint = failure("PARSE_JSON\n  in: given", text)
    assert code == "not-json"
    assert message in (None, found)
    assert hint == (f"it starts with {text[:40]!r}" if text.strip("`json\n ") else hint)


def test_json_as_deep_as_allowed_is_read() -> None:
    value = run("PARSE_JSON\n  in: given", "[" * 200 + "]" * 200)["object"]
    depth = 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 199


def test_a_value_that_is_parsed_already_is_taken_as_it_is() -> None:
    assert run("PARSE_JSON\n  in: given", {"a": [1]}) == {
        "given": {"a": [1]},
        "object": {"a": [1]},
        "text": '{"a":[1]}',
    }


@pytest.mark.parametrize(("given", "found"), [(5, "5"), (True, "true"), (flowdsl.Blob(b"{}", "a/b"), "a blob")])
def test_what_is_neither_text_nor_list_nor_map_is_not_parsed(given: Any, found: str) -> None:
    assert failure("PARSE_JSON\n  in: given", given)[:2] == (
        "wrong-type",
        f"PARSE_JSON works on a text, and found {found}",
    )


SCHEMA = "schema: {type: object, required: [a], properties: {a: {type: integer}}}"


def test_a_value_that_fits_its_schema_is_written() -> None:
    assert run(f"PARSE_JSON\n  in: given\n  {SCHEMA}", '{"a": 1}')["object"] == {"a": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"a": "x"}', "the JSON does not fit its schema: a: 'x' is not of type 'integer'"),
        ("{}", "the JSON does not fit its schema: the value: 'a' is a required property"),
        ('[{"a": 1}]', "the JSON does not fit its schema: the value: [{'a': 1}] is not of type 'object'"),
    ],
)
def test_a_value_that_does_not_fit_its_schema_says_where(text: str, message: str) -> None:
    assert failure(f"PARSE_JSON\n  in: given\n  {SCHEMA}", text)[:2] == ("schema-misfit", message)


def test_a_misfit_of_a_large_value_is_reported_in_short() -> None:
    message = failure("PARSE_JSON\n  in: given\n  schema: {type: object}", "[" + "1," * 9999 + "1]")[1]
    assert len(message) < 260


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(([a-z])+.)+[A-Z]([a-z])+$"], ids=["plus", "nested"])
def test_a_pattern_of_a_schema_that_never_ends_ends(pattern: str) -> None:
    began = time.process_time()
    code, _, _ = failure(f"PARSE_JSON\n  in: given\n  schema: {{pattern: '{pattern}'}}", '"' + "a" * 60 + '!"')
    assert code in ("schema-misfit", "invalid-schema")
    assert time.process_time() - began < 10


@pytest.mark.parametrize("schema", ["{type: 5}", "{properties: {a: {type: strange}}}", "{required: a}"])
def test_an_invalid_schema_is_found_before_the_run(schema: str) -> None:
    found = flowdsl.check(f"- step: PARSE_JSON\n  in: '1'\n  schema: {schema}\n")
    assert [(finding.code, finding.message.partition(":")[0]) for finding in found] == [
        ("invalid-schema", "`schema` is not a JSON Schema")
    ]


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            "{$ref: 'https://example.com/schema.json'}",
            "`schema` cannot be used: it refers to 'https://example.com/schema.json', which is not in it; "
            "nothing is fetched",
        ),
        ("{$ref: '#'}", "`schema` cannot be used: it refers to itself without end"),
    ],
)
def test_a_schema_that_cannot_be_used_says_why_and_nothing_is_fetched(schema: str, message: str) -> None:
    assert failure(f"PARSE_JSON\n  in: given\n  schema: {schema}", "1")[:2] == ("invalid-schema", message)


@pytest.mark.parametrize(
    ("given", "items"),
    [
        ('["a", 1, {"b": 2}]', ["a", 1, {"b": 2}]),
        ('```json\n["a"]\n```', ["a"]),
        ('{"names": ["a", "b"], "count": 2}', ["a", "b"]),
        ('{"a": [1], "b": [2]}', [{"a": [1], "b": [2]}]),
        ("- a\n- b", ["a", "b"]),
        (
            "Here you are:\n\n1. a lighthouse\n   at night\n2) a harbour\n\nEnjoy!",
            ["a lighthouse at night", "a harbour"],
        ),
        ("* a\n  + b\n• c", ["a", "b", "c"]),
        ("-5, 3", ["-5", "3"]),
        ("a, b,, c ,", ["a", "b", "c"]),
        ("one thing", ["one thing"]),
        ("a, b\nc, d", ["a, b\nc, d"]),
        ("[not json, really]", ["[not json", "really]"]),
        ("-\n-", ["-\n-"]),
        ("", []),
        ("  \n ", []),
        (["a", 1], ["a", 1]),
        ([], []),
        (5, [5]),
        ({"a": 1}, [{"a": 1}]),
    ],
)
def test_a_list_is_read_in_the_first_form_that_fits(given: Any, items: list[Any]) -> None:
    assert run("TO_LIST\n  in: given", given)["list"] == items


def test_a_list_that_is_passed_on_is_a_new_one() -> None:
    given = ["a"]
    assert run("TO_LIST\n  in: given", given)["list"] is not given


@pytest.mark.parametrize("text", ["aGVsbG8=", "aGVsbG8", " aGVs\n bG8= ", "data:text/plain;base64,aGVsbG8="])
def test_base64_becomes_a_blob(text: str) -> None:
    blob = run("BASE64_TO_BLOB\n  in: given\n  contentType: text/x-note", text)["blob"]
    assert (blob.content, dict(blob)) == (
        b"hello",
        {
            "contentType": "text/x-note",
            "size": 5,
            "sha256": "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
        },
    )


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("data:a/b;charset=utf-8;base64,aGVsbG8=", "a/b;charset=utf-8"),
        ("aGVsbG8=", "application/octet-stream"),
        ("DATA:a/b;BASE64,aGVsbG8=", "a/b"),
    ],
)
def test_the_media_type_of_a_blob_comes_from_its_prefix(text: str, kind: str) -> None:
    assert run("BASE64_TO_BLOB\n  in: given", text)["blob"]["contentType"] == kind


def test_the_url_alphabet_of_base64_is_read_too() -> None:
    assert run("BASE64_TO_BLOB\n  in: given", "-_-_")["blob"].content == b"\xfb\xff\xbf"


@pytest.mark.parametrize("prefix", ["", "data:image/png;base64,", "data:image/webp;base64,"])
def test_bytes_of_a_picture_become_an_image_in_the_store(tmp_path: Path, prefix: str) -> None:
    image = run("BASE64_TO_BLOB\n  in: given", prefix + base64.b64encode(PNG).decode(), tmp_path)["blob"]
    assert isinstance(image, flowdsl.Image)
    assert (image.read(), image.mime) == (PNG, "image/png")


def test_bytes_that_are_said_to_be_something_else_stay_a_blob(tmp_path: Path) -> None:
    text = base64.b64encode(PNG).decode()
    blob = run("BASE64_TO_BLOB\n  in: given\n  contentType: application/pdf", text, tmp_path)["blob"]
    assert isinstance(blob, flowdsl.Blob)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["größe", "a", "ab*d", "data:text/plain,hello", "===="])
def test_a_text_that_is_no_base64_says_so(text: str) -> None:
    assert failure("BASE64_TO_BLOB\n  in: given", text) == (
        "not-base64",
        "this is not base64",
        f"it starts with {text!r}",
    )


def test_an_empty_text_is_no_base64() -> None:
    assert failure("BASE64_TO_BLOB\n  in: given", " ")[:2] == ("not-base64", "this is not base64: it is empty")


def test_base64_of_more_bytes_than_the_limit_is_refused() -> None:
    text = base64.b64encode(b"x" * 30).decode()
    assert len(run("BASE64_TO_BLOB\n  in: given", text, image_bytes=30)["blob"].content) == 30
    assert failure("BASE64_TO_BLOB\n  in: given", text, image_bytes=29)[:2] == (
        "too-large",
        "the blob has more than 29 bytes",
    )


@pytest.mark.parametrize(
    ("markdown", "html"),
    [
        ("**Dawn** over `x < y`", "<p><strong>Dawn</strong> over <code>x &lt; y</code></p>\n"),
        ("# A\n\n- b\n- c", "<h1>A</h1>\n<ul>\n<li>b</li>\n<li>c</li>\n</ul>\n"),
        ("~~a~~", "<p><s>a</s></p>\n"),
        (
            "|a|\n|-|\n|b|",
            "<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>b</td>\n</tr>\n</tbody>\n</table>\n",
        ),
        ("<script>alert(1)</script>", "<p>&lt;script&gt;alert(1)&lt;/script&gt;</p>\n"),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>\n"),
        ("[a](http://x.y)", '<p><a href="http://x.y">a</a></p>\n'),
        ("", ""),
    ],
)
def test_markdown_becomes_html_without_anything_that_acts(markdown: str, html: str) -> None:
    assert run("MARKDOWN_TO_HTML\n  text: given", markdown)["text"] == html


def test_a_step_whose_extra_is_not_installed_is_found_before_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    monkeypatch.setattr("flowdsl_steps.data.markdown_to_html.find_spec", lambda name: None)
    (found,) = flowdsl.check("- step: MARKDOWN_TO_HTML\n  text: a\n")
    assert (found.code, found.severity) == ("missing-extra", "error")
    assert found.message == "MARKDOWN_TO_HTML needs markdown-it-py, which is not installed"
    assert found.hint == "pip install 'flowdsl[markdown]'"


def test_a_step_whose_extra_is_gone_at_the_run_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    flow = flowdsl.load("- step: MARKDOWN_TO_HTML\n  text: a\n")
    monkeypatch.setitem(sys.modules, "markdown_it", None)
    with pytest.raises(flowdsl.RunError) as caught:
        flow.run()
    assert (caught.value.code, caught.value.hint) == ("missing-extra", "pip install 'flowdsl[markdown]'")


@pytest.mark.parametrize(
    ("option", "text", "cleaned"),
    [
        ("stripMarkdown", "Look:\n```python\na = 1\n```\nand `b`", "Look:\na = 1\nand `b`"),
        ("stripMarkdown", "```\nnever closed", "never closed"),
        ("stripMarkdown", "~~~ text\r\na\r\n~~~\r\n", "a"),
        ("stripMarkdown", "```inline``` stays", "```inline``` stays"),
        ("normalizeCharacters", "“A” – ‘b’…\u00a0c\u200b\ufeff", "\"A\" - 'b'... c"),
        ("normalizeCharacters", "👩‍🚀 ü 晨", "👩‍🚀 ü 晨"),
        ("validateAndRepairXml", "<a>1 & 2<b>", "<a>1 &amp; 2<b></b></a>"),
    ],
)
def test_a_text_is_cleaned_as_asked(option: str, text: str, cleaned: str) -> None:
    assert run(f"SANITIZE\n  in: given\n  {option}: true", text)["text"] == cleaned
    assert run("SANITIZE\n  in: given", text)["text"] == text.strip()


def test_cleaning_goes_from_fences_to_characters_to_xml() -> None:
    options = "stripMarkdown: true\n  normalizeCharacters: true\n  validateAndRepairXml: true"
    assert run(f"SANITIZE\n  in: given\n  {options}", "```xml\n<a t=“x”>…\n```")["text"] == '<a t="x">...\n</a>'


def test_cleaning_does_not_make_markup_safe_and_the_page_says_so() -> None:
    options = "stripMarkdown: true\n  normalizeCharacters: true\n  validateAndRepairXml: true"
    active = '<a onclick="alert(1)" href="javascript:alert(2)"><script>alert(3)</script></a>'
    assert run(f"SANITIZE\n  in: given\n  {options}", active)["text"] == active
    page = " ".join((Path(__file__).parents[2] / "docs" / "steps" / "SANITIZE.md").read_text(encoding="utf-8").split())
    assert (
        "It makes no markup safe: scripts and event attributes stay, so never show the text of strangers as HTML."
        in page
    )


@pytest.mark.parametrize("step", ["PARSE_JSON", "TO_LIST", "BASE64_TO_BLOB", "SANITIZE"])
def test_without_an_input_there_is_nothing_to_work_on(step: str) -> None:
    assert [(found.code, found.message, found.hint) for found in flowdsl.check(f"- step: {step}\n")] == [
        (
            "missing-input",
            f"{step} has nothing to work on: no `in`, and no step before it sets `text`",
            "add `in:` with what it works on",
        )
    ]


@pytest.mark.parametrize(
    ("source", "read"),
    [
        ("in: given.0.name", ["deep"]),
        ("in: given.9.name", ["given.9.name"]),
        ("in: given.00000000000000000000.name", ["given.00000000000000000000.name"]),
        ("in: '{{ flowContext.given[0].name }}'", ["deep"]),
        ("in: '{{ \"given\" }}'", ["given"]),
        ("in: missing.path", ["missing.path"]),
        ("in: null", ["the text"]),
        ("inputs: [{type: text, name: given.0.name}]", ["deep"]),
    ],
)
def test_a_source_is_a_path_that_exists_else_itself(source: str, read: list[str]) -> None:
    given = {"given": [{"name": "deep"}], "text": "the text"}
    assert flowdsl.run(f"- step: TO_LIST\n  {source}\n", given).context["list"] == read


@pytest.mark.parametrize(
    "step", ["BASE64_TO_BLOB\n  in: given", "SANITIZE\n  in: given", "MARKDOWN_TO_HTML\n  text: given"]
)
@pytest.mark.parametrize(
    ("given", "found"), [([1], "a list"), ({"a": 1}, "a map"), (flowdsl.Blob(b"", "a/b"), "a blob")]
)
def test_a_step_for_texts_names_what_it_found_instead(step: str, given: Any, found: str) -> None:
    name = step.partition("\n")[0]
    assert failure(step, given)[:2] == ("wrong-type", f"{name} works on a text, and found {found}")


HOSTILE = {
    "spaces": "- " + " " * 1_000_000,
    "lines": "```json\n" + "\n" * 500_000,
    "fences": "```a\n" * 200_000,
    "ticks": "`" * 1_000_000,
    "open tags": "<a " * 300_000,
    "long name": "<" + "a" * 1_000_000,
    "quotes": "<a " + "\"'" * 500_000,
    "comments": "<!--" * 250_000,
    "cdata": "<![CDATA[" * 100_000,
    "instructions": "<?" * 500_000,
    "types": "<!" * 500_000,
    "nested": "<a>" * 200_000 + "</b>" * 200_000,
    "attributes": "<a " + "b=" * 500_000 + ">",
    "spread attributes": "<a b" + " " * 1_000_000 + "c>",
    "amps": "&" * 1_000_000,
    "entities": "&a" * 500_000,
    "brackets": "[" * 1_000_000,
    "commas": "," * 1_000_000,
}


@pytest.mark.long
@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize(
    "step",
    [
        "PARSE_JSON\n  in: given",
        "TO_LIST\n  in: given",
        "BASE64_TO_BLOB\n  in: given",
        "SANITIZE\n  in: given\n  stripMarkdown: true\n  normalizeCharacters: true\n  validateAndRepairXml: true",
    ],
    ids=lambda step: step.partition("\n")[0],
)
def test_a_hostile_text_takes_time_in_proportion(kind: str, step: str) -> None:
    began = time.process_time()
    try:
        run(step, HOSTILE[kind])
    except flowdsl.StepError as error:
        assert error.code in ("not-json", "not-base64")
    assert time.process_time() - began < 6


def test_the_default_folder_of_images_is_not_made_for_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    flowdsl.run("- step: TO_LIST\n  in: a\n")
    assert list(tmp_path.iterdir()) == []
