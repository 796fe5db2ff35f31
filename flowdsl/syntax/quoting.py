"""Texts as YAML: in quotes wherever they would not read back as they are. Hints print what these give, fixes write it.

A fix for characters that stand in the file sets only the quotes and escapes: it repeats none of the text, which may
hold a secret.
"""

from __future__ import annotations

import re
from itertools import islice
from typing import Any, Final

from flowdsl.diagnostics import Edit, Fix
from flowdsl.source import Span
from flowdsl.syntax.core_schema import plain_value

_PLAIN = r"[A-Za-z0-9_./][\w./ -]{0,200}(?<! )"  # not compiled here: only a file with mistakes needs it
_LINE_ENDS_AND_CONTROLS = "[\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]"
_MOST = 1_000
"""How many quotes of one text get escapes, at most."""
_SHOWN = 200
"""How many characters a line may have to be written in a hint."""
Quote = str
"""`\"` or `'`."""
ESCAPED: Final = {'"': '\\"', "'": "''"}
"""How a quote is written between quotes of its own kind."""

_KINDS: Final = {'"': "double", "'": "single"}
TEXTS: Final = r"'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\""
"""A pattern of quoted texts."""
ESCAPES: Final = r"\\(?:[0abtnvfreNLP_ \"/\\]|x[0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8})"
"""A pattern of what a backslash begins between double quotes."""


def written(value: Any, style: Quote | None = None) -> str:
    """A value as YAML of one line that reads back as it: a text plain where it can be, or in quotes, those of `style`
    where it is one of them."""
    if not isinstance(value, str):
        return _json(value)
    if style not in ESCAPED and re.fullmatch(_PLAIN, value) and plain_value(value) == value:
        return value
    return in_quotes(value, style)


def in_quotes(text: str, style: Quote | None = None) -> str:
    """A text in quotes that reads back as the same text: those of `style`, or those that need fewer escapes.

    Line ends and controls need double quotes, whatever `style` says.
    """
    if re.search(_LINE_ENDS_AND_CONTROLS, text):
        return _json(text)
    quote = style if style in ESCAPED else quote_for(text)
    return f"{quote}{''.join(_escaped(char, quote) for char in text)}{quote}"


def quote_for(text: str) -> Quote:
    """The quotes that go around a text with fewer escapes in it."""
    return "'" if text.count("'") < text.count('"') + text.count("\\") else '"'


def quoted(at: Span, *, before: str = "", after: str = "", title: str = "put it in quotes") -> Fix | None:
    """Quotes around characters of one line that have none, with a text `before` and `after` them inside the quotes."""
    quote = quote_for(f"{before}{at.text}{after}")
    inner = _requoted(at, None, quote)
    if "\n" in at.text or inner is None or any(sign in before + after for sign in "'\"\\"):
        return None
    ends = Edit(at._replace(end=at.start), quote + before), Edit(at._replace(start=at.end), after + quote)
    return Fix(title, (ends[0], *inner, ends[1]), not before + after)


def requoted(at: Span, *, raw: bool = False) -> tuple[str, Fix] | None:
    """A text of one line with its quotes around it, and inside it quotes that are no end of it or backslashes that
    escape nothing: as it was meant, and the fix that writes it so. None where it cannot be told.

    `raw`: every backslash is meant as it is.
    """
    text, own = at.text[1:-1], at.text[:1]
    style = None if raw else own
    meant = text.replace("''", "'") if style == "'" else text
    quote = own if style == '"' and "\\" in text else quote_for(meant)  # escapes mean something in double quotes only
    inner = _requoted(at._replace(start=at.start + 1, end=at.end - 1), style, quote)
    if "\n" in text or inner is None:
        return None
    edits = list(inner)
    if quote != own:
        edits = [Edit(at._replace(end=at.start + 1), quote), *inner, Edit(at._replace(start=at.end - 1), quote)]
    shown, end = [], at.start
    for edit in edits:
        shown += [at.source.text[end : edit.span.start], edit.text]
        end = edit.span.end
    shown.append(at.source.text[end : at.end])
    return "".join(shown), Fix("write the quotes and backslashes as they are meant", tuple(edits), safe=raw)


def to_quote(at: Span) -> str:
    """What to say of characters of one line that must be in quotes: the line as it must be, or that in words."""
    quote = quote_for(at.text)
    words = f"put the whole value in {_KINDS[quote]} quotes"
    for sign in (quote, "\\") if quote == '"' else (quote,):
        if sign in at.text:
            words += f", and write {_escaped(sign, quote)} for {sign} inside it"
    return words if re.search(_LINE_ENDS_AND_CONTROLS, at.text) else entry(at, in_quotes(at.text), words)


def entry(at: Span, shown: str, words: str = "put the whole value in quotes that do not stand in it") -> str:
    """The line of a value as it must be, without its indentation; only `words` where the line is long, or holds a
    secret that escapes would not hide."""
    line, col = at.source.line(at.first.line), at.first.col - 1
    if len(line) > _SHOWN or any(start < at.end and end > at.start for start, end in at.source.secrets):
        return words
    return f"write {line[:col].lstrip()}{shown}{line[col + at.end - at.start :].rstrip()}"


def beside_quotes(hint: str, at: Span) -> str:
    """A hint whose code can be written at a place: inside a quoted text of the file it has the other quotes."""
    line, col = at.source.line(at.first.line), at.first.col - 1
    around = next((found[0][0] for found in re.finditer(TEXTS, line) if found.start() < col < found.end()), None)
    if around is None:
        return hint
    other = "'" if around == '"' else '"'

    def code(found: re.Match[str]) -> str:
        stays = other in found[0] or "=" in found[0]  # what stands in a settings file or a program
        return found[0] if stays else found[0].replace(around, other)

    return re.sub(r"`(?![\w.]+: )[^`]*`", code, hint)


def _requoted(at: Span, style: Quote | None, quote: Quote) -> list[Edit] | None:
    """The edits that make what stands between quotes of one style, or without any, stand between others."""
    signs = r"['\"\\]"
    tokens = {"'": f"''|{signs}", '"': f"{ESCAPES}|{signs}", None: signs}[style]
    edits = []
    for found in islice(re.finditer(tokens, at.text), _MOST + 1):
        token = found[0]
        meant = token if style == '"' and len(token) > 1 else _escaped(token[-1], quote)
        if meant != token:
            edits.append(Edit(Span(at.source, at.start + found.start(), at.start + found.end()), meant))
    return edits if len(edits) <= _MOST else None


def _escaped(char: str, quote: Quote) -> str:
    if char == quote:
        return ESCAPED[quote]
    return "\\\\" if char == "\\" and quote == '"' else char


def _json(value: Any) -> str:
    import json  # only a file with mistakes needs it

    text = json.dumps(value, ensure_ascii=False)
    return re.sub(_LINE_ENDS_AND_CONTROLS, lambda found: f"\\u{ord(found[0]):04x}", text)
