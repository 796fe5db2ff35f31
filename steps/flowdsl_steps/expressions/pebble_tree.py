"""From the trees of Pebble's grammar to the nodes that templates have."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowdsl.nearest import nearest
from flowdsl.template import UNDEFINED
from flowdsl.template.foreign import called
from flowdsl.template.members import Method
from flowdsl.template.nodes import Arguments, Chain, Choice, DictOf, Filtered, Keyword, ListOf, Literal, Member, Name
from flowdsl.template.nodes import Unary as Sign
from flowdsl.template.problems import Mistake
from flowdsl.template.syntax import Reference
from flowdsl_steps.expressions import pebble_dates, pebble_lists  # noqa: F401  they bring filters
from flowdsl_steps.expressions import pebble_values as values
from flowdsl_steps.expressions.grammar import place_of
from flowdsl_steps.expressions.pebble_filters import FILTERS, OF_OTHERS, Filter
from flowdsl_steps.expressions.pebble_functions import FUNCTIONS, NOT_HERE, VARYING
from flowdsl_steps.expressions.pebble_grammar import GRAMMAR
from flowdsl_steps.expressions.pebble_names import output_key

if TYPE_CHECKING:
    from flowdsl.template.nodes import Node

_LOOP = {"index": "index0", "length": "length", "first": "first", "last": "last", "revindex": "revindex0"}
_QUOTED = re.compile(r"\\(['\"\\])")


class Builder:
    """Builds nodes of expressions, and takes note of what they read. `language` is Pebble itself, for `render`."""

    def __init__(self, language: Any) -> None:
        self.language = language
        self.references: list[Reference] = []
        self.calls_secret = False
        self._bound: list[str] = []
        self._offset = 0
        self._source = ""

    def output(self, text: str, offset: int, tag: tuple[int, int]) -> Node:
        """What `{{ text }}` prints, which stands at `offset`, its tag at `tag`.

        Raises:
            Mistake: it cannot be read.
        """
        if not text.strip():
            raise Mistake("there is nothing between the braces", *tag, "write a name or a value")
        tree = self._read("output", text, offset)
        return self._call("text", values.text_of, [self._node(tree.children[0])], tree.children[0])

    def condition(self, text: str, offset: int) -> Node:
        """The truth of what stands behind `if`."""
        return self._truth(self._read("condition", text, offset).children[0], lax=False)

    def assignment(self, text: str, offset: int) -> tuple[list[str], Node]:
        """The name that `set` sets, and its value."""
        name, value = self._read("assignment", text, offset).children
        node = self._node(value)
        self._bound.append(str(name))
        return [str(name)], node

    @contextmanager
    def loop(self, text: str, offset: int) -> Iterator[tuple[str, Node]]:
        """The name that `for` sets, and what it walks; inside, both the name and `loop` can be read."""
        name, value = self._read("loop", text, offset).children
        node = self._call("for", values.items, [self._node(value)], value)
        before = [*self._bound]
        self._bound += [str(name), "loop"]
        yield str(name), node
        self._bound = before

    def _read(self, start: str, text: str, offset: int) -> Any:
        tree = GRAMMAR.tree(start, text, offset)
        self._offset, self._source = offset, text
        return tree

    def _place(self, tree: Any) -> tuple[int, int]:
        start, end = (tree.start_pos, tree.end_pos) if hasattr(tree, "start_pos") else place_of(tree)
        return self._offset + start, self._offset + end

    def _shown(self, tree: Any) -> str:
        start, end = self._place(tree)
        return " ".join(self._source[start - self._offset : end - self._offset].split())

    def _call(self, name: str, function: Callable[..., Any], arguments: Sequence[Any], tree: Any) -> Node:
        return called(name, function, arguments, *self._place(tree))

    def _node(self, tree: Any, lax: bool = False) -> Node:
        """The node of a tree; with `lax` nothing in it needs to be there."""
        return _BUILDERS[tree.data](self, tree, lax)

    def _truth(self, tree: Any, lax: bool) -> Node:
        return self._call("condition", values.truth, [self._node(tree, lax)], tree)

    def text(self, tree: Any, lax: bool) -> Node:
        """A text in quotes: a backslash stands before a quote or a backslash, and is itself elsewhere."""
        written = str(tree.children[0])
        if written[0] == '"' and "#{" in written:
            raise Mistake("`#{…}` in a text is not read", *self._place(tree), "join texts with `~`")
        return Literal(_QUOTED.sub(r"\1", written[1:-1]), *self._place(tree))

    def number(self, tree: Any, lax: bool) -> Node:
        """A number."""
        written = str(tree.children[0]).removesuffix("L")
        if len(written) > 300:
            raise Mistake("the number has too many digits", *self._place(tree))
        return Literal(float(written) if "." in written else int(written), *self._place(tree))

    def constant(self, tree: Any, lax: bool) -> Node:
        """`true`, `false` or `null`."""
        return Literal({"true": True, "false": False, "null": None}[tree.data], *self._place(tree))

    def grouped(self, tree: Any, lax: bool) -> Node:
        """What stands in parentheses."""
        return self._node(tree.children[0], lax)

    def list_of(self, tree: Any, lax: bool) -> Node:
        """A list."""
        return ListOf([self._node(child, lax) for child in tree.children], *self._place(tree))

    def map_of(self, tree: Any, lax: bool) -> Node:
        """A map, whose keys are texts."""
        pairs = []
        for pair in tree.children:
            key, value = pair.children
            if key.data not in ("text", "number"):
                hint = f"write the key in quotes: `'{self._shown(key)}'`" if key.data == "name" else None
                raise Mistake("a key of a map is a text", *self._place(key), hint)
            literal = self._node(key)
            assert isinstance(literal, Literal)  # noqa: S101  both are
            pairs.append(Keyword(str(literal.value), self._node(value, lax), self._place(key)[0]))
        return DictOf(pairs, *self._place(tree))

    def path(self, tree: Any, lax: bool) -> Node:
        """A name with members behind it."""
        steps, base, path = [], tree, None
        while base.data in ("attribute", "subscript"):
            steps.append(base)
            base = base.children[0]
        if base.data == "name":
            node, path = self._root(base, steps)
        else:
            node = self._node(base, lax)
        for step in reversed(steps):
            node, key = self._member(node, step, base, lax)
            path = [*path, key] if path is not None and key is not None else path
            if key is None and path is not None:
                self._reads(path, tree, lax)
                path = None
        if path is not None:
            self._reads(path, tree, lax)
        if lax:
            return node
        return self._call("name", values.required, [node, self._shown(tree), *self._place(tree)], tree)

    def _root(self, base: Any, steps: list[Any]) -> tuple[Node, list[str] | None]:
        name, place = str(base.children[0]), self._place(base)
        if name in self._bound:
            return Name(name, *place), None
        if name == "outputs":
            return self._task_output(base, steps)
        if name == "inputs":
            return Name(name, *place), [name]
        return Member(Name("flowContext", *place), Literal(name, *place), place[1]), [name]

    def _task_output(self, base: Any, steps: list[Any]) -> tuple[Node, list[str] | None]:
        """The outputs of a task, which are a key of the FlowContext; takes the step that names the task."""
        first = steps[-1] if steps else None
        key: Any = None if first is None else first.children[1]
        if first is not None and first.data == "subscript":
            literal = self._node(key) if key.data == "text" else None
            key = literal.value if isinstance(literal, Literal) else None
        if first is None or key is None:
            raise Mistake("a task is named by its id here", *self._place(first or base), "write `outputs.ID`")
        steps.pop()
        place = self._place(first)
        name = output_key(str(key))
        return Member(Name("flowContext", *place), Literal(name, *place), place[1]), [name]

    def _reads(self, path: Sequence[str], tree: Any, lax: bool) -> None:
        root, *rest = path
        names = ("inputs", tuple(rest)) if root == "inputs" else ("flowContext", tuple(path))
        self.references.append(Reference(*names, *self._place(tree), lax, False))

    def _member(self, node: Node, step: Any, base: Any, lax: bool) -> tuple[Node, str | None]:
        """A member, and its name where that is constant."""
        end = self._place(step)[1]
        if step.data == "attribute":
            token = step.children[1]
            name = str(token)
            if isinstance(node, Name) and node.name == "loop":
                if name not in _LOOP:
                    hint = f"there are {', '.join(f'`loop.{each}`' for each in _LOOP)}"
                    raise Mistake(f"there is no `loop.{name}`", *self._place(step), hint)
                return Member(node, Literal(_LOOP[name], *self._place(token)), end), None
            return Member(node, Literal(name, *self._place(token)), end), name
        key = self._node(step.children[1], lax)
        name_of = str(key.value) if isinstance(key, Literal) and isinstance(key.value, (str, int)) else None
        return Member(node, key, end), name_of

    def method(self, tree: Any, lax: bool) -> Node:
        """A method, which is refused."""
        name = str(tree.children[1])
        known = next((each for each in FILTERS if each.lower() in (name.lower(), f"{name.lower()}case")), None)
        known = {"toUpperCase": "upper", "toLowerCase": "lower", "size": "length"}.get(name, known)
        hint = f"write the filter: `| {known}`" if known else "filters do such work: `value | upper`"
        raise Mistake(f"`{name}(…)` is a method, and none can be called", *self._place(tree), hint)

    def function(self, tree: Any, lax: bool) -> Node:
        """The call of a function."""
        token, *rest = tree.children
        name = str(token)
        known = FUNCTIONS.get(name)
        if known is None:
            near = nearest(name, FUNCTIONS)
            hint = NOT_HERE.get(name) or (f"did you mean `{near}`?" if near else f"there are {', '.join(FUNCTIONS)}")
            raise Mistake(f"there is no function `{name}`", *self._place(token), hint)
        arguments = self._arguments(name, known, rest, tree, lax)
        place = self._place(tree)
        if name in VARYING:
            self.references.append(Reference("flowContext", (), *place, True, False))
        if name == "currentEachOutput":
            self.references.append(Reference("flowContext", ("taskrun", "value"), *place, lax, False))
            run = Member(Name("flowContext", *place), Literal("taskrun", *place), place[1])
            return Member(arguments[0], Member(run, Literal("value", *place), place[1]), place[1])
        if name == "secret":
            self.calls_secret = True
            return self._call(name, known.function, [Name("secret", *place), *arguments[:1]], tree)
        if name == "kv":
            self.calls_secret = True
            read = [Name("kv", *place), Name("secret", *place)]
            return self._call(name, known.function, [*read, *arguments], tree)
        if name in ("render", "renderOnce"):
            self.references.append(Reference("inputs", (), *place, True, False))
            roots = [Keyword(root, Name(root, *place), place[0]) for root in ("flowContext", "inputs", "secret", "kv")]
            given = [self.language, name == "renderOnce", *arguments, DictOf(roots, *place)]
            return self._call(name, known.function, given, tree)
        return self._call(name, values.passing(known.function), arguments, tree)

    def filter(self, tree: Any, lax: bool) -> Node:
        """A filter."""
        value, token, *rest = tree.children
        name = str(token)
        if name == "default":
            given = self._arguments(name, Filter(values.is_empty, ("default",), 1), rest, tree, lax)
            return self._otherwise(self._call(name, _filled, [self._node(value, lax=True)], value), given[0], tree)
        known = FILTERS.get(name)
        if known is None:
            near = nearest(name, [*FILTERS, "default"])
            hint = OF_OTHERS.get(name) or (f"did you mean `{near}`?" if near else None)
            if hint is None and name in FUNCTIONS:
                hint = f"it is a function: `{name}({self._shown(value)})`"
            raise Mistake(f"there is no filter `{name}`", *self._place(token), hint)
        arguments = self._arguments(name, known, rest, tree, lax)
        return self._call(name, known.function, [self._node(value, lax), *arguments], tree)

    def _otherwise(self, value: Node, other: Any, tree: Any) -> Node:
        """A value, or another one where it is undefined."""
        start, end = self._place(tree)
        node = other if not isinstance(other, (str, int, float, bool, type(None))) else Literal(other, start, end)
        return Filtered(value, "default", Arguments([node], []), start, end)

    def _arguments(self, name: str, known: Filter, rest: Sequence[Any], tree: Any, lax: bool) -> list[Any]:
        """The arguments in the order of the parameters; null for one that is left out before another."""
        found: dict[str, Any] = {}
        names = known.parameters
        for at, each in enumerate(rest[0].children if rest else ()):
            if each.data == "named":
                key, value = str(each.children[0]), each.children[1]
                if key not in names:
                    there = f"it has {', '.join(f'`{one}`' for one in names)}" if names else "it takes none"
                    raise Mistake(f"`{name}` has no argument `{key}`", *self._place(each.children[0]), there)
            elif at >= len(names):
                raise Mistake(f"`{name}` takes {len(names) or 'no'} arguments", *self._place(each))
            else:
                key, value = names[at], each
            found[key] = self._node(value, lax)
        missing = next((key for key in names[: known.required] if key not in found), None)
        if missing is not None:
            raise Mistake(f"`{name}` needs `{missing}`", *self._place(tree), f"write `{name}({missing})`")
        if name in ("min", "max"):
            return [*found.values()]
        if name in FUNCTIONS and known is FUNCTIONS[name]:
            return [found.get(key, Literal(None, *self._place(tree))) for key in names]
        last = max((at for at, key in enumerate(names) if key in found), default=-1)
        return [found.get(key, Literal(None, *self._place(tree))) for key in names[: last + 1]]

    def when_null(self, tree: Any, lax: bool) -> Node:
        """`a ?? b`: b where a is null or missing."""
        left, right = tree.children
        value = self._call("??", _there, [self._node(left, lax=True)], left)
        return self._otherwise(value, self._node(right, lax), tree)

    def when_missing(self, tree: Any, lax: bool) -> Node:
        """`a ??? b`: b where a is missing."""
        left, right = tree.children
        value = self._call("???", _found, [self._node(left, lax=True)], left)
        return self._otherwise(value, self._node(right, lax), tree)

    def joined(self, tree: Any, lax: bool) -> Node:
        """`a ~ b`: both as one text."""
        return self._binary("~", values.passing(values.joined), tree, lax)

    def range(self, tree: Any, lax: bool) -> Node:
        """`a .. b`: the numbers from a to b."""
        return self._binary("..", values.counted, tree, lax)

    def contains(self, tree: Any, lax: bool) -> Node:
        """`a contains b`."""
        return self._binary("contains", values.contains, tree, lax)

    def is_in(self, tree: Any, lax: bool) -> Node:
        """`a isIn b`."""
        return self._binary("isIn", values.is_in, tree, lax)

    def _binary(self, sign: str, function: Callable[..., Any], tree: Any, lax: bool) -> Node:
        left, right = tree.children
        return self._call(sign, function, [self._node(left, lax), self._node(right, lax)], tree)

    def comparison(self, tree: Any, lax: bool) -> Node:
        """`==` and the like."""
        return self._signed(values.COMPARISONS, tree, lax)

    def arithmetic(self, tree: Any, lax: bool) -> Node:
        """`+ - * / %`."""
        return self._signed(values.ARITHMETIC, tree, lax)

    def _signed(self, functions: Mapping[str, Callable[..., Any]], tree: Any, lax: bool) -> Node:
        left, sign, right = tree.children
        arguments = [self._node(left, lax), self._node(right, lax)]
        return self._call(str(sign), functions[str(sign)], arguments, tree)

    def sign(self, tree: Any, lax: bool) -> Node:
        """A number with a sign."""
        sign, value = tree.children
        function = values.negative if sign == "-" else values.positive
        return self._call(str(sign), function, [self._node(value, lax)], tree)

    def negation(self, tree: Any, lax: bool) -> Node:
        """`not a`."""
        return Sign("not", self._truth(tree.children[0], lax), self._place(tree)[0])

    def either(self, tree: Any, lax: bool) -> Node:
        """`a or b`."""
        return Chain(["or"], [self._truth(child, lax) for child in tree.children])

    def both(self, tree: Any, lax: bool) -> Node:
        """`a and b`."""
        return Chain(["and"], [self._truth(child, lax) for child in tree.children])

    def choice(self, tree: Any, lax: bool) -> Node:
        """`a ? b : c`."""
        condition, value, other = tree.children
        asked = self._call("?", values.choice_truth, [self._node(condition, lax)], condition)
        return Choice(self._node(value, lax), asked, self._node(other, lax))

    def is_test(self, tree: Any, lax: bool) -> Node:
        """`a is empty`."""
        value, test = tree.children
        name = str(test.children[0]).lower() if str(test.children[0]).isupper() else str(test.children[0])
        function = values.TESTS.get(name)
        if function is None:
            near = nearest(name, values.TESTS)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(values.TESTS)}"
            raise Mistake(f"there is no test `{name}`", *self._place(test), hint)
        if len(test.children) > 1:
            raise Mistake(f"the test `{name}` takes no arguments", *self._place(test))
        return self._call(f"is {name}", function, [self._node(value, lax or name == "defined")], tree)

    def is_no_test(self, tree: Any, lax: bool) -> Node:
        """`a is not empty`."""
        return Sign("not", self.is_test(tree, lax), self._place(tree)[0])


def _there(value: Any) -> Any:
    return UNDEFINED if value is None or isinstance(value, Method) else value


def _found(value: Any) -> Any:
    return UNDEFINED if isinstance(value, Method) else value


def _filled(value: Any) -> Any:
    return UNDEFINED if isinstance(value, Method) or values.is_empty(value) else value


_SAME = ("text", "number", "grouped", "method", "function", "filter", "when_null", "when_missing", "joined", "range")
_ALSO = ("contains", "is_in", "comparison", "arithmetic", "sign", "negation", "either", "both", "choice", "is_test")
_BUILDERS: Mapping[str, Callable[[Builder, Any, bool], Node]] = {
    **{name: getattr(Builder, name) for name in (*_SAME, *_ALSO, "is_no_test")},
    **dict.fromkeys(("true", "false", "null"), Builder.constant),
    **dict.fromkeys(("name", "attribute", "subscript"), Builder.path),
    "list": Builder.list_of,
    "map": Builder.map_of,
}
