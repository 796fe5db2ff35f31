"""What can be wrong with a template's text, and how it is said."""

from __future__ import annotations

from typing import Any, Final, NamedTuple


class TemplateProblem(NamedTuple):
    """A mistake in a template; `start` and `end` are offsets into its text."""

    code: str
    message: str
    start: int
    end: int
    hint: str | None = None


class Mistake(Exception):  # noqa: N818  never leaves the package
    """Ends the parsing of a template at its first mistake."""

    def __init__(self, message: str, start: int, end: int, hint: str | None = None) -> None:
        super().__init__(message)
        self.problem = TemplateProblem("template-syntax", message, start, end, hint)


_WORDS: Final = {
    "NAME": "a name",
    "NUMBER": "a number",
    "STRING": "a text",
    "REGEX": "a pattern",
}
_STARTS: Final = frozenset({"NAME", "NUMBER", "STRING", "(", "["})
_JINJA: Final = {
    "&": "write `and`",
    "^": "there is no `^`; for powers write `**`",
    "?": "write `value if condition else other`",
    ";": "one expression only; statements are not templates",
    "`": "write the text in quotes and join with `~`",
    "@": "names are letters, digits, `_` and `$`",
    "#": "a comment is written `{# … #}`",
    "\\": "a backslash belongs inside quotes",
}


def _shown(text: str) -> str:
    text = " ".join(text.split())
    return f"`{text if len(text) <= 40 else text[:37] + '…'}`"


def _expectation(expected: set[str]) -> str:
    if expected >= _STARTS:
        return "a value"
    operators = expected & {"+", "*", "==", "and", "|"}
    words = [_WORDS.get(word, f"`{word}`") for word in sorted(expected - {"END"}) if word in _WORDS or len(word) > 0]
    if len(operators) == 5:
        closing = [f"`{word}`" for word in (")", "]", "}", ",", ":") if word in expected]
        return " or ".join(["an operator", *closing, *(["the end"] if "END" in expected else [])])
    return " or ".join(words + (["the end"] if "END" in expected else []))


def unexpected(token: tuple[str, Any, int, int], before: tuple[str, Any, int, int] | None, text: str, expected: set[str]) -> Mistake:
    """The mistake of a token that cannot stand where it does."""
    kind, _value, start, end = token
    found = "the end of the expression" if kind == "END" else _shown(text[start:end])
    message = f"found {found}, expected {_expectation(expected)}"
    return Mistake(message, start, end, _hint(token, before, text, expected))


def _hint(token: tuple[str, Any, int, int], before: tuple[str, Any, int, int] | None, text: str, expected: set[str]) -> str | None:
    kind, value, start, end = token
    if kind == "=":
        return "compare with `==`" + ("" if before is None else "; to set a name write `{% set name = value %}`")
    if kind == "NUMBER" and before is not None and before[0] == ".":
        return f"write `[{text[start:end]}]` for an item of a list"
    if kind in (":", ",") and "END" in expected:
        return "slices and tuples do not exist; a list is written `[a, b]`"
    if kind in (".", "[", "(") and before is not None and _after_filter(text, before[2]):
        return "put the filter and its value in parentheses: `(value | filter).name`"
    if before is not None and before[0] in ("NAME", "STRING", "NUMBER", ")", "]") and kind in ("NAME", "STRING", "NUMBER"):
        if text[:start].rstrip().endswith(("is " + str(before[1]), "is not " + str(before[1]))):
            return f"write the test's argument in parentheses: `{before[1]}({text[start:end]})`"
        return "join values with `~`, or separate arguments with `,`"
    if kind == "END" and before is None:
        return "write a name or value between the braces"
    if kind in ("true", "false", "none", "NUMBER") and expected >= {"STRING", "}"} and "NUMBER" not in expected:
        return "write the key in quotes"
    return None


def _after_filter(text: str, at: int) -> bool:
    return text[:at].rstrip().endswith("|")


def strange(text: str, at: int) -> Mistake:
    """The mistake of a character that begins nothing."""
    char = text[at]
    if char in "\"'":
        return Mistake(f"the text that begins here is not closed with {char}", at, len(text), f"add {char}")
    hint = _JINJA.get(char)
    if char == "?":
        hint = spelled_choice(text, at) or hint
    return Mistake(f"found `{char}`, which means nothing here", at, at + 1, hint)


def spelled_choice(text: str, at: int) -> str | None:
    """The inline-if that says what `a ? b : c` means."""
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
