"""What is said of a name that is undefined: why it is, what was most likely meant, and what corrects it.

Imported with the first such name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Fix, Related
from flowdsl.nearest import nearest
from flowdsl.step.flow_shapes import Loop
from flowdsl.template.builtins import BUILTINS

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.names.name_table import NameTable
    from flowdsl.checker.names.template_use import Use
    from flowdsl.codes import Severity
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node

_PYTHON = {"True": "true", "False": "false", "None": "none"}
_UNQUOTED = re.compile(r"\b(secret|kv)\(\s{0,9}$")


def undefined_key(names: NameTable, key: str, shown: str, use: Use, start: int, end: int, called: bool) -> None:
    """Reports a FlowContext key that no path to a template sets.

    `shown` is the key as the template reads it, from `start` to `end` in its text; with `called` as a function.
    """
    from flowdsl.step.foreign import word_of

    span, state = use.span(start, end), use.state
    related: tuple[Related, ...] = ()
    hint: str | None
    fix: Fix | None = None
    bare = shown == key
    later = names.later().get(key)
    function = _UNQUOTED.search(use.text[:start]) if bare else None
    if function is not None:
        message, hint = f"`{key}` is undefined", f"quote the name: `{function[1]}('{key}')`"
        fix = use.instead(start, end, f"'{key}'", safe=True)
    elif bare and key in _PYTHON:
        message, hint = f"`{key}` is undefined", f"write `{_PYTHON[key]}`"
        fix = use.instead(start, end, _PYTHON[key], safe=True)
    elif later is not None and later.source is span.source and later.start >= names.at:
        message, hint = f"`{shown}` is read before a step sets it", "move the step that sets it up"
        related = (Related(later.span, "set here, later"),)
    elif called:
        message, word = f"there is no function `{key}`", word_of("FUNCTIONS", key)
        hint = word.hint if word is not None else _instead_of_function(key, names)
        fix = _filtered(use, start, end, hint or "")
    elif bare and (word := word_of("NAMES", key)) is not None:
        message = f"`{shown}` is undefined: nothing here has this name"
        hint = word.hint or f"did you mean `{word.name}`?"
        fix = use.instead(start, start + len(key), word.name) if word.name is not None else _secret(use, start, end)
        if word.of_loop and (item := _item_around(names, use)) is not None:
            hint, fix = f"did you mean `{item}`?", use.instead(start, start + len(key), item)
    else:
        known = list(state.known_keys())
        near = nearest(key, [*known, *names.names] if bare else known)
        message = f"`{shown}` is undefined: no step before this one sets it, and no input declares it"
        if later is not None:
            message = f"`{shown}` is undefined: no path to this step sets it"
            related = (Related(later.span, "set here, on another path"),)
        entry = state.get(near) if near else None
        if near:
            meant = f"{'flowContext.' if entry is not None else ''}{near}"
            hint, fix = f"did you mean `{meant}`?", use.instead(start, end, meant)
            if entry is not None and entry.where is not None:
                related = (Related(entry.where.span, "set here"),)
        else:
            more = f", declare it under `inputs:`, or write `{shown} | default({use.empty(end)})`"
            hint, fix = names.findings.how_to_set(more), use.defaulted(end)
    severity: Severity | None = "warning" if names.lenient and not called else None
    related += names.reading
    names.findings.add("undefined-variable", message, span, hint=hint, severity=severity, related=related, fixes=[fix])


def how_to_set_anew(findings: Findings, other: str | None) -> str:
    """The hint for a key that the first iteration of a loop finds unset, and a later one as an earlier one left it;
    `other` is what to write where it is read."""
    from flowdsl.checker.flow.stale import set_anew

    wanted = f"; where that is wanted, {other}" if other is not None else ""
    return f"later iterations read what an earlier one set: {set_anew(findings)}{wanted}"


def _item_around(names: NameTable, use: Use) -> str | None:
    """How the item of the innermost loop around a template is read; None outside of loops."""
    found = None
    for step in names.document.every_step():
        around = step.node.start <= use.node.start < step.node.end and step.node.source is use.node.source
        if around and isinstance(step.spec.flow, Loop) and (item := step.item()) is not None:
            found = f"flowContext.{item[0]}"
    return found


def _secret(use: Use, start: int, end: int) -> Fix | None:
    """`secrets.NAME` of other tools as the call that reads it here."""
    found = re.fullmatch(r"secrets\.(\w+)", use.text[start:end])
    quote = '"' if use.node.style == "'" else "'"
    return use.instead(start, end, f"secret({quote}{found[1]}{quote})") if found is not None else None


def undefined_input(names: NameTable, name: str, use: Use, start: int, end: int, quiet: bool) -> None:
    """Reports an input that the flow does not declare and a template reads, from `start` to `end` in its text.

    It cannot be given either: with `quiet`, where undefined is harmless, that is worth a warning.
    """
    near = nearest(name, names.document.inputs or ())
    fix = None
    end = use.text.find(name, start + len("inputs"), end) + len(name)  # members may follow it
    if near:
        hint = f"did you mean `inputs.{near}`?"
        fix = use.instead(end - len(name), end, near)
    else:
        from flowdsl.checker.names.input_kinds import type_of_use

        kind = type_of_use(names, use, start, end)
        hint = f"declare it: `inputs:` with `{name}: {{type: {kind}}}`, next to `flow:`"
        fix = _declared(names.document.root, name, kind)
    message = f"the flow declares no input `{name}`"
    severity: Severity | None = "warning" if quiet else None
    names.findings.add("undefined-input", message, use.span(start, end), hint=hint, severity=severity, fixes=[fix])


def unreadable_variable(
    findings: Findings, name: str, span: Span, fix: Fix | None = None, lenient: bool = False
) -> None:
    """Reports an environment variable that templates may not read, at its place.

    With `lenient`, as where printing an undefined value is no error, it is a warning; `fix` corrects it.
    """
    from flowdsl.secrets.plain import names_secret

    allowed = sorted(findings.settings.env)
    near = nearest(name, allowed)
    if near:
        hint = f"did you mean `env.{near}`?"
    elif names_secret(name):
        hint = f"a secret is read with `secret('{name}')`"
    else:
        ways = f'`env = ["{name}"]` in flowdsl.toml, `flowdsl run --env {name}`, or in a host `Host(env=["{name}"])`'
        hint = f"let it be read: {ways}"
    severity: Severity | None = "warning" if lenient else None
    message = f"`env.{name}` is undefined: templates read only the environment variables that are named for them"
    findings.add("undefined-variable", message, span, hint=hint, severity=severity, fixes=[fix])


def _instead_of_function(name: str, names: NameTable) -> str | None:
    from flowdsl.template.filters import from_elsewhere, with_own

    filter = name if name in with_own(names.findings.settings.filters) else from_elsewhere(name)
    if filter is not None:
        return f"that is a filter: `value | {filter}`"
    near = nearest(name, names.names | BUILTINS.keys())
    return f"did you mean `{near}`?" if near else None


def _filtered(use: Use, start: int, end: int, hint: str) -> Fix | None:
    """The call of a function with one simple value as the value and a filter."""
    text, filter = use.text, re.fullmatch(r"that is a filter: `value \| (\w+)`", hint)
    called = re.compile(r"\(\s*([\w.\[\]]+|'[^'\\]*'|\"[^\"\\]*\")\s*\)(?![.\[(])").match(text, end)
    if filter is None or called is None:
        return None
    return use.instead(start, called.end(), f"{called[1]} | {filter[1]}")


def _declared(root: Node, name: str, kind: str) -> Fix | None:
    """A declaration of an input: in the `inputs` of the flow, or in new ones."""
    from flowdsl.syntax.fixes import added

    if root.kind != "map":
        return None
    inputs = root.value.get("inputs")
    entry, title = f"{name}: {{type: {kind}}}", f"declare `{name}`"
    return added(root, f"inputs: {{{entry}}}", title=title) if inputs is None else added(inputs, entry, title=title)
