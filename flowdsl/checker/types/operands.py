"""Operands that cannot fit: arithmetic on lists, calls of what is no function, comparisons of a number with a list."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdsl.checker.types import results
from flowdsl.checker.types.kinds import (
    ALL,
    BOOLEAN,
    FUNCTION,
    IMAGE,
    LIST,
    MAP,
    NULL,
    NUMERIC,
    OF_NUMBER,
    OF_TEXT,
    OTHER,
    SCALAR,
    TEXT,
    UNDEFINED,
    Type,
    describe,
    join,
    only,
)
from flowdsl.diagnostics import Fix
from flowdsl.nearest import nearest
from flowdsl.template.nodes import Binary, Filtered, Literal, Member, Name, Node

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flowdsl.checker.names.name_table import Walk
    from flowdsl.checker.names.template_use import Use
    from flowdsl.codes import Severity
    from flowdsl.template.filters import Filter

_WHOLE = LIST | MAP | IMAGE
_ADDS = NUMERIC | BOOLEAN | NULL | UNDEFINED


def _add(walk: Walk, node: Node, message: str, *, hint: str | None = None, severity: Severity | None = None) -> None:
    use = walk.use
    shown = _shown(walk, node)
    span = use.span(node.start, node.end)
    fix = _counted(walk, node) if hint in COUNTED else None
    walk.names.findings.add("wrong-type", message.replace("{}", shown), span, hint=hint, severity=severity, fixes=[fix])


COUNTED = ("count its items with `| length`", "compare the number of its items: `| length`")
"""The hints that say to count the items of a list."""


def _counted(walk: Walk, node: Node) -> Fix | None:
    """The number of a list's items in place of the list; only for a plain chain of names."""
    use = walk.use
    text = use.text[node.start : node.end]
    if not all(char.isalnum() or char in "._" for char in text):
        return None
    return use.instead(node.start, node.end, f"({text} | length)")


def _shown(walk: Walk, node: Node) -> str:
    text = walk.use.text
    found = " ".join(text[node.start : node.end].split()) if isinstance(text, str) else ""
    return f"`{found}`" if found else "it"


def _is(type: Type, kinds: int) -> bool:
    """Whether a value is certainly of these kinds."""
    return bool(type.kinds & ALL) and not type.kinds & ALL & ~kinds


def check_arithmetic(walk: Walk, operator: str, node: Node, type: Type) -> None:
    """Reports an operand of `operator`, of this type, that is no number and has no text that is one."""
    if _is(type, _WHOLE | FUNCTION):
        hint = COUNTED[0] if _is(type, LIST) else None
        word = "//" if operator == "floor" else operator
        message = f"{{}} is {describe(type)}, and `{word}` takes numbers"
        _add(walk, node, message, hint=hint, severity="warning")


def check_constants(walk: Walk, node: Binary, left: Type) -> None:
    """Reports arithmetic that gives no number whatever is read: with a text that is none, or a division by 0."""
    if node.operator == "%" and _is(left, TEXT) and isinstance(node.left, Literal):
        hint = "join texts with `~`, for example `'A ' ~ name`"
        _add(walk, node.left, "{} is a text, and `%` is the rest of a division here", hint=hint, severity="warning")
        return
    if node.operator == "%" and _is(left, TEXT):
        hint = "make it a number: `(value | toInt)`"
        _add(walk, node.left, "{} is a text, and `%` takes numbers", hint=hint, severity="warning")
        return
    for operand in (node.left, node.right):
        if isinstance(operand, Literal) and isinstance(operand.value, str) and not _NUMERIC.fullmatch(operand.value):
            is_repeated = operand is node.left and node.operator == "*"
            repeat = "write `.repeat(3)` behind the text" if is_repeated else None
            message = f"{{}} is a text without a number, and `{node.operator}` takes numbers"
            _add(walk, operand, message, hint=repeat, severity="warning")
    right = node.right
    if node.operator in ("/", "%") and isinstance(right, Literal) and right.value in (0, "0"):
        _add(walk, node, "{} divides by 0, which gives no number", severity="warning")


def check_number_in(walk: Walk, node: Filtered) -> None:
    """Reports a constant text without a digit of which a filter is to make a number."""
    target = node.target
    if node.name not in _TO_NUMBER or not isinstance(target, Literal) or not isinstance(target.value, str):
        return
    if not any(char.isdigit() for char in target.value):
        message = f"{{}} holds no number, so that `{node.name}` gives its default"
        _add(walk, target, message, hint="write the number itself", severity="warning")


_NUMERIC = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*|0[xX][0-9a-fA-F]+")
_TO_NUMBER = ("int", "float", "toInt", "toFloat")


