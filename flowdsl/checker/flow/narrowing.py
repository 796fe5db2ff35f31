"""What a condition says about the FlowContext where it is true, and where it is false."""

from __future__ import annotations

from flowdsl.checker.flow.state import Entry, State
from flowdsl.checker.types.kinds import ANY, INTEGER, LIST, NULL, NUMBER, TEXT, UNDEFINED, only, without
from flowdsl.template.nodes import Binary, Chain, Filtered, Literal, Member, Name, Node, Tested, Unary

_KINDS = {"string": TEXT, "number": INTEGER | NUMBER, "iterable": TEXT | LIST, "mapping": 0}


def narrowed(state: State, condition: Node, truth: bool) -> State:
    """A state over this one with what a condition says whose value is `truth`; the same one when it says nothing."""
    found: dict[str, int] = {}
    _collect(condition, truth, found)
    for index in later_iteration(condition, truth):
        number = state.get(index)
        for key in state.known_keys() if number is not None and number.implied else ():  # only a loop sets its index
            entry = state.get(key)
            if entry is not None and entry.unset is not None and entry.unset.later == index:
                found.setdefault(key, 0)
    if not found:
        return state
    inner: State | None = None
    for key, kinds in found.items():
        entry = state.get(key)
        if entry is None:
            if state.open:
                continue
            entry = Entry(ANY, None, always=False)  # no path sets it, so none comes here but one a caller prepared
        type = without(entry.type, UNDEFINED)
        if kinds < 0:
            type = without(type, NULL)
        elif kinds:
            type = only(type, kinds) if type.kinds & kinds else ANY  # no value comes here
        if entry.always and type is entry.type:
            continue
        inner = inner or State(state)
        known = Entry(type, entry.where, always=True, narrowed=True, implied=entry.implied)
        known.rivals = entry.rivals
        known.supposed = entry.supposed or state.get(key) is None
        inner.changes[key] = known
    return inner or state


def _collect(node: Node, truth: bool, found: dict[str, int]) -> None:
    """Gathers the keys that are certainly set: -1 when they are not null either, else the kinds left, 0 for all."""
    if isinstance(node, Unary) and node.operator == "not":
        _collect(node.operand, not truth, found)
    elif isinstance(node, Chain) and node.operators[0] in ("and", "or"):
        if (node.operators[0] == "and") is truth:
            for operand in node.operands:
                _collect(operand, truth, found)
    elif isinstance(node, Tested):
        _tested(node, truth, found)
    elif isinstance(node, Binary):
        _compared(node, truth, found)
    elif truth:
        _set(node, -1, found)


def _tested(node: Tested, truth: bool, found: dict[str, int]) -> None:
    if node.name in ("undefined", "falsy"):
        truth = not truth
    if not truth:
        return
    if node.name in ("defined", "undefined"):
        _set(node.target, 0, found)
    elif node.name in ("truthy", "falsy"):
        _set(node.target, -1, found)
    elif node.name in ("none", "null"):
        _set(node.target, NULL, found)
    elif node.name in _KINDS:
        _set(node.target, _KINDS[node.name], found)


def _compared(node: Binary, truth: bool, found: dict[str, int]) -> None:
    equal = node.operator in ("==", "===")
    if equal or node.operator in ("!=", "!=="):
        for one, other in ((node.left, node.right), (node.right, node.left)):
            if isinstance(other, Literal) and not isinstance(one, Filtered):
                kinds = _narrowed(other.value is None, equal is truth, len(node.operator) == 3)
                if kinds:
                    _set(one, kinds, found)
    elif truth and node.operator in ("<", ">", "<=", ">="):
        for operand in (node.left, node.right):
            if not isinstance(operand, Filtered):
                _set(operand, 0, found)
    elif truth and node.operator == "in":
        _set(node.right, -1, found)


def _narrowed(null: bool, equals: bool, strict: bool) -> int:
    """What an operand is that equals, or does not equal, a constant; 0 when that says nothing."""
    if not null:
        return -1 if equals else 0
    if equals:
        return NULL if strict else 0
    return 0 if strict else -1


def _set(node: Node, kinds: int, found: dict[str, int]) -> None:
    """Notes the FlowContext key that a name or its member reads."""
    if isinstance(node, Filtered) and _shows_value(node.name):
        node, kinds = node.target, 0
    deep = False
    while isinstance(node, Member) and not (isinstance(node.target, Name) and node.target.name == "flowContext"):
        node, deep = node.target, True
    if isinstance(node, Member) and isinstance(node.key, Literal) and isinstance(node.key.value, str):
        key = node.key.value
    elif isinstance(node, Name):
        key = node.name
    else:
        return
    kinds = -1 if deep else kinds
    known = found.get(key, 0)
    found[key] = -1 if -1 in (known, kinds) and not (known > 0 or kinds > 0) else max(known, kinds, key=abs)


def _shows_value(name: str) -> bool:
    from flowdsl.template.filters import FILTERS

    return name in FILTERS and FILTERS[name].shows_value  # of a host's filter nothing is known


def later_iteration(node: Node, truth: bool) -> list[str]:
    """The loop indexes that are not 0 where the value of a condition is `truth`: an iteration has come before."""
    if isinstance(node, Unary) and node.operator == "not":
        return later_iteration(node.operand, not truth)
    if isinstance(node, Chain) and node.operators[0] in ("and", "or"):
        if (node.operators[0] == "and") is not truth:
            return []
        return [index for operand in node.operands for index in later_iteration(operand, truth)]
    if isinstance(node, Binary):
        other = node.right.value if isinstance(node.right, Literal) else None
        says = {"==": False, "===": False, "!=": True, "!==": True, ">": True, "<=": False}.get(node.operator)
        if type(other) is int and (other == 0 or node.operator == ">") and other >= 0 and says is truth:
            return _index(node.left)
        if node.operator in (">=", "<") and other == 1 and (node.operator == ">=") is truth:
            return _index(node.left)
        return []
    return _index(node) if truth else []


def _index(node: Node) -> list[str]:
    """The key of a FlowContext value that may be a loop's index."""
    if isinstance(node, Member) and isinstance(node.target, Name) and node.target.name == "flowContext":
        key = node.key.value if isinstance(node.key, Literal) else None
        return [key] if isinstance(key, str) else []
    return []
