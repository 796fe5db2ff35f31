"""Types of template expressions: walks the tree of a template in a state, as its compiled form would run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from flowdsl.checker.flow.narrowing import narrowed
from flowdsl.checker.names.template_use import Part
from flowdsl.checker.types import operands, results
from flowdsl.checker.types.kinds import (
    ALL,
    ANY,
    FUNCTION,
    OF_BOOLEAN,
    OF_NUMBER,
    OF_TEXT,
    SECRET,
    UNDEFINED,
    Type,
    join,
    joined_list,
    map_of,
    of_value,
    with_secret,
    without,
)
from flowdsl.template.nodes import (
    Binary,
    Body,
    Call,
    Chain,
    Choice,
    DictOf,
    FilterBlock,
    Filtered,
    For,
    If,
    ListOf,
    Literal,
    Member,
    Name,
    Node,
    Output,
    Set,
    Switch,
    Tested,
    Unary,
)
from flowdsl.template.values import property_key

if TYPE_CHECKING:
    from flowdsl.checker.names.name_table import NameTable
    from flowdsl.checker.names.template_use import Use
    from flowdsl.template import Template


_COUNTS = ("index", "index0", "revindex", "revindex0", "length")
LOOP: Final = map_of({**dict.fromkeys(_COUNTS, OF_NUMBER), "first": OF_BOOLEAN, "last": OF_BOOLEAN})
"""What `loop` is inside `{% for %}`."""


class Inference:
    """Walks one template in one state, and adds to the findings of its names.

    `bound` are the names that its own tags set, with their types. The methods take a part of the tree and give its
    type; `lax` says that undefined is harmless there, `called` that the value is called as a function.
    """

    def __init__(self, names: NameTable, use: Use) -> None:
        self.names = names
        self.use = use
        self.bound: dict[str, Type] = {}

    def template(self, template: Template) -> Type:
        """The type of what the template gives."""
        body = template.body or []
        if template.is_native:
            output = next(statement for statement in body if isinstance(statement, Output))
            found = self.expr(output.expression, self.use.lax)
            if found.kinds & ALL == FUNCTION and not template.is_expression:
                self.names.printed(found, self.use, output.expression.start, output.expression.end)
            undefined = found.kinds & UNDEFINED and not found.is_any
            return join(without(found, UNDEFINED), OF_TEXT) if undefined and self.names.lenient else found
        secret = self.body(body)
        return with_secret(OF_TEXT) if secret else OF_TEXT

    def body(self, body: Body) -> bool:
        """Walks statements; whether a secret is printed among them."""
        secret = False
        for statement in body:
            if isinstance(statement, Output):
                found = self.expr(statement.expression, False)
                self.names.printed(found, self.use, statement.expression.start, statement.expression.end)
                secret |= bool(found.kinds & SECRET)
            elif isinstance(statement, If):
                secret |= self.branches(statement)
            elif isinstance(statement, For):
                secret |= self.loop(statement)
            elif isinstance(statement, Set):
                if statement.value is not None:
                    value = self.expr(statement.value, False)
                    if len(statement.names) > 1:
                        operands.check_shared(self, statement.names, statement.value, value)
                else:
                    value = with_secret(OF_TEXT) if self.body(statement.body) else OF_TEXT
                self.bound.update(dict.fromkeys(statement.names, value))
            elif isinstance(statement, Switch):
                secret |= self.switch(statement)
            elif isinstance(statement, FilterBlock):
                inner = self.body(statement.body)
                self.bound[""] = with_secret(OF_TEXT) if inner else OF_TEXT
                secret |= bool(self.expr(statement.filtered, False).kinds & SECRET)
                del self.bound[""]
        return secret

    def branches(self, statement: If) -> bool:
        """Walks `if`: each body with what its condition says and those before it deny; whether it prints a secret."""
        around, before = self.use.state, dict(self.bound)
        secret, after = False, dict(self.bound)
        for condition, inner in statement.branches:
            state = self.use.state
            if condition is not None:
                self.expr(condition, True)
                self.use.state = narrowed(state, condition, True)
            self.bound = dict(before)
            secret |= self.body(inner)
            after.update(
                {name: ANY for name in self.bound if name not in before or before[name] is not self.bound[name]}
            )
            self.use.state = state if condition is None else narrowed(state, condition, False)
        self.use.state, self.bound = around, after
        return secret

    def loop(self, statement: For) -> bool:
        """Walks `for`, whose body keeps what it sets; whether it prints a secret."""
        items = self.expr(statement.items, False)
        operands.check_items(self, statement.items, items)
        before = dict(self.bound)
        self.bound["loop"] = LOOP
        single = results.item_of(items) if len(statement.names) == 1 else ANY
        self.bound.update(dict.fromkeys(statement.names, single))
        secret = self.body(statement.body)
        self.bound = dict(before)
        secret |= self.body(statement.otherwise)
        self.bound = {name: ANY if self.bound.get(name) is not value else value for name, value in before.items()}
        return secret or bool(items.kinds & SECRET)

    def switch(self, statement: Switch) -> bool:
        """Walks `switch`; whether it prints a secret."""
        self.expr(statement.subject, True)
        before, secret = dict(self.bound), False
        after = dict(self.bound)
        for body in (*(inner for _, inner in statement.cases), statement.otherwise):
            self.bound = dict(before)
            secret |= self.body(body)
            after.update({name: ANY for name in self.bound if name not in before})
        for case, _ in statement.cases:
            self.expr(case, False)
        self.bound = after
        return secret

    def expr(self, node: Node, lax: bool, called: bool = False) -> Type:
        """The type of an expression."""
        if isinstance(node, (Name, Member)):
            return self.chain(node, lax, called)
        return _INFER[type(node)](self, node, lax)

    def chain(self, node: Node, lax: bool, called: bool) -> Type:
        """The type of a name with its members."""
        parts: list[Part] = []
        end, target = node.end, node
        while isinstance(target, Member):
            if isinstance(target.key, Literal):
                key = target.key
                parts.append(Part(property_key(key.value), key.start, key.end))
            else:
                self.expr(target.key, False)
                parts.append(Part(None, target.key.start, target.key.end))
                end = target.target.end
            target = target.target
        parts.reverse()
        if isinstance(target, Name):
            if target.name not in self.bound:
                return self.names.chain(target.name, parts, self.use, target.start, end, guarded=lax, called=called)
            found, shown = self.bound[target.name], target.name
        else:
            found, shown = self.expr(target, lax), "it"
        return self.names.members(found, parts, 0, shown, self.use, lax or self.use.lax)

    def call(self, node: Call, lax: bool) -> Type:
        """The type of what a call gives."""
        target = node.target
        arguments = [self.expr(part, False) for part in node.arguments.parts()]
        secret = any(type.kinds & SECRET for type in arguments)
        path = _builtin(target)
        if path is not None and path[0] not in self.bound:
            found = results.CALLS.get(path)
            if found is not None:
                return with_secret(found) if secret else found
        if isinstance(target, Member) and isinstance(target.key, Literal):
            owner = self.expr(target.target, lax)
            name = property_key(target.key.value)
            if owner.is_any or (isinstance(target.target, Name) and target.target.name in ("flowContext", "inputs")):
                operands.check_callable(self, target, self.expr(target, lax, called=True))
                return ANY
            found = results.member(owner, name)
            operands.check_call(self, target, owner, found, name, lax)
            result = results.method_result(owner, name, arguments)
            return with_secret(result) if secret else result
        found = self.expr(target, lax, called=True)
        operands.check_callable(self, target, found)
        return ANY

    def filtered(self, node: Filtered, lax: bool) -> Type:
        """The type of what a filter gives."""
        from flowdsl.template.filters import with_own

        record = with_own(self.names.findings.settings.filters)[node.name]
        target = self.expr(node.target, lax or record.replaces_undefined)
        arguments = [self.expr(part, False) for part in node.arguments.parts()]
        secret = target.kinds & SECRET or any(type.kinds & SECRET for type in arguments)
        if record.replaces_undefined:
            found = without(target, UNDEFINED)
            other = arguments[0] if arguments else OF_TEXT
            found = join(found, other) if found.kinds & ALL else other
        else:
            operands.check_filter(self, node, record, target)
            if record.of_host:
                operands.check_arguments(self, node, record, [target, *arguments])
            operands.check_number_in(self, node)
            result = results.GIVES[record.gives]
            found = result if isinstance(result, Type) else result(target)
        return with_secret(found) if secret else found

    def tested(self, node: Tested, lax: bool) -> Type:
        """The type of a test: true or false."""
        from flowdsl.template.tests import ACCEPT_UNDEFINED

        self.expr(node.target, lax or node.name in ACCEPT_UNDEFINED)
        for part in node.arguments.parts():
            self.expr(part, False)
        return OF_BOOLEAN

    def unary(self, node: Unary, lax: bool) -> Type:
        """The type of `not`, of signs, of the floor of `//`."""
        found = self.expr(node.operand, lax or node.operator == "not")
        if node.operator == "not":
            return OF_BOOLEAN
        operands.check_arithmetic(self, node.operator, node.operand, found)
        return OF_NUMBER

    def binary(self, node: Binary, lax: bool) -> Type:
        """The type of arithmetic, comparisons, `in`."""
        with_none = any(isinstance(part, Literal) and part.value is None for part in (node.left, node.right))
        lax = lax or (with_none and node.operator[-1] == "=")
        left, right = self.expr(node.left, lax), self.expr(node.right, lax)
        if node.operator in ("*", "/", "%", "**"):
            operands.check_constants(self, node, left)
            operands.check_arithmetic(self, node.operator, node.left, left)
            operands.check_arithmetic(self, node.operator, node.right, right)
            return OF_NUMBER
        if node.operator == "in":
            operands.check_container(self, node.right, right)
        elif not with_none:
            operands.check_comparison(self, node, left, right)
        return OF_BOOLEAN

    def sequence(self, node: Chain, lax: bool) -> Type:
        """The type of `and`, `or`, or `+ - ~` from left to right. What does not fit is reported, unless `lax`: then the
        value is only looked at, as `default` does."""
        if node.operators[0] in ("and", "or"):
            return self.logic(node, lax)
        found = self.expr(node.operands[0], lax)
        secret = found.kinds & SECRET
        for operator, operand in zip(node.operators, node.operands[1:], strict=True):
            right = self.expr(operand, lax)
            secret |= right.kinds & SECRET
            if operator == "-":
                operands.check_arithmetic(self, operator, operand, right)
            found = operands.added(found, right) if operator == "+" else OF_NUMBER if operator == "-" else OF_TEXT
        return with_secret(found) if secret else found

    def logic(self, node: Chain, lax: bool) -> Type:
        """`and` and `or`: the operand that decides; later ones know what the earlier ones said."""
        around, is_or = self.use.state, node.operators[0] == "or"
        found: Type | None = None
        for index, operand in enumerate(node.operands):
            last = index == len(node.operands) - 1
            one = self.expr(operand, lax or (is_or and not last))
            if is_or and not last:
                one = without(one, UNDEFINED | 2)
            found = one if found is None else join(found, one)
            if not last:
                self.use.state = narrowed(self.use.state, operand, not is_or)
        self.use.state = around
        return found or ANY

    def choice(self, node: Choice, lax: bool) -> Type:
        """The type of the inline if: that of either value."""
        around = self.use.state
        self.expr(node.condition, True)
        self.use.state = narrowed(around, node.condition, True)
        value = self.expr(node.value, lax)
        other = OF_TEXT
        if node.other is not None:
            self.use.state = narrowed(around, node.condition, False)
            other = self.expr(node.other, lax)
        self.use.state = around
        return join(value, other)

    def literal(self, node: Literal, lax: bool) -> Type:
        """The type of a constant."""
        return of_value(node.value)

    def list_of(self, node: ListOf, lax: bool) -> Type:
        """The type of `[a, b]`."""
        return joined_list([self.expr(item, lax) for item in node.items])

    def dict_of(self, node: DictOf, lax: bool) -> Type:
        """The type of `{a: b}`."""
        return map_of({pair.name: self.expr(pair.value, lax) for pair in node.pairs})


def _builtin(node: Node) -> tuple[str, ...] | None:
    if isinstance(node, Name):
        return (node.name,)
    if isinstance(node, Member) and isinstance(node.target, Name) and isinstance(node.key, Literal):
        return node.target.name, property_key(node.key.value)
    return None


_INFER: Final[dict[type[Node], Callable[[Any, Any, bool], Type]]] = {
    Binary: Inference.binary,
    Call: Inference.call,
    Chain: Inference.sequence,
    Choice: Inference.choice,
    DictOf: Inference.dict_of,
    Filtered: Inference.filtered,
    ListOf: Inference.list_of,
    Literal: Inference.literal,
    Tested: Inference.tested,
    Unary: Inference.unary,
}