def added(left: Type, right: Type) -> Type:
    """What `left + right` gives."""
    if _is(left, _ADDS) and _is(right, _ADDS):
        return OF_NUMBER
    return OF_TEXT if not (left.kinds & _ADDS and right.kinds & _ADDS) else join(OF_TEXT, OF_NUMBER)


def check_comparison(walk: Walk, node: Binary, left: Type, right: Type) -> None:
    """Reports a comparison of a list or map with a number or text, and what can never be equal: a text that lacks its
    quotes, and one that is none of the choices of an input."""
    for one, other, at in ((left, right, node.left), (right, left, node.right)):
        if node.operator[:2] in ("==", "!=") and (_lacks_quotes(walk, at, one) or _no_choice(walk, node, at)):
            return
        if _is(one, _WHOLE) and _is(other, SCALAR):
            hint = COUNTED[1] if _is(one, LIST) else None
            message = f"{{}} is {describe(one)}, and is compared with {describe(other)}"
            _add(walk, at, message, hint=hint, severity="warning")
            return


def _lacks_quotes(walk: Walk, node: Node, type: Type) -> bool:
    """Reports a bare name in a comparison that nothing anywhere sets; whether it is one."""
    names, use = walk.names, walk.use
    closed = names.document.inputs is not None and names.module is None
    if not isinstance(node, Name) or type.kinds & (ALL | UNDEFINED) != UNDEFINED or not closed:
        return False
    if node.name in names.later() or f"={node.name}" in use.reported:
        return False
    use.reported.add(f"={node.name}")
    quote = '"' if use.node.style == "'" else "'"
    text = f"{quote}{node.name}{quote}"
    message = f"nothing sets `{node.name}`, so that it is equal to no text"
    span, fix = use.span(node.start, node.end), use.instead(node.start, node.end, text)
    hint = f"write `{text}` if it is a text"
    names.findings.add("undefined-variable", message, span, hint=hint, severity="warning", fixes=[fix])
    return True


def _no_choice(walk: Walk, node: Binary, text: Node) -> bool:
    """Reports a text that is compared with an input of which it is no choice; whether it is one."""
    other = node.right if text is node.left else node.left
    names, use = walk.names, walk.use
    found = re.fullmatch(r"inputs\.(\w+)", use.text[other.start : other.end])
    declared = (names.document.inputs or {}).get(found[1]) if found is not None else None
    choices = declared.schema.get("enum") if declared is not None else None
    if not isinstance(text, Literal) or not isinstance(text.value, str) or not isinstance(choices, list):
        return False
    if text.value in choices or (declared is not None and declared.default == text.value):
        return False
    near = nearest(text.value, [each for each in choices if isinstance(each, str)])
    hint = f"did you mean `{near}`?" if near else f"there are {', '.join(map(str, choices))}"
    message = f"`{use.text[other.start : other.end]}` is never `{text.value}`"
    inside = use.text[text.start + 1 : text.end - 1] == text.value
    fix = use.instead(text.start + 1, text.end - 1, near) if near and inside else None
    span = use.span(text.start, text.end)
    names.findings.add("not-a-choice", message, span, hint=hint, severity="warning", fixes=[fix])
    return True


def check_container(walk: Walk, node: Node, type: Type) -> None:
    """Reports a right side of `in` into which nothing can look."""
    if _is(type, NUMERIC | BOOLEAN):
        _add(walk, node, f"{{}} is {describe(type)}, and `in` looks into a list, text or map")
    elif type.kinds & (NUMERIC | BOOLEAN) and not type.is_any:
        found = describe(only(type, NUMERIC | BOOLEAN))
        message = f"{{}} may be {found}, and `in` looks into a list, text or map"
        _add(walk, node, message, severity="warning")


def check_items(walk: Walk, node: Node, type: Type) -> None:
    """Reports a value that `{% for %}` cannot walk."""
    if _is(type, NUMERIC | BOOLEAN | FUNCTION):
        _add(walk, node, f"{{}} is {describe(type)}, and `for` walks a list", severity="warning")


def check_shared(walk: Walk, names: Sequence[str], node: Node, type: Type) -> None:
    """Reports a list that several names of one `{% set %}` get: each has all of it, and not an item. What may be
    anything, and is read from somewhere, is most likely one."""
    sure = _is(type, LIST)
    if sure or (type.kinds & LIST and isinstance(node, (Member, Name))):
        text = walk.use.text[node.start : node.end]
        text = text if isinstance(node, (Member, Name)) else f"({text})"
        each = " and ".join(f"`{{% set {name} = {text}[{index}] %}}`" for index, name in enumerate(names[:2]))
        found = f"is {describe(type)}" if sure else "may be a list"
        message = f"{{}} {found}, and each of the {len(names)} names gets all of it"
        _add(walk, node, message, hint=f"set each by itself: {each}", severity="warning")


