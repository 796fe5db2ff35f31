"""Texts of another language in the place of templates: one tree, one evaluation, marks and limits for both."""

import re

import pytest

from flowdsl import TemplateError
from flowdsl.engine.resolvers import is_constant
from flowdsl.source import Source
from flowdsl.syntax.node import Node
from flowdsl.template import SecretText, TemplateLimits, compile, parse, parse_expression
from flowdsl.template.foreign import ForeignText, called, parsed, wrong
from flowdsl.template.nodes import Literal, Member, Name, Output, Text
from flowdsl.template.problems import Mistake
from flowdsl.template.syntax import Reference


class Shouting:
    """`<name>` is a key of the FlowContext in capitals; a `!` is a mistake."""

    name = "shouting"

    def parse(self, text):
        if "!" in text:
            at = text.index("!")
            return wrong(text, Mistake("it is loud already", at, at + 1, "leave it out"))
        body, references, at = [], [], 0
        for found in re.finditer("<(.*?)>", text):
            body += [Text(text[at : found.start()])] if found.start() > at else []
            start, end = found.span(1)
            read = Member(Name("flowContext", start, end), Literal(found[1], start, end), end)
            body.append(Output(called("capitals", self.capitals, [read], start, end)))
            references.append(Reference("flowContext", (found[1],), start, end, False, False))
            at = found.end()
        body += [Text(text[at:])] if at < len(text) else []
        return parsed(text, body, references, calls_secret="secret" in text)

    def capitals(self, value):
        if not isinstance(value, str):
            raise TemplateError("only a text has capitals", hint="write a text")
        return value.upper()


LANGUAGE = Shouting()


def rendered(text, context, **options):
    return compile(parse(ForeignText(text, LANGUAGE)), strict=True, native=True, **options)(context, {})


@pytest.mark.parametrize("often", [1, 30])
def test_foreign_text_is_rendered_by_its_language_however_often(often):
    for _ in range(often):
        assert rendered("to {name} <city>", {"city": "Porto"}, placeholders=frozenset({"name"})) == "to {name} PORTO"


def test_the_same_text_as_a_template_is_another_one():
    text = "<city> {{ 1 + 1 }}"
    assert rendered(text, {"city": "Faro"}) == "FARO {{ 1 + 1 }}"
    assert compile(parse(text), strict=True)({"city": "Faro"}, {}) == "<city> 2"
    assert parse(ForeignText(text, LANGUAGE)) is parse(ForeignText(text, LANGUAGE))
    assert ForeignText(text, LANGUAGE) != text
    assert parse_expression(ForeignText("<city>", LANGUAGE)).references[0].path == ("city",)


def test_foreign_text_of_one_output_gives_its_value_and_says_what_it_reads():
    template = parse(ForeignText("<city>", LANGUAGE))
    assert template.is_native and not template.is_literal
    assert [(each.root, each.path, each.start) for each in template.references] == [("flowContext", ("city",), 1)]


def test_foreign_text_without_braces_is_no_constant():
    source = Source("a.yaml", "<city>")
    assert not is_constant(Node("scalar", ForeignText("<city>", LANGUAGE), source, 0, 6))


def test_foreign_text_keeps_the_marks_of_secrets():
    found = rendered("key <key>", {"key": SecretText("abc")}, taint=True)
    assert isinstance(found, SecretText) and found == "key ABC"


def test_foreign_text_has_the_limits_of_templates():
    with pytest.raises(TemplateError, match="too much text"):
        rendered("<city> <city>", {"city": "a" * 60}, limits=TemplateLimits(max_output=100))


def test_failure_of_a_foreign_function_stands_at_its_expression():
    with pytest.raises(TemplateError, match="only a text has capitals") as caught:
        rendered("a <city>", {"city": 3})
    assert (caught.value.start, caught.value.end, caught.value.hint) == (3, 7, "write a text")


def test_mistake_in_foreign_text_is_a_problem_of_its_template():
    problem = parse(ForeignText("loud!", LANGUAGE)).problems[0]
    assert (problem.message, problem.start, problem.hint) == ("it is loud already", 4, "leave it out")
