"""What reads the expressions of a grammar, and says in words what is wrong with one that cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from flowdsl.template.limits import DEFAULT_LIMITS, MAX_TOKENS
from flowdsl.template.problems import Mistake

if TYPE_CHECKING:
    from lark import Lark, Tree

_CLOSING = {"(": ")", "[": "]", "{": "}"}
_VALUES = {"NAME", "STRING", "NUMBER", "TRUE", "FALSE", "NULL"}
_LONGEST = 8 * MAX_TOKENS


@lru_cache
def _parser(grammar: str, starts: tuple[str, ...]) -> Lark:
    from lark import Lark  # only for documents that hold such expressions

    text = files(__package__).joinpath(f"{grammar}.lark").read_text(encoding="utf-8")
    return Lark(text, parser="lalr", propagate_positions=True, maybe_placeholders=False, start=list(starts))


class Grammar:
    """A grammar beside this module; `starts` are the rules that a text can be read by, and `habits` map what people
    write who know another language to a hint."""

    def __init__(self, name: str, starts: Iterable[str], habits: Mapping[str, str]) -> None:
        self._name = name
        self._starts = tuple(starts)
        self._habits = habits

    def tree(self, start: str, text: str, offset: int) -> Tree[Any]:
        """The tree of a text, read by the rule `start`; its places count from the beginning of the text.

        Raises:
            Mistake: it cannot be read, or is nested too deep. Its place is moved by `offset`.
        """
        from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

        if len(text) > _LONGEST:
            raise Mistake("this expression is too long to be read", offset, offset + len(text))
        parser = _parser(self._name, self._starts)
        try:
            tree = parser.parse(text, start=start)
        except UnexpectedCharacters as error:
            at = error.pos_in_stream or 0
            raise self._mistake(text, at, text[at : at + 2], {"$END", *(error.allowed or ())}, offset) from None
        except UnexpectedToken as error:
            token = error.token
            is_end = token.type == "$END"
            at = len(text.rstrip()) if is_end else int(token.start_pos or 0)
            accepted = set(error.accepts or error.expected)
            raise self._mistake(text, at, "" if is_end else str(token), accepted, offset) from None
        except UnexpectedInput as error:  # pragma: no cover  the two above are all that this parser raises
            raise Mistake(str(error), offset, offset + len(text)) from None
        _bounded(tree, offset)
        return tree

    def _mistake(self, text: str, at: int, found: str, expected: set[str], offset: int) -> Mistake:
        """What stands where it cannot, and what could."""
        opened = _left_open(text[:at])
        if not found and opened is not None:
            bracket, place = opened
            message = f"the `{bracket}` here is not closed"
            return Mistake(message, offset + place, offset + place + 1, f"add `{_CLOSING[bracket]}`")
        if found[:1] in ("'", '"') and text.count(found[0], at) == 1:
            return Mistake(f"the text that begins here is not closed with {found[0]}", offset + at, offset + len(text))
        shown = f"`{found if len(found) < 30 else found[:27] + '…'}`" if found else "the end"
        signs = (text[at : at + size] for size in (3, 2, 1))
        hint = self._habits.get(found) or next((self._habits[sign] for sign in signs if sign in self._habits), None)
        end = offset + at + max(1, len(found))
        return Mistake(f"found {shown}, expected {_in_words(expected, opened)}", offset + at, end, hint)


def _in_words(expected: set[str], opened: tuple[str, int] | None) -> str:
    if len(expected & _VALUES) > 1:
        return "a value"
    if expected & _VALUES:
        return "a name"
    if opened is None and "COLON" in expected and "$END" not in expected:
        return "an operator or `:`"
    return "an operator or the end" if opened is None else f"an operator or `{_CLOSING[opened[0]]}`"


def _left_open(text: str) -> tuple[str, int] | None:
    """The last bracket of a text that nothing closes, and where it stands."""
    stack: list[tuple[str, int]] = []
    quote, skipped = "", False
    for at, char in enumerate(text):
        if skipped:
            skipped = False
        elif quote:
            skipped, quote = char == "\\", "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char in "([{":
            stack.append((char, at))
        elif char in ")]}" and stack:
            stack.pop()
    return stack[-1] if stack else None


def _bounded(tree: Tree[Any], offset: int) -> None:
    """Raises: Mistake for a tree too deep to be walked."""
    from lark import Tree

    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > DEFAULT_LIMITS.max_depth // 2:
            start, end = place_of(level[0])
            limit = DEFAULT_LIMITS.max_depth // 2
            raise Mistake(f"this is nested deeper than {limit} levels", offset + start, offset + end)
        level = [child for each in level for child in each.children if isinstance(child, Tree)]


def place_of(tree: Tree[Any]) -> tuple[int, int]:
    """Where a tree begins and ends in the text that it was read from."""
    meta = tree.meta
    return (0, 1) if meta.empty else (meta.start_pos, meta.end_pos)
