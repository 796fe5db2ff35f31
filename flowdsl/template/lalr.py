"""The parser of expressions: runs the automaton in `tables.py`."""

from __future__ import annotations

from typing import Any, Final

from flowdsl.template.lexer import Token, apart
from flowdsl.template.limits import DEFAULT_LIMITS
from flowdsl.template.nodes import Literal, Member, Name, Node
from flowdsl.template.problems import Mistake, unexpected
from flowdsl.template.tables import ACTIONS, GOTOS, RULES, START
from flowdsl.template.tree import BUILDERS

_RULES: Final = [(origin, size, BUILDERS[alias] if alias else None) for origin, size, alias in RULES]
# Where the reductions of `a: b` rules lead: (state below, what was reduced, next token) -> (state, action)
_jumps: dict[tuple[int, str, str], tuple[int, int]] = {}
_MAX_STACK: Final = 1000
_NAME: Final = BUILDERS["name"]


def parse(kind: str, tokens: list[Token], text: str) -> Any:
    """What tokens (the last is END) build: a node for `expression`, name and arguments for `filter`.

    Raises: Mistake.
    """
    state = START[kind]
    states, values, index = [state], list[Any](), 0
    while True:
        token = tokens[index]
        symbol = token[0]
        action = ACTIONS[state].get(symbol)
        while action is not None and action < 0:
            origin, size, build = _RULES[-1 - action]
            if size == 1:
                if build is _NAME:
                    values[-1] = _named(values[-1], token)
                    if symbol == "." and token[1] != ".":
                        index += 1
                        token = tokens[index]
                        symbol = token[0]
                elif build is not None:
                    values[-1] = build(values[-1:])
                states.pop()
            elif size:
                parts = values[-size:]
                del states[-size:], values[-size:]
                values.append(parts[0] if build is None else build(parts))
            else:
                values.append(None if build is None else build([]))
            state, action = _jumps.get((states[-1], origin, symbol)) or _jump(states[-1], origin, symbol)
            states.append(state)
        if action is None:
            parts = apart(tokens)
            if len(parts) > len(tokens):
                return parse(kind, parts, text)  # it says what is wrong, and where
            raise unexpected(token, tokens[:index], text, _expected(kind, tokens[:index]))
        if symbol == "END":
            return _bounded(values[0], tokens)
        state = action
        states.append(state)
        values.append(token)
        index += 1
        if len(states) > _MAX_STACK:
            raise _too_deep(token)


def _named(token: Token, following: Token) -> Node:
    """A name with the members behind it, which is most of what templates hold, in one go."""
    node: Node = Name(token[1], token[2], token[3])
    if following[0] == "." and following[1] != ".":
        at = token[3]
        for name in following[1][1:].split("."):
            end = at + 1 + len(name)
            node = Member(node, Literal(name, at + 1, end), end)
            at = end
    return node


def _jump(below: int, origin: str, symbol: str) -> tuple[int, int | None]:
    """The state after a reduction and its action, with the reductions that only pass a value on already made."""
    state = GOTOS[below][origin]
    action = ACTIONS[state].get(symbol)
    if action is not None and action < 0:
        above, size, build = _RULES[-1 - action]
        if size == 1 and build is None:
            state, action = _jump(below, above, symbol)
    if action is not None:
        _jumps[below, origin, symbol] = (state, action)
    return state, action


def _expected(kind: str, tokens: list[Token]) -> set[str]:
    """What may follow tokens; found by going over them again, for the reductions a wrong one caused are done."""
    states = [START[kind]]
    for token in tokens:
        _accepts(states, token[0])
        states.append(ACTIONS[states[-1]][token[0]])
    return {symbol for symbol in ACTIONS[states[-1]] if _accepts(list(states), symbol)}


def _accepts(states: list[int], symbol: str) -> bool:
    """Make the reductions before a symbol; whether it is then taken (the automaton's rows alone list too many)."""
    while True:
        action = ACTIONS[states[-1]].get(symbol)
        if action is None or action >= 0:
            return action is not None
        origin, size, _build = _RULES[-1 - action]
        if size:
            del states[-size:]
        states.append(GOTOS[states[-1]][origin])


def _too_deep(token: Token) -> Mistake:
    return Mistake(f"this is nested deeper than {DEFAULT_LIMITS.max_depth} levels", token[2], token[3])


def _bounded(found: Any, tokens: list[Token]) -> Any:
    """The result, when its tree is not too deep to be walked."""
    limit = DEFAULT_LIMITS.max_depth
    if tokens[-1][2] - tokens[0][2] <= limit:
        return found  # it has no more characters
    level = [found] if isinstance(found, Node) else list(found[1].parts())
    depth = 0
    while level:
        depth += 1
        if depth > limit:
            deep = level[0]
            raise Mistake(f"this is nested deeper than {limit} levels", deep.start, deep.end)
        level = [part for node in level for part in node.parts()]
    return found
