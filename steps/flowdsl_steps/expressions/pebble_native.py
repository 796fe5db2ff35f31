"""Texts of Pebble as templates of this language, where one means exactly the same.

Whether there is one follows from the kinds of the values (`pebble_kinds`): both languages print texts, whole numbers,
and true and false alike, and both do the same to them in the operators and filters that `pebble_said` and
`pebble_said_calls` have. Whatever else there is ends in a Mistake at its place, which says what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from flowdsl.template.foreign import Place
from flowdsl.template.nodes import For, If, Output, Set, Statement, Text
from flowdsl.template.problems import Mistake
from flowdsl_steps.expressions.pebble_expression import FILTERED, JOINED, Expression, quoted
from flowdsl_steps.expressions.pebble_kinds import Kind, shielded
from flowdsl_steps.expressions.pebble_said import Speaker
from flowdsl_steps.expressions.pebble_said_values import Read

Said = Callable[[Expression], str | None]
_SECRETS = re.compile(r"\b(secret|kv)\(\s*['\"](\w+)['\"]")


def native(text: str, place: Place, read: Read) -> str:
    """The template of a text.

    Raises:
        Mistake: there is none with the same meaning.
    """
    writer, body = _Writer(text, place, read), read(text)
    if all(isinstance(each, (Text, Output)) for each in body):
        return _joined([*map(writer.part, body)])
    return writer.body(body)


def _joined(parts: Sequence[str | Expression]) -> str:
    """Parts of a text one behind the other: words, and expressions, of which one alone, also between blanks, would be a
    template that gives its value as it is."""
    words = [each if isinstance(each, str) else each.constant for each in parts]
    outputs = [each for each, word in zip(parts, words, strict=True) if word is None and isinstance(each, Expression)]
    if len(outputs) != 1 or any(word is not None and word.strip() for word in words):
        shown = (_braces_shielded(word) if word is not None else None for word in words)
        return "".join(
            f"{{{{ {_printed(each)} }}}}" if word is None and isinstance(each, Expression) else word or ""
            for each, word in zip(parts, shown, strict=True)
        )
    at = words.index(None)
    before, behind = "".join(filter(None, words[:at])), "".join(filter(None, words[at + 1 :]))
    code = _as_text(outputs[0])
    if before or behind:
        code = code if _is_tight(outputs[0]) else f"({code})"
        code = " ~ ".join([*[quoted(before)] * bool(before), code, *[quoted(behind)] * bool(behind)])
    return f"{{{{ {code} }}}}"


def _is_tight(found: Expression) -> bool:
    """Whether the text of an expression is one that needs no parentheses between two `~`."""
    return found.level <= FILTERED and "null" not in _known(found).names


def native_value(text: str, place: Place, read: Read, said: Said, hint: str) -> str:
    """The template of a property that is no text; `said` makes its expression of that of the text, and `hint` says what
    can be written where there is none.

    Raises:
        Mistake: there is none with the same meaning.
    """
    body = read(text)
    if len(body) == 1 and isinstance(body[0], Output):
        found = said(Speaker(text, place, read).at(body[0].expression))
        if found is not None:
            return f"{{{{ {found} }}}}"
    raise Mistake("this has no counterpart in a template of this language", 0, len(text), hint)


def note(text: str) -> str | None:
    """What is to be said of the secrets that a text reads."""
    found = _SECRETS.search(text)
    if found is None:
        return None
    function, name = found.groups()
    if function == "kv":
        return f"{name} is read from the environment: --kv and [kv] of flowdsl.toml are not read"
    return f"{name} is read from the environment as it is: Kestra's SECRET_{name.upper()}, in base64, is not read"


def _braces_shielded(words: str) -> str:
    return re.sub(r"\{\{+|\{(?=[%#]|\Z)", lambda found: shielded(found[0]), words)


def _known(found: Expression) -> Kind:
    """The kind of what is printed.

    Raises:
        Mistake: the two languages may print it differently.
    """
    kind = found.kind
    if kind is not None and "fraction" in kind.names:
        raise found.refused(f"`{found.shown}` may be printed with other digits here", "write it as a text")
    if kind is None or not (kind.within("list", "map") or kind.within("text", "whole", "truth", "null")):
        message = f"what `{found.shown}` holds is known in the run alone, and may be printed in another way here"
        raise found.refused(message, "give it a type, such as `STRING`, or take it out")
    return kind


def _as_text(found: Expression) -> str:
    """An expression that alone is a template, which gives its value as it is: here as a text."""
    kind = _known(found)
    code = _printed(found)
    if not kind.within("text", "null") and not kind.within("list", "map"):
        code = f"{found.tight(FILTERED)} | string"
    return f"'' if {found.tight(JOINED)} is none else {code}" if "null" in kind.names else code


def _printed(found: Expression) -> str:
    """An expression in the middle of a text."""
    return f"{found.tight(FILTERED)} | json" if _known(found).within("list", "map") else found.code


class _Writer:
    """Writes the statements of a text as a template."""

    def __init__(self, text: str, place: Place, read: Read) -> None:
        self._text = text
        self._speaker = Speaker(text, place, read)
        self.expression = self._speaker.at

    def part(self, statement: Statement) -> str | Expression:
        """A statement that is words or an expression."""
        if isinstance(statement, Output):
            return self.expression(statement.expression)
        assert isinstance(statement, Text)  # noqa: S101  no other is asked for
        return statement.text

    def body(self, body: Sequence[Statement]) -> str:
        """The statements one behind the other."""
        return "".join(map(self._statement, body))

    def _statement(self, statement: Statement) -> str:
        if isinstance(statement, Text):
            return _braces_shielded(statement.text)
        if isinstance(statement, Output):
            found = self.expression(statement.expression)
            return _braces_shielded(found.constant) if found.constant is not None else f"{{{{ {_printed(found)} }}}}"
        if isinstance(statement, If):
            return self._choice(statement)
        if isinstance(statement, For):
            return self._loop(statement)
        if isinstance(statement, Set):
            (name,) = statement.names
            value = self.expression(statement.value) if statement.value is not None else None
            if value is not None:
                self._speaker.bind(name, value.kind, value)
                return f"{{% set {name} = {value.code} %}}"
        raise Mistake("this tag has no counterpart in a template of this language", 0, len(self._text))

    def _choice(self, statement: If) -> str:
        parts = list[str]()
        for condition, body in statement.branches:
            word = "elif" if parts else "if"
            if condition is None:
                parts.append(f"{{% else %}}{self.body(body)}")
                continue
            asked = self.expression(condition).sure()
            if asked.kind is None or not asked.kind.within("text", "whole", "truth"):
                message = f"whether `{asked.shown}` is true is another question in a template of this language"
                raise Mistake(message, asked.start, asked.end, "compare it: `… == 'x'`")
            parts.append(f"{{% {word} {asked.code} %}}{self.body(body)}")
        return "".join(parts) + "{% endif %}"

    def _loop(self, statement: For) -> str:
        items = self.expression(statement.items)
        kind = items.kind
        if kind is None or not kind.within("list"):
            message = f"a loop over `{items.shown}` is another one in a template of this language"
            raise Mistake(message, items.start, items.end, "loops over lists are converted")
        (name,) = statement.names
        with self._speaker.loop(name, kind.item, items):
            body = self.body(statement.body)
        other = f"{{% else %}}{self.body(statement.otherwise)}" if statement.otherwise else ""
        return f"{{% for {name} in {items.code} %}}{body}{other}{{% endfor %}}"
