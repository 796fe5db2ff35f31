"""Texts in quotes: what is written reads back as the same text, and a line of a hint can be pasted."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import flowdsl
from flowdsl.diagnostics import Diagnostic, fixed
from flowdsl.source import Source, Span
from flowdsl.syntax.quoting import in_quotes, quoted, written
from flowdsl.syntax.yaml_reader import read

TEXTS = st.text(st.characters(exclude_categories=["Cs"])) | st.text("ab '\"\\#:{}[]%@`|>-\n\t", max_size=12)


def value(text: str) -> Any:
    root, mistakes = read(Source(text))
    assert (mistakes, root is not None) == ([], True), text
    return root.plain() if root is not None else None


@given(TEXTS, st.sampled_from([None, "'", '"', "|", ">"]))
@example("\x85\u2028\ufeff\uffff😀", "'")
@example("...", None)
@example("- a", None)
@settings(max_examples=400, deadline=None)
def test_a_text_that_is_written_reads_back_as_the_same_text(text: str, style: str | None) -> None:
    assert value(f"a: {written(text, style)}\nb: 1\n") == {"a": text, "b": 1}
    assert value(f"- {in_quotes(text, style)} # a comment\n") == [text]
    assert value(f"{{a: [{written(text, style)}, 1], b: {in_quotes(text)}}}\n") == {"a": [text, 1], "b": text}


@given(st.recursive(TEXTS | st.integers() | st.booleans() | st.none(), st.lists, max_leaves=5))
@settings(max_examples=100, deadline=None)
def test_any_value_that_is_written_reads_back_as_it(given_value: Any) -> None:
    assert value(f"a: {written(given_value)}\n") == {"a": given_value}


@given(
    st.text(
        st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="\ufeff\ufffe\uffff"), min_size=1
    )
)
@settings(max_examples=200, deadline=None)
def test_quotes_around_characters_of_a_file_keep_the_text(text: str) -> None:
    source = Source(f"a: {text}")
    fix = quoted(Span(source, 3, len(source.text)))
    assert fix is not None
    assert value(fixed(source, fix)) == {"a": text}


PASTED = {
    'He said "hi": then left': 'He said "hi": then left',
    'it\'s: "a"': 'it\'s: "a"',
    '@home "it\'s"': '@home "it\'s"',
    '%d "it\'s" \\ a': '%d "it\'s" \\ a',
    '*bold* "words"': '*bold* "words"',
    '"He said "hi" and left"': 'He said "hi" and left',
    "'it's \"fine\"'": 'it\'s "fine"',
    "'a dog's life'": "a dog's life",
    "'dogs' life'": "dogs' life",
    '"He "said" \\"hi\\" there"': 'He "said" "hi" there',
    '"red" or "blue" bag': '"red" or "blue" bag',
    '"red" and "blue"': '"red" and "blue"',
    '"C:\\path\\to"': "C:\\path\\to",
    '"C:\\path it\'s"': "C:\\path it's",
    '"one\\n\\d "': "one\n\\d ",
    '[wide] a "street" it\'s': '[wide] a "street" it\'s',
    '{city} at "dawn"': '{city} at "dawn"',
    '> alone "on" the line': 'alone "on" the line',
    '“it\'s "a" thing”': 'it\'s "a" thing',
    'A bag #ff0000 it\'s "a"': 'A bag #ff0000 it\'s "a"',
    "{{ 'it' ~ \"s\" }}": "{{ 'it' ~ \"s\" }}",
    '{{ "a" }} # a comment': '{{ "a" }}',
    '"A {{ "{{" }} b"': 'A {{ "{{" }} b',
    '"{{ "%}" }} it\'s"': '{{ "%}" }} it\'s',
    '"{{ "it\'s" | replace("\'", "") }}"': '{{ "it\'s" | replace("\'", "") }}',
    "'{{ 'a' }} and \"b\"'": "{{ 'a' }} and \"b\"",
}
"""Values that are wrong for YAML, and the text that is meant."""


def finding(text: str) -> Diagnostic:
    (found,) = flowdsl.check(text)
    return found


@pytest.mark.parametrize(("wrong", "meant"), PASTED.items(), ids=map(str, range(len(PASTED))))
@pytest.mark.parametrize("line", ["  text: {}", "  text:   {}"], ids=["once", "wide"])
def test_the_line_that_a_hint_prints_is_pasted_as_it_is(wrong: str, meant: str, line: str) -> None:
    text = f"- step: SET\n{line.format(wrong)}\n"
    found = finding(text)
    assert found.hint is not None
    pasted = re.search(r"write (text: .*)", found.hint)
    assert pasted is not None, found.hint
    assert value(f"- step: SET\n  {pasted[1]}\n")[0]["text"] == meant
    (fix,) = found.fixes
    assert value(fixed(found.span.source, fix))[0]["text"] == meant


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("- {step: SET, text: {{ 1 }}}", '- {step: SET, text: "{{ 1 }}"}'),
        ("- {step: SET, text: {{ {a: 1}.a }}, b: 1}", '- {step: SET, text: "{{ {a: 1}.a }}", b: 1}'),
        ('- {step: SET, a: "x "y" z", b: "w"}', '- {step: SET, a: \'x "y" z\', b: "w"}'),
    ],
    ids=["alone", "more", "quotes"],
)
def test_a_line_in_brackets_is_printed_to_its_end(wrong: str, right: str) -> None:
    found = finding(f"{wrong}\n")
    assert found.hint == f"write {right}"
    assert fixed(found.span.source, found.fixes[0]) == f"{right}\n"


@pytest.mark.parametrize(("quote", "other"), ["\"'", "'\""], ids=["double", "single"])
def test_code_in_a_hint_has_the_quotes_that_fit_where_it_goes(quote: str, other: str) -> None:
    found = finding(f"- step: SET\n  text: {quote}a {{{{ b {quote}\n")
    assert found.hint == f"close it with `}}}}`; for a literal write `{{{{ {other}{{{{{other} }}}}`"
    found = finding(f"- step: SET\n  text: {quote}a {{{{ flowContext.b }}}}{quote}\n")
    assert found.hint is not None
    assert found.hint.endswith(f"`flowContext.b | default({other}{other})`")


@pytest.mark.parametrize("condition", ['flowContext.a == "x"', "flowContext.a == 'x'", "'flowContext.a == \"x\"'"])
def test_the_hint_for_a_condition_has_quotes_so_that_it_is_no_map(condition: str) -> None:
    text = f"flow:\n  - step: IF\n    condition: {condition}\n    then: [{{step: SET, text: b}}]\n"
    text = f"inputs: {{a: {{type: string}}}}\n{text}"
    found = finding(text)
    advised = re.search(r"write `(.*)` to compute it", found.hint or "")
    assert advised is not None
    for mended in (text.replace(condition, advised[1]), fixed(found.span.source, found.fixes[0])):
        assert "constant-condition" not in [each.code for each in flowdsl.check(mended)]
        assert isinstance(value(mended)["flow"][0]["condition"], str)


def test_a_long_line_is_told_in_words_which_quotes_it_needs() -> None:
    found = finding(f'- step: SET\n  text: it\'s {"long " * 60}: "x"\n')
    assert found.hint == "put the whole value in single quotes, and write '' for ' inside it"
    assert value(fixed(found.span.source, found.fixes[0]))[0]["text"].endswith(': "x"')


def test_a_line_with_a_secret_is_not_printed_in_quotes() -> None:
    (found, *_) = [each for each in flowdsl.check(TEXT_WITH_A_SECRET) if each.code == "unquoted-colon"]
    assert "secret" not in str(found.hidden().hint)


TEXT_WITH_A_SECRET = "- step: REST\n  url: https://u:sk-top\"secret'3@example.com: x\n"