def check_filter(walk: Walk, node: Filtered, record: Filter, type: Type) -> None:
    """Reports a value, of this type, for which a filter raises."""
    if not record.takes or type.is_any or not type.kinds & ALL:
        return
    kinds = results.TAKES[record.takes]
    if not type.kinds & kinds:
        _add(walk, node.target, f"{{}} is {describe(type)}, and the filter `{node.name}` takes {record.takes}")
    elif type.kinds & ALL & ~kinds:
        found = describe(only(type, ALL & ~kinds))
        message = f"{{}} may be {found}, and the filter `{node.name}` takes {record.takes}"
        _add(walk, node.target, message, severity="warning")


def check_arguments(walk: Walk, node: Filtered, record: Filter, types: Sequence[Type]) -> None:
    """Reports a value, and arguments, that are certainly none of what a host's filter is annotated with."""
    named = [(node.arguments.named[at].name, keyword) for at, keyword in enumerate(node.arguments.named)]
    places = ["", *(record.arguments or ())]
    parts = [node.target, *node.arguments.values, *(keyword.value for _, keyword in named)]
    at = [*range(1 + len(node.arguments.values)), *(places.index(name) if name in places else -1 for name, _ in named)]
    for part, type, place in zip(parts, types, at, strict=True):
        wanted = record.kinds[place] if 0 <= place < len(record.kinds) else ()
        kinds = 0 if place else UNDEFINED  # of which the result is undefined
        for word in wanted:
            kinds |= results.ANNOTATED[word]
        if wanted and not type.is_any and type.kinds & ALL and not type.kinds & kinds:
            takes = f"the filter `{node.name}` takes {' or '.join(wanted)}{f' as `{places[place]}`' if place else ''}"
            _add(walk, part, f"{{}} is {describe(type)}, and {takes}")


def check_callable(walk: Walk, node: Node, type: Type) -> None:
    """Reports a call of what is no function."""
    if type.kinds & ALL and not type.kinds & (FUNCTION | OTHER | UNDEFINED):
        _add(walk, node, f"{{}} is {describe(type)}, and cannot be called")


def check_call(walk: Walk, node: Member, owner: Type, found: Type, name: str, lax: bool) -> None:
    """Reports a call of the method `name`, of type `found`, that its owner does not have, or may not have.

    With `lax` undefined is harmless, and what it may not have is not reported.
    """
    if found.is_any or _is(found, FUNCTION):
        return
    from flowdsl.nearest import nearest
    from flowdsl.step.foreign import word_of

    kinds = found.kinds & ALL
    if kinds and not kinds & (FUNCTION | OTHER):
        if kinds == UNDEFINED:
            names = results.member_names(owner)
            word = word_of("METHODS", name)
            near = nearest(name, names) or next((each for each in names if each.startswith(name)), None)
            hint = f"did you mean `{near}`?" if near else _elsewhere(owner)
            hint = hint if word is None else word.hint or f"write `.{word.name}()`"
            near = near if word is None else word.name
            message = f"{_shown(walk, node.target)} is {describe(owner)}, and has no function `{name}`"
            use, at = walk.use, node.end - len(name)
            fix = use.instead(at, node.end, near) if near and use.text[at : node.end] == name else None
            fix = fix or _written_as(use, at, node.end)
            span = use.span(node.start, node.end)
            walk.names.findings.add("wrong-type", message.replace("{}", ""), span, hint=hint, fixes=[fix])
        else:
            _add(walk, node, f"{{}} is {describe(found)}, and cannot be called")
    elif not lax:
        message = f"{_shown(walk, node.target)} may be {describe(owner)}, and not all of it has `{name}`"
        _add(walk, node, message.replace("{}", ""), severity="warning")


def _written_as(use: Use, start: int, end: int) -> Fix | None:
    """What is written here in place of the call of a method that other languages have, whose name stands there."""
    from flowdsl.step.foreign import method_edit

    called = re.compile(r"\(([^()]*)\)").match(use.text, end)
    new = None if called is None else method_edit(use.text[start:end], called[1])
    if called is None or new is None or use.text[start - 1 : start] != ".":
        return None
    if "|" in new and use.text[called.end() : called.end() + 1] in (".", "["):
        return None
    fix = use.instead(start - 1, called.end(), new.replace("''", '""') if use.node.style == "'" else new)
    return fix if fix is None or new else fix._replace(title=f"remove `.{use.text[start : called.end()]}`")


def _elsewhere(owner: Type) -> str | None:
    if owner.kinds & ALL == LIST and owner.item is not None and _is(owner.item, TEXT):
        return "take one of its items, or walk them with `{% for %}`"
    return None
