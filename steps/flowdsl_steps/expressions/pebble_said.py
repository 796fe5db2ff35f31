"""Expressions of Pebble in the words of templates of this language, each with the kind of its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowdsl.secrets.plain import names_secret
from flowdsl.template.nodes import Output, Text
from flowdsl.template.problems import Mistake
from flowdsl_steps.expressions import pebble_kinds as kinds
from flowdsl_steps.expressions.pebble_expression import (
    BOTH,
    CHOICE,
    COMPARED,
    EITHER,
    FILTERED,
    JOINED,
    MEMBER,
    NEGATED,
    SUM,
    Expression,
    quoted,
)
from flowdsl_steps.expressions.pebble_functions import VARYING
from flowdsl_steps.expressions.pebble_kinds import TEXT, TRUTH, WHOLE
from flowdsl_steps.expressions.pebble_said_calls import called, filtered, refusal
from flowdsl_steps.expressions.pebble_said_values import IDENTIFIER, PRINTED, Values

_MOST_RENDERED = 10


class Speaker(Values):
    """Says the expressions of one text."""

    def of(self, tree: Any) -> Expression:
        """The expression of a tree."""
        say = _SAYING.get(tree.data)
        if say is None:
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart in a template of this language")
        return say(self, tree)

    def parts(self) -> list[Expression]:
        """The parts of the text, each an expression that is a part of it.

        Raises:
            Mistake: one of them has no counterpart here, or a tag is among them.
        """
        found: list[Expression] = []
        for statement in self._read(self._text):
            if isinstance(statement, Text):
                words = statement.text
                literal = Expression(quoted(words), kinds.constant(words), MEMBER, 0, 0, words, is_literal=True)
                found.append(literal)
            elif isinstance(statement, Output) and (each := self.at(statement.expression)).within(*PRINTED):
                found.append(each)
            else:
                raise Mistake("this has no counterpart as a part of a text", 0, len(self._text))
        return found

    # calls

    def arguments(self, rest: Any) -> list[Expression]:
        """The arguments of a call, which go by their places."""
        given = rest[0].children if rest else ()
        for each in given:
            if each.data == "named":
                raise self.refused(each, "an argument with a name is not converted", "give it by its place")
        return [self.of(each) for each in given]

    def function(self, tree: Any) -> Expression:
        """The call of a function."""
        name, arguments = str(tree.children[0]), self.arguments(tree.children[1:])
        if name in ("secret", "kv"):
            return self.secret(tree, name, arguments)
        if name in ("render", "renderOnce") and len(arguments) == 1:
            return self.rendered(tree, arguments[0], once=name == "renderOnce")
        found = called(name, arguments)
        if found is None:
            hint = "declare an input, and read that" if name in VARYING else "write what it gives"
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart in a template of this language", hint)
        return self.made(tree, *found)

    def filter(self, tree: Any) -> Expression:
        """A filter."""
        value, name, arguments = self.of(tree.children[0]), str(tree.children[1]), self.arguments(tree.children[2:])
        if name == "default" and len(arguments) == 1:
            return self._filled(tree, value, arguments[0])
        if value.within("undefined"):
            return value
        found = filtered(value, name, arguments)
        if found is None:
            raise self.refused(tree, *refusal(value, name))
        return self.made(tree, *found, may_lack=value.may_lack)

    def _filled(self, tree: Any, value: Expression, other: Expression) -> Expression:
        """`default`: for a text of blanks too."""
        if not value.within("text", "null"):
            return self.otherwise(tree, value, other)
        code = f"{value.tight(FILTERED)} | default('')" if value.may_lack else value.tight(JOINED)
        whole = f"{value.tight(EITHER)} if {code} | trim else {other.code}"
        return self.made(tree, whole, kinds.united((TEXT, other.kind)), CHOICE)

    def secret(self, tree: Any, name: str, arguments: list[Expression]) -> Expression:
        """`secret('X')`; where a key stands, a stored value is one too."""
        variable = arguments[0].constant if len(arguments) == 1 else None
        if name == "kv" and not names_secret(self.place.key):
            hint = "declare an input, and read that: values of a store become secrets in a key alone"
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", hint)
        if variable is None or IDENTIFIER.fullmatch(variable) is None:
            hint = "write a name of letters, digits and `_` in quotes, and nothing behind it"
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", hint)
        return self.made(tree, f"secret('{variable}')", TEXT, MEMBER)

    def rendered(self, tree: Any, of: Expression, *, once: bool) -> Expression:
        """A text that is itself one of Pebble, whose words are known: joined from its parts."""
        words = of.kind.values[0] if of.kind is not None and of.kind.values and len(of.kind.values) == 1 else None
        if not isinstance(words, str) or self._rendering >= _MOST_RENDERED:
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", "write its text in its place")
        inner = Speaker(words, self.place, self._read)
        inner._rendering = self._rendering + 1
        try:
            parts = inner.parts()
        except Mistake:
            raise self.refused(tree, f"`{self.shown(tree)}` holds what has no counterpart here",
                               "write its text in its place") from None  # fmt: skip
        if not once and not all(map(_is_stable, parts)):
            hint = "write `renderOnce`, or its text in its place"
            raise self.refused(tree, f"`{self.shown(tree)}` renders what it gives as well", hint)
        code = " ~ ".join(part.tight(FILTERED) for part in parts) or "''"
        return self.made(tree, code, TEXT, JOINED if len(parts) > 1 else max([part.level for part in parts], default=0))

    # operators

    def when_null(self, tree: Any) -> Expression:
        """`a ?? b` and `a ??? b`."""
        left, right = map(self.of, tree.children)
        return self.otherwise(tree, left, right, null=tree.data == "when_null")

    def otherwise(self, tree: Any, left: Expression, right: Expression, *, null: bool = True) -> Expression:
        """One expression where another one is missing, or null."""
        if left.kind is None:
            raise left.refused(f"whether `{left.shown}` is there is known in the run alone", "give it a type")
        if left.within("undefined"):
            return right._replace(start=left.start, end=right.end)
        may_be_null = null and "null" in left.kind.names
        kind = left.kind._replace(names=left.kind.names - {"null"}) if may_be_null else left.kind
        if may_be_null and not kind.names:
            return right
        united = kinds.united((kind, right.kind))
        if may_be_null:
            code = f"{right.tight(EITHER)} if {left.tight(JOINED)} is none else {left.tight(EITHER)}"
            return self.made(tree, code, united, CHOICE)
        if not left.may_lack:
            return left
        return self.made(tree, f"{left.tight(FILTERED)} | default({right.code})", united, FILTERED)

    def joined(self, tree: Any) -> Expression:
        """`a ~ b`."""
        left, right = map(self.of, tree.children)
        for each in (left, right):
            if not each.within("text", "whole", "truth"):
                raise each.refused(f"`~` prints `{each.shown}` in another way here", "give it a type, or another value")
        parts = [each.code if each.level in (*range(SUM), JOINED) else f"({each.code})" for each in (left, right)]
        parts[1] = f"({right.code})" if right.level == JOINED else parts[1]
        return self.made(tree, " ~ ".join(parts), TEXT, JOINED)

    def arithmetic(self, tree: Any) -> Expression:
        """`+ - * %` of whole numbers, and `+` of texts."""
        left, sign, right = self.of(tree.children[0]), str(tree.children[1]), self.of(tree.children[2])
        code = f"{left.tight(FILTERED)} {sign} {right.tight(FILTERED)}"
        if left.within("whole") and right.within("whole"):
            known = right.kind.values if right.kind is not None else None
            if sign in ("+", "-", "*") or (sign == "%" and known is not None and 0 not in known):
                return self.made(tree, code, WHOLE, SUM)
        if sign == "+" and (left.within("text") or right.within("text")) and all(
            each.within("text", "whole", "truth") for each in (left, right)
        ):  # fmt: skip
            return self.made(tree, code, TEXT, SUM)
        raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here",
                           "`+`, `-` and `*` of whole numbers are converted, and `+` of texts")  # fmt: skip

    def comparison(self, tree: Any) -> Expression:
        """`==` and the like, of two values of the same kind."""
        left, sign, right = self.of(tree.children[0]).sure(), str(tree.children[1]), self.of(tree.children[2]).sure()
        sign = "==" if sign == "equals" else sign
        if sign in ("==", "!=") and right.within("null") and left.kind is not None:
            word = "is none" if sign == "==" else "is not none"
            return self.made(tree, f"{left.tight(JOINED)} {word}", TRUTH, COMPARED)
        names = ("text", "whole", "truth")
        alike = any(left.within(name, "null") and right.within(name) for name in names)
        if not alike or (sign not in ("==", "!=") and not (left.within("whole") and right.within("whole"))):
            hint = "values of the same kind are converted: two texts, two whole numbers, true and false"
            raise self.refused(tree, f"`{self.shown(tree)}` compares in another way here", hint)
        return self.made(tree, f"{left.tight(JOINED)} {sign} {right.tight(JOINED)}", TRUTH, COMPARED)

    def contains(self, tree: Any) -> Expression:
        """`a contains b`, of a text, a list of texts, or a map by the value of an iteration."""
        whole, part = (self.of(child).sure() for child in tree.children)
        item = whole.kind.item if whole.kind is not None else None
        is_list = whole.within("list") and item is not None and any(
            item.within(name) and part.within(name) for name in ("text", "whole")
        )  # fmt: skip
        if not part.within("text", "whole") or not (is_list or (part.within("text") and whole.within("text"))):
            hint = "a text in a text, and an item of a list of texts or whole numbers, are converted"
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", hint)
        return self.made(tree, f"{part.tight(JOINED)} in {whole.tight(JOINED)}", TRUTH, COMPARED)

    def sign(self, tree: Any) -> Expression:
        """A whole number with a sign."""
        sign, value = str(tree.children[0]), self.of(tree.children[1])
        if not value.within("whole"):
            raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", "whole numbers have a sign here")
        return self.made(tree, f"{sign}{value.tight(MEMBER)}", WHOLE, SUM)

    def negation(self, tree: Any) -> Expression:
        """`not a`."""
        return self.made(tree, f"not {self._truth(tree.children[0]).tight(FILTERED)}", TRUTH, NEGATED)

    def logic(self, tree: Any) -> Expression:
        """`a and b`, `a or b`."""
        level, word = (BOTH, "and") if tree.data == "both" else (EITHER, "or")
        parts = [self._truth(child) for child in tree.children]
        return self.made(tree, f" {word} ".join(part.tight(level) for part in parts), TRUTH, level)

    def _truth(self, tree: Any) -> Expression:
        found = self.of(tree).sure()
        if not found.within("truth"):
            raise found.refused(f"`{found.shown}` is not surely true or false", "compare it: `… == 'x'`")
        return found

    def choice(self, tree: Any) -> Expression:
        """`a ? b : c`."""
        asked, value, other = map(self.of, tree.children)
        asked.sure()
        if not asked.within("truth", "text", "whole", "null"):
            raise asked.refused(f"`{asked.shown}` is not surely true or false", "compare it: `… == 'x'`")
        code = f"{value.tight(EITHER)} if {asked.tight(EITHER)} else {other.code}"
        return self.made(tree, code, kinds.united((value.kind, other.kind)), CHOICE)

    def is_test(self, tree: Any) -> Expression:
        """`a is null`, `a is defined`, `a is empty`."""
        value, test = self.of(tree.children[0]), str(tree.children[1].children[0]).lower()
        negated = "not " if tree.data == "is_no_test" else ""
        if value.kind is not None and test in ("null", "none"):
            return self.made(tree, f"{value.tight(JOINED)} is {negated}none", TRUTH, COMPARED)
        if value.kind is not None and test == "defined" and value.code:
            return self.made(tree, f"{value.tight(JOINED)} is {negated}defined", TRUTH, COMPARED)
        if value.within("whole") and test in ("even", "odd"):
            return self.made(tree, f"{value.tight(JOINED)} is {negated}{test}", TRUTH, COMPARED)
        if test == "empty" and value.within("text", "null"):
            sign = "!=" if negated else "=="
            return self.made(tree, f"{value.tight(FILTERED)} | trim {sign} ''", TRUTH, COMPARED)
        if test == "empty" and value.within("list"):
            sign = ">" if negated else "=="
            return self.made(tree, f"{value.tight(FILTERED)} | length {sign} 0", TRUTH, COMPARED)
        raise self.refused(tree, f"`{self.shown(tree)}` has no counterpart here", "compare it: `… == 'x'`")


def _is_stable(part: Expression) -> bool:
    """Whether a part of a text is surely none of Pebble, which would be rendered again."""
    if part.kind is not None and part.kind.values is not None:
        return not any("{" in each for each in part.kind.values if isinstance(each, str))
    return part.within("whole", "truth") or part.code in ("flowContext.flow.id", "flowContext.flow.namespace")


_SAME = ("text", "number", "grouped", "name", "function", "filter", "when_null", "joined", "arithmetic")
_ALSO = ("comparison", "contains", "sign", "negation", "choice", "is_test")
_SAYING: Mapping[str, Callable[[Speaker, Any], Expression]] = {
    **{name: getattr(Speaker, name) for name in (*_SAME, *_ALSO)},
    **dict.fromkeys(("true", "false", "null"), Speaker.constant),
    **dict.fromkeys(("attribute", "subscript"), Speaker.member),
    **dict.fromkeys(("either", "both"), Speaker.logic),
    "is_no_test": Speaker.is_test,
    "when_missing": Speaker.when_null,
    "list": Speaker.list_of,
    "map": Speaker.map_of,
}
