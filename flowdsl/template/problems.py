"""What can be wrong with a template's text, and how it is said."""

from __future__ import annotations

import re
from typing import Any, Final

from flowdsl.record import Record


class TemplateProblem(Record):
    """A mistake in a template; `start` and `end` are offsets into its text, `instead` is what would be right there."""

    code: str
    message: str
    start: int
    end: int
    hint: str | None = None
    instead: str | None = None


class Mistake(Exception):
    """Ends the parsing of a template at its first mistake."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.problem = TemplateProblem("template-syntax", message, start, end, hint)


Token = tuple[str, Any, int, int]

_SIGNS: Final = {
    "&": "write `and`",
    "^": "there is no `^`; for powers write `**`",
    "?": "write `value if condition else other`",
    ";": "one expression only; statements are not templates",
    "`": "write the text in quotes and join with `~`",
    "@": "names are letters, digits, `_` and `$`",
    "#": "a comment is written `{# … #}`",
    "\\": "a backslash belongs inside quotes",
}
CURLED: Final = {**dict.fromkeys("‘’‚‛", "'"), **dict.fromkeys("“”„‟«»", '"')}
"""Quotes of typography, and those of code."""
_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}
_VALUES: Final = ("NAME", "NUMBER", "STRING", ")", "]", "}")


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return f"`{text if len(text) <= 40 else text[:37] + '…'}`"


def _expectation(before: Token | None, expected: set[str]) -> str:
    closing = [f"`{word}`" for word in (")", "]", "}", ",", ":") if word in expected]
    end = ["the end"] if "END" in expected else []
    if expected >= {"NAME", "NUMBER", "("}:
        return "a value"
    if expected >= {"and", "or", "if"} and "STRING" not in expected:
        return " or ".join(["an operator", *closing, *end])
    if "STRING" in expected:
        return " or ".join(["a key", *closing])
    if "NAME" in expected:
        kind = before[0] if before else "|"
        return {"|": "the name of a filter", "is": "the name of a test", "not": "the name of a test"}.get(
            kind, "a name"
        )
    return " or ".join([*closing, *(f"`{word}`" for word in sorted(expected & {"in", "(", "="})), *end])


def unexpected(token: Token, before: list[Token], text: str, expected: set[str]) -> Mistake:
    """The mistake of a token that cannot stand where it does, after the tokens before it."""
    kind, _value, start, end = token
    last = before[-1] if before else None
    found = "the end of the expression" if kind == "END" else _shown(text[start:end])
    hint = _hint(token, before, text, expected)
    if hint is None and kind == "END" and (opened := _left_open(before)) is not None:
        hint = f"the `{opened}` is not closed: add `{_CLOSING[opened]}`"
    return Mistake(f"found {found}, expected {_expectation(last, expected)}", start, end, hint)


def _left_open(tokens: list[Token]) -> str | None:
    """The last bracket that nothing closes."""
    stack: list[str] = []
    for kind, *_ in tokens:
        if kind in _CLOSING:
            stack.append(kind)
        elif stack and kind == _CLOSING[stack[-1]]:
            stack.pop()
    return stack[-1] if stack else None


def _hint(token: Token, tokens: list[Token], text: str, expected: set[str]) -> str | None:
    kind, _value, start, end = token
    before = tokens[-1] if tokens else None
    if "=>" in (text[start : start + 2], text[start - 1 : end]):
        return "functions cannot be written here; filters such as `pluck`, `selectattr` and `find` do their work"
    if kind == "=":
        return "compare with `==`" + ("; to set a name write `{% set name = value %}`" if before else "")
    if kind == ":" and ("]" in expected or (before is not None and before[0] == "[")):
        return "there are no slices; write `.slice(from, to)`"
    if kind == "," and before is not None and before[0] == "NAME" and (name := re.match(r"[A-Za-z_]\w*", text[end:])):
        return f"a member stands behind a dot: `{before[1]}.{name[0]}`"
    if kind == "," and ")" in expected:
        return "a list is written `[a, b]`"
    if kind == "{" and start == 1 and text[0] == "{":
        return "leave the braces out: this already is an expression"
    if before is None:
        if kind == "END":
            return "write a name or value between the braces" if text[:start].rstrip().endswith("{{") else None
        return f"tags are written `{{% {kind} … %}}`" if kind in ("if", "else") else None
    return _hint_after(token, tokens, text, expected)


def _hint_after(token: Token, tokens: list[Token], text: str, expected: set[str]) -> str | None:
    kind, _value, start, end = token
    before = tokens[-1]
    shown = text[start:end]
    of = tokens[-2][0] if len(tokens) > 1 else ""
    if kind == ":" and of == "|" and before[0] == "NAME":
        return f"write arguments in parentheses: `{before[1]}(…)`"
    if kind == "NUMBER" and before[0] == ".":
        return f"write `[{shown}]` for an item of a list"
    if kind in (".", "[") and of == "|":
        return "put the filter and its value in parentheses: `(value | filter).name`"
    if kind in ("true", "false", "none", "NUMBER") and "STRING" in expected and "NUMBER" not in expected:
        return "write the key in quotes"
    if kind == "NAME" and before[0] == "NAME" and of == ".":
        whole = f"{before[1]} {shown}"
        return f"read a name with a blank in it with brackets: `['{whole}']` in place of `.{whole}`"
    if before[0] in _VALUES and kind in ("NAME", "STRING", "NUMBER", "(", "{"):
        if of in ("|", "is", "not"):
            return f"write arguments in parentheses: `{before[1]}({shown})`"
        if len(tokens) == 1 and before[1] in ("for", "set", "elif", "endif", "endfor"):
            return f"tags are written `{{% {before[1]} … %}}`"
        if "END" in expected or "," in expected:
            return "join values with `~`, or separate arguments with `,`"
    return None


def strange(text: str, at: int) -> Mistake:
    """The mistake of the character at the offset `at`, which begins nothing."""
    char = text[at]
    if char in "\"'":
        return Mistake(f"the text that begins here is not closed with {char}", at, len(text), f"add {char}")
    hint = _SIGNS.get(char)
    if char in CURLED:
        hint = f"write the quotes of code: `{CURLED[char]}`"
    if char == "?":
        hint = spelled_choice(text, at) or hint
    shown = "a backtick" if char == "`" else f"`{char}`"
    return Mistake(f"found {shown}, which means nothing here", at, at + 1, hint)


def spelled_choice(text: str, at: int) -> str | None:
    """The hint for the `?` at the offset `at`: what says the same as `?.` and `??`, and for `a ? b : c` the inline-if.

    None without a `:` on the same line, or without a condition in front of it.
    """
    if text[at : at + 2] == "?.":
        return "write `.`: a member of nothing is nothing here, so `?.` is not needed"
    if text[at : at + 2] == "??":
        return "write `value | default(other)`"
    opening = max(text.rfind("{{", 0, at), text.rfind("{%", 0, at), text.rfind("(", 0, at) - 1)
    begin = opening + 2 if opening >= 0 else 0
    closings = [p for p in (text.find("}}", at), text.find("%}", at)) if p >= 0]
    end = min(closings, default=len(text))
    condition, rest = text[begin:at].strip(" -\n"), text[at + 1 : end]
    value, colon, other = rest.partition(":")
    for tag in ("if ", "elif ", "set "):
        condition = condition.removeprefix(tag)
    if not colon or not condition or "\n" in condition + rest:
        return None
    return f"write `{value.strip()} if {condition} else {other.strip(' -')}`"
