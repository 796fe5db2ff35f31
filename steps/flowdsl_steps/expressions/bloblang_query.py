"""Queries of Bloblang: what each rule of the grammar builds, a function over a `Scope`.

What is known of types before anything runs is looked at here: a literal operand of a type that cannot be is a mistake
of the text, as it is in the engine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from lark import Token, Transformer

from flowdsl.nearest import nearest
from flowdsl_steps.expressions import bloblang_operators as operators
from flowdsl_steps.expressions.bloblang_calls import FUNCTIONS, METHODS, RESCUES, SUBSET, Argument, Call
from flowdsl_steps.expressions.bloblang_nodes import Arguments, Assignment, Mistake, Named, Query, unquoted
from flowdsl_steps.expressions.bloblang_scope import Scope
from flowdsl_steps.expressions.bloblang_values import DELETED, NOTHING, TEXTS, Failed, kind, member, mismatch

_MOST_DIGITS = 18


class Build(Transformer[Token, Any]):
    """What each rule builds."""

    def mapping(self, parts: list[Any]) -> list[Assignment]:
        """The lines of a mapping; a query alone is what `root` becomes."""
        for part in parts:
            if isinstance(part, Query) and len(parts) > 1:
                message = "a line of a mapping assigns something"
                raise Mistake(message, part.start, part.end, "write `root = …`, or `root.name = …`")
        return [Assignment(part) if isinstance(part, Query) else part for part in parts]

    def assignment(self, parts: list[Any]) -> Assignment:
        """`root.a = query`; a bare `a` is `root.a`."""
        target, _, query = parts
        path = target.path
        if path is None or (path[0] == "this" and not target.is_plain):
            raise Mistake("nothing can be assigned to this", target.start, target.end, "write `root.name = …`")
        return Assignment(query, path[1:])

    def meta_assignment(self, parts: list[Any]) -> Assignment:
        """`meta key = query`."""
        *_, query = parts
        key = parts[1] if parts[1].type in ("NAME", "TEXT") else None
        name = None if key is None else unquoted(key) if key.type == "TEXT" else str(key)
        return Assignment(query, is_meta=True, key=name)

    def logic(self, parts: list[Any]) -> Query:
        """`&&` and `||`, left to right."""
        left, sign, right = parts
        for side in (left, right):
            _refuse(side, {"bool", "number", "unknown"}, f"`{sign}` takes bool values")
        return _binary(left, right, operators.logic(sign, left, right), "bool")

    def compared(self, parts: list[Any]) -> Query:
        """A comparison."""
        left, sign, right = parts
        if sign not in ("==", "!="):
            for side in (left, right):
                _refuse(side, {"number", *TEXTS, "unknown"}, f"`{sign}` compares numbers or texts")
            _agree(left, right, f"`{sign}` compares")
        return _binary(left, right, operators.compared(sign, left, right), "bool")

    def added(self, parts: list[Any]) -> Query:
        """`+`: numbers, or texts."""
        left, _, right = parts
        for side in (left, right):
            _refuse(side, {"number", *TEXTS, "unknown"}, "`+` adds numbers or joins texts")
        _agree(left, right, "`+` adds")
        known = next((side.kind for side in (left, right) if side.kind != "unknown"), "unknown")
        return _binary(left, right, operators.added(left, right), "string" if known in TEXTS else known)

    def either(self, parts: list[Any]) -> Query:
        """`|`: the right side where the left one fails or is null."""
        left, _, right = parts
        same = left.kind if left.kind == right.kind else "unknown"
        return _binary(left, right, operators.either(left, right), same)

    def negated(self, parts: list[Any]) -> Query:
        """`!`."""
        sign, query = parts
        _refuse(query, {"bool", "unknown"}, "`!` takes a bool value")
        return Query(operators.negated(query), sign.start_pos, query.end, query.origin, "bool", inner=[query])

    def negative(self, parts: list[Any]) -> Query:
        """`-` before a number."""
        sign, query = parts
        _refuse(query, {"number", "unknown"}, "`-` takes a number")
        run = operators.negative(query)
        literal = query.is_literal
        return Query(run, sign.start_pos, query.end, query.origin, "number", inner=[query], is_literal=literal)

    def field(self, parts: list[Any]) -> Query:
        """`.name`."""
        target, token = parts
        return _field(target, token, str(token)[1:].lstrip().rpartition("\n")[2].strip())

    def quoted_field(self, parts: list[Any]) -> Query:
        """`."name"`."""
        target, token = parts
        return _field(target, token, unquoted(token, token.index('"')))

    def method(self, parts: list[Any]) -> Query:
        """`.name(…)`."""
        target, token, arguments = parts
        name = str(token)[1:].rpartition("\n")[2].strip()
        start = token.end_pos - len(name)
        if name in RESCUES:
            return _rescue(target, name, arguments, start)
        call = METHODS.get(name)
        if call is None:
            raise _unknown("method", name, [*METHODS, *RESCUES], start, f".{name}()")
        if call.target:
            _refuse(target, {*call.target, "unknown"}, f"`.{name}()` works on texts")
        given = _given(call, name, arguments, start)
        gives = call.gives or (target.kind if target.kind in call.target else "unknown")

        def run(scope: Scope) -> Any:
            value = target.run(scope)
            values = [each.run(scope) for each in given]
            scope.tick()
            return call.run(value, target.origin, *_fitting(call, name, given, values))

        return Query(run, target.start, arguments.end, f"method `{name}`", gives, inner=[target, *given])

    def function(self, parts: list[Any]) -> Query:
        """`name(…)`."""
        token, arguments = parts
        name, start = str(token), token.start_pos
        call = FUNCTIONS.get(name)
        if call is None:
            raise _unknown("function", name, FUNCTIONS, start, f"{name}()")
        given = _given(call, name, arguments, start)

        def run(scope: Scope) -> Any:
            values = [each.run(scope) for each in given]
            return call.run(scope, *_fitting(call, name, given, values))

        return Query(run, start, arguments.end, f"function `{name}`", call.gives or "unknown", inner=given)

    def arguments(self, parts: list[Any]) -> Arguments:
        """What stands in the brackets of a call."""
        *_, last = parts
        return Arguments([part for part in parts if not isinstance(part, Token)], last.end_pos)

    def named(self, parts: list[Any]) -> Named:
        """`name: query`."""
        label, query = parts
        return Named(str(label)[:-1], query)

    def integer(self, parts: list[Any]) -> Query:
        """A whole number."""
        (token,) = parts
        if len(token) > _MOST_DIGITS:
            raise Mistake("the number is too large", token.start_pos, token.end_pos)
        return _literal(token, int(token))

    def decimal(self, parts: list[Any]) -> Query:
        """A number with a fraction."""
        return _literal(parts[0], float(parts[0]))

    def text(self, parts: list[Any]) -> Query:
        """A text in quotes."""
        return _literal(parts[0], unquoted(parts[0]))

    def raw_text(self, parts: list[Any]) -> Query:
        """A text in three quotes, without escapes."""
        return _literal(parts[0], str(parts[0])[3:-3])

    def word(self, parts: list[Any]) -> Query:
        """`true`, `false`, `null`."""
        return _literal(parts[0], {"true": True, "false": False, "null": None}[str(parts[0])])

    def this(self, parts: list[Any]) -> Query:
        """The message as a value."""
        return Query(Scope.this, parts[0].start_pos, parts[0].end_pos, "field `this`", path=("this",))

    def root(self, parts: list[Any]) -> Query:
        """What the mapping has made so far."""

        def run(scope: Scope) -> Any:
            return None if scope.root is NOTHING or scope.root is DELETED else scope.root

        return Query(run, parts[0].start_pos, parts[0].end_pos, "field `root`", path=("root",))

    def name(self, parts: list[Any]) -> Query:
        """A bare name: a field of `this`."""
        (token,) = parts
        name = str(token)
        at = token.start_pos, token.end_pos, f"field `this.{name}`"
        return Query(lambda scope: member(scope.this(), [name]), *at, path=("this", name), is_plain=True)

    def metadata(self, parts: list[Any]) -> Query:
        """`@key`, of any type, with the changes of the mapping; `@` alone is all of it."""
        (token,) = parts
        key = str(token)[1:]
        name = unquoted(token, 1) if key.startswith('"') else key

        def run(scope: Scope) -> Any:
            return scope.metadata.get(name) if key else dict(scope.metadata)

        return Query(run, token.start_pos, token.end_pos, f"metadata `{name}`")

    def bracketed(self, parts: list[Any]) -> Query:
        """`(query)`."""
        opening, query, closing = parts
        at = opening.start_pos, closing.end_pos, query.origin, query.kind
        return Query(query.run, *at, inner=[query], is_literal=query.is_literal)

    def array(self, parts: list[Any]) -> Query:
        """A list."""
        opening, *items, closing = parts

        def run(scope: Scope) -> Any:
            found = [item.run(scope) for item in items]
            return [value for value in found if value is not DELETED and value is not NOTHING]

        return Query(run, opening.start_pos, closing.end_pos, "array literal", "array", inner=items)

    def literal_map(self, parts: list[Any]) -> Query:
        """A map."""
        opening, *pairs, closing = parts

        def run(scope: Scope) -> Any:
            found = {}
            for key, query in pairs:
                name, value = key.run(scope), query.run(scope)
                if not isinstance(name, str):
                    raise mismatch("string", name, key.origin)
                if value is not DELETED and value is not NOTHING:
                    found[name] = value
            return found

        inner = [query for pair in pairs for query in pair]
        return Query(run, opening.start_pos, closing.end_pos, "object literal", "object", inner=inner)

    def pair(self, parts: list[Any]) -> tuple[Query, Query]:
        """A key and its value."""
        key, query = parts
        _refuse(key, {"string", "unknown"}, "a key is a text")
        return key, query

    def block(self, parts: list[Any]) -> Query:
        """`{ query }`."""
        query: Query
        _, query, closing = parts
        query.end = closing.end_pos
        return query

    def conditional(self, parts: list[Any]) -> Query:
        """`if q { a } else if r { b } else { c }`; without `else` it gives nothing."""
        start = parts[0].start_pos
        queries = [part for part in parts if isinstance(part, Query)]
        otherwise = queries.pop() if len(queries) % 2 else None
        choices = list(zip(queries[::2], queries[1::2], strict=True))
        for condition, _ in choices:
            _refuse(condition, {"bool", "null", "unknown"}, "`if` takes a bool value")
        inner = [*queries, *([otherwise] if otherwise else [])]
        return Query(operators.conditional(choices, otherwise), start, inner[-1].end, "if expression", inner=inner)


def _literal(token: Token, value: Any) -> Query:
    found = kind(value)
    start = token.start_pos or 0
    return Query(lambda scope: value, start, start + len(token), f"{found} literal", found, is_literal=True)


def _field(target: Query, token: Token, name: str) -> Query:
    origin = f"{target.origin[:-1]}.{name}`" if target.origin.startswith("field") else f"field `{name}`"
    path = None if target.path is None else (*target.path, name)
    run = target.run
    end = token.end_pos or target.end
    return Query(
        lambda scope: member(run(scope), [name]),
        target.start,
        end,
        origin,
        inner=[target],
        path=path,
        is_plain=target.is_plain,
    )


def _binary(left: Query, right: Query, run: Callable[[Scope], Any], gives: str) -> Query:
    return Query(run, left.start, right.end, left.origin, gives, inner=[left, right])


def _refuse(query: Query, kinds: set[str], wanted: str) -> None:
    """Refuses a part whose type is known and none of these."""
    if query.kind not in kinds:
        raise Mistake(f"{wanted}, and this is {_a(query.kind)}", query.start, query.end)


def _agree(left: Query, right: Query, does: str) -> None:
    """Refuses a number beside a text."""
    kinds = {"text" if side.kind in TEXTS else side.kind for side in (left, right)} - {"unknown"}
    if len(kinds) > 1:
        wrong = left if left.kind == "number" else right
        message = f"{does} two numbers or two texts, not {_a(left.kind)} and {_a(right.kind)}"
        instead = f'"{wrong.run(None)}"' if wrong.is_literal and wrong.end - wrong.start < _MOST_DIGITS else None  # type: ignore[arg-type]  # a literal reads nothing
        hint = f"write the number as a text: `{instead}`" if instead else "`.string()` makes a text of any value"
        raise Mistake(message, wrong.start, wrong.end, hint, instead)


def _a(found: str) -> str:
    return {"array": "an array", "object": "an object", "null": "null", "bytes": "bytes"}.get(found, f"a {found}")


def _unknown(what: str, name: str, names: Any, start: int, shown: str) -> Mistake:
    near = nearest(name, names)
    hint = f"did you mean `{near}`? {SUBSET}" if near else SUBSET
    return Mistake(f"unrecognised {what} `{shown}`", start, start + len(name), hint, near)


def _given(call: Call, name: str, arguments: Arguments, start: int) -> list[Query]:
    """The arguments of a call in the order in which it takes them."""
    named = [each for each in arguments.queries if isinstance(each, Named)]
    placed = [each for each in arguments.queries if isinstance(each, Query)]
    if named and placed:
        raise Mistake("arguments have names, or none of them has", start, arguments.end)
    if call.many:
        return placed
    names = [argument.name for argument in call.arguments]
    if named:
        by_name = {each.name: each.query for each in named}
        odd = next((each for each in by_name if each not in names), None)
        if odd is not None:
            raise Mistake(f"`{name}` has no argument `{odd}`", start, arguments.end, f"it takes {_listed(names)}")
        placed = [by_name[each] for each in names if each in by_name]
    least = sum(not argument.optional for argument in call.arguments)
    if not least <= len(placed) <= len(names):
        takes = _listed(names) if names else "none"
        raise Mistake(
            f"`{name}` has {len(placed)} argument{'s' * (len(placed) != 1)} here, and takes {takes}",
            start,
            arguments.end,
        )
    for argument, query in zip(call.arguments, placed, strict=False):
        if argument.kinds:
            _refuse(query, {*argument.kinds, "unknown"}, f"`{argument.name}` of `{name}` is a text")
    return placed


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _fitting(call: Call, name: str, given: Sequence[Query], values: list[Any]) -> list[Any]:
    """The values of arguments, when they are of their types."""
    for argument, query, value in zip(call.arguments, given, values, strict=False):
        _check(argument, query, value, name)
    return values


def _check(argument: Argument, query: Query, value: Any, name: str) -> None:
    if argument.kinds and kind(value) not in argument.kinds:
        raise Failed(f"{name}: argument {argument.name}: {mismatch('string', value, query.origin)}")


def _rescue(target: Query, name: str, arguments: Arguments, start: int) -> Query:
    """`.or(query)` and `.catch(query)`."""
    placed = [each.query if isinstance(each, Named) else each for each in arguments.queries]
    if len(placed) != 1:
        raise Mistake(f"`{name}` has {len(placed)} arguments here, and takes 1", start, arguments.end)
    (other,) = placed
    run = operators.rescued(target, other, on_null=name == "or")
    return Query(run, target.start, arguments.end, f"method `{name}`", inner=[target, other])
