"""What people write into JSON that is none: comments, and a comma behind the last item."""

from __future__ import annotations

import re

from flowdsl import Diagnostic, Edit, Fix, Source, Span

_JSON = re.compile(r'\s*(?://|/\*|(?:[\[{]\s*)+(?:"|//|/\*))')
"""How a text begins that is JSON and not YAML in brackets: with a quoted key, or a comment that YAML has not."""
_TOKEN = re.compile(
    r"""
    (?P<text>   "(?:\\.|[^"\\])*" )
  | (?P<comment> //[^\n]* | /\*.*?(?:\*/|\Z) | \#[^\n]* )
  | (?P<comma>  ,(?=(?:\s|//[^\n]*|/\*.*?\*/|\#[^\n]*)*[}\]]) )
    """,
    re.VERBOSE | re.DOTALL,
)


def json_mistakes(source: Source) -> tuple[list[Diagnostic], bool]:
    """The comments and commas in a file that no reader of JSON takes, and whether its values can be read nevertheless:
    those of a text with comments cannot. Nothing is found in a file that is YAML."""
    if _JSON.match(source.text) is None:
        return [], True
    found, readable = [], True
    for token in _TOKEN.finditer(source.text):
        span = Span(source, *token.span())
        if token["comma"]:
            fix = Fix("remove the comma", (Edit(span, ""),), safe=True)
            message = "JSON has no comma behind the last item"
            found.append(Diagnostic("json-syntax", message, span, hint="remove the comma", fixes=(fix,)))
        elif token["comment"]:
            readable = False
            line = span._replace(end=span.start + len(token[0].partition("\n")[0].rstrip()))
            fix = Fix("remove the comment", (Edit(span, ""),))
            message = "JSON has no comments"
            found.append(Diagnostic("json-syntax", message, line, hint="remove the comment", fixes=(fix,)))
    return found, readable
