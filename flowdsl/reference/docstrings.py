"""The docstrings under the fields of a step class, which Python itself does not keep."""

from __future__ import annotations

import ast
import copy
import inspect
import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

from flowdsl.step.step import Step, spec_of

if TYPE_CHECKING:
    from flowdsl.step.spec import StepSpec


def field_docs(cls: type[Step]) -> dict[str, str]:
    """Field name → the text under it, on one line; a subclass's text takes the place of its parent's.

    A class whose source is not to be had (made at run time, or typed into a prompt) adds nothing.
    """
    found: dict[str, str] = {}
    for ancestor in reversed(cls.__mro__):
        if issubclass(ancestor, Step) and ancestor is not Step:
            found.update(_documented_names(ancestor))
    return {name: text for name, text in found.items() if name in cls.model_fields}


def documented(cls: type[Step]) -> StepSpec:
    """The spec of a step class with a summary for each key that has a docstring."""
    spec = copy.copy(spec_of(cls))
    texts = field_docs(cls)
    spec.keys = {name: key._replace(summary=key.summary or texts.get(key.field, "")) for name, key in spec.keys.items()}
    return spec


def _documented_names(cls: type[Step]) -> Iterator[tuple[str, str]]:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError, SyntaxError):
        return
    definition = tree.body[0]
    if not isinstance(definition, ast.ClassDef):
        return
    for statement, text in zip(definition.body, definition.body[1:], strict=False):
        name = _assigned_name(statement)
        if (
            name is not None
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        ):
            yield name, " ".join(text.value.value.split())


def _assigned_name(statement: ast.stmt) -> str | None:
    if isinstance(statement, ast.AnnAssign):
        target: ast.expr = statement.target
    elif isinstance(statement, ast.Assign) and len(statement.targets) == 1:
        target = statement.targets[0]
    else:
        return None
    return target.id if isinstance(target, ast.Name) else None
