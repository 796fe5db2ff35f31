"""From text to template: text and tags here, expressions in `lalr`.

Templates of literal text and plain references (`{{ flowContext.title }}`) never reach the expression parser.
"""

from __future__ import annotations

import re
from typing import Final

from flowdsl.template.cache import Cache
from flowdsl.template.foreign import ForeignText
from flowdsl.template.nodes import Body, Output, Statement, Text
from flowdsl.template.plain import plain_output, reference
from flowdsl.template.syntax import BUILTIN_NAMES, Reference, Template

_OUTPUT: Final = re.compile(r"\{\{[^{}'\"`\\%#]*\}\}")
_TAG: Final = re.compile(r"\{[{%#]")


def parse(text: str) -> Template:
    """The template of a text; mistakes are in its `problems`."""
    return templates[text]


def _parse(text: str) -> Template:
    if text.__class__ is not str and isinstance(text, ForeignText):
        return text.parsed()
    tag = _TAG.search(text)
    if tag is None:
        return Template(text, True, False, (), (), False, None)
    if "{%" in text or "{#" in text:
        return _parse_fully(text)
    references, outputs, at = list[Reference](), list[tuple[int, Template]](), tag.start()
    first, pieces, calls_secret = at, 0, False
    while tag is not None:
        at = tag.start()
        plain = plain_output(text, at)
        if plain is None:
            alone = _output_alone(text, at)
            if alone is None or pieces > 1000:
                return _parse_fully(text)
            references += [one._replace(start=one.start + at, end=one.end + at) for one in alone.references]
            outputs.append((at, alone))
            calls_secret = calls_secret or alone.calls_secret
            at += len(alone.text)
        else:
            root, path = plain.group(1, 2)
            if pieces > 1000:
                return _parse_fully(text)  # it knows the limits
            if root not in BUILTIN_NAMES:
                start = plain.start(1)
                names = tuple(path[1:].split(".")) if path else ()
                references.append(Reference(root, names, start, plain.end(2), False, False))
            at = plain.end()
        pieces += 1
        tag = _TAG.search(text, at)
    native = pieces == 1 and not text[:first].strip() and not text[at:].strip()
    return Template(text, False, native, (), tuple(references), calls_secret, None, False, tuple(outputs))


def _output_alone(text: str, at: int) -> Template | None:
    """The template of an output as if it stood alone: the same expression is often part of many texts.

    None when it is the whole text, has mistakes, or its end can only be found by a full parse.
    """
    output = _OUTPUT.match(text, at)
    if output is None or len(output[0]) == len(text):
        return None
    alone = parse(output[0])
    return None if alone.problems else alone


def _parse_fully(text: str) -> Template:
    from flowdsl.template.tags import parse_template

    return parse_template(text)


def parse_expression(text: str) -> Template:
    """The template of a bare expression, without braces; statements are refused as problems."""
    return expressions[text]


def _parse_bare(text: str) -> Template:
    if isinstance(text, ForeignText):
        return text.parsed()
    from flowdsl.template.bare import parse_bare

    return parse_bare(text)


def body_of(template: Template) -> Body:
    """The statements of a template without problems."""
    if template.body is not None:
        return template.body
    text, body, at = template.text, list[Statement](), 0
    if not template.is_literal:
        for tag in _TAG.finditer(text):
            plain = plain_output(text, tag.start())
            if plain is None:
                return _parse_fully(text).body or []
            if plain.start() > at:
                body.append(Text(text[at : plain.start()]))
            body.append(Output(reference(plain)))
            at = plain.end()
    if at < len(text):
        body.append(Text(text[at:]))
    return body


templates: Final = Cache(8192, _parse)
expressions: Final = Cache(2048, _parse_bare)
"""Templates and bare expressions by their text."""
