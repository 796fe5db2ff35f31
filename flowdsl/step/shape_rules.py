"""What a shape must fit: the keys of its class. A mistake here is a plugin's, found when its class is made."""

from __future__ import annotations

from collections.abc import Mapping

from flowdsl.errors import PluginError
from flowdsl.nearest import nearest
from flowdsl.step.flow_shapes import SHAPES, Assign, Exit, FlowShape, KeyUse, Leaf, Loop, Switch
from flowdsl.step.key import ARTICLES, BLOCK_TYPES, Key
from flowdsl.step.signals import Signal

TUPLES = ("blocks", "on", "numbers", "collect", "sources")
"""The fields of shapes that hold several keys."""


def fitting_shape(step: str, shape: object, keys: Mapping[str, Key]) -> FlowShape:
    """The shape, which fits the keys of its step.

    Raises:
        PluginError: it is none, names a key that the step does not have or one of another type, or names no block of
            a key that holds one: its steps would never be checked.
    """
    if not isinstance(shape, SHAPES):
        raise PluginError(f'{step}: flow takes a shape, for example flow=Loop(body="do"), not {shape!r}')
    _check_fields(step, shape)
    uses = list(shape.uses())
    for use in uses:
        _check_use(step, shape, use, keys)
    named = {use.key for use in uses}
    for key in keys.values():
        if key.type in BLOCK_TYPES and key.name not in named:
            raise PluginError(
                f"{step}: no shape says when the steps in `{key.name}` run; add it to the class, for example "
                f"{_example(key)}"
            )
    return shape


def _check_fields(step: str, shape: FlowShape) -> None:
    """The Python types of a shape's fields, which the annotations say and nobody else checks."""
    name = type(shape).__name__
    for field, value in shape._asdict().items():
        if field in TUPLES:
            if isinstance(value, str) or not isinstance(value, tuple) or not all(isinstance(v, str) for v in value):
                example = value if isinstance(value, str) else "key"
                raise PluginError(f'{step}: `{field}` of {name} takes a tuple of keys: {field}=("{example}",)')
        elif field == "signal":
            if value is not None and not isinstance(value, Signal):
                raise PluginError(f"{step}: `signal` of {name} takes a flowdsl.Signal or None, not {value!r}")
        elif field == "least":
            if value not in (0, 1):
                raise PluginError(f"{step}: `least` of {name} is 0 or 1, not {value!r}")
        elif field == "as_text":
            if not isinstance(value, bool):
                raise PluginError(f"{step}: `as_text` of {name} is True or False, not {value!r}")
        elif value is not None and not isinstance(value, str):
            raise PluginError(f"{step}: `{field}` of {name} takes the name of a key, not {value!r}")
    _check_whole(step, shape)


def _check_whole(step: str, shape: FlowShape) -> None:
    """What the fields of a shape must have together."""
    problem = None
    if isinstance(shape, Loop) and len(shape.numbers) not in (0, 2, 3):
        problem = "`numbers` of Loop takes the keys of the first number, the last one and perhaps the step"
    elif isinstance(shape, Loop) and len(shape.collect) not in (0, 2):
        problem = "`collect` of Loop takes the key of the value and the key that names the list"
    elif isinstance(shape, Switch) and (shape.cases is None) is (not shape.blocks):
        problem = "Switch takes either `cases` or `blocks`"
    elif isinstance(shape, Assign) and shape.keys not in (None, "others"):
        problem = f'`keys` of Assign is "others" or nothing, not {shape.keys!r}'
    elif not isinstance(shape, (Leaf, Exit)) and not any(True for _ in shape.uses()) and not _takes_others(shape):
        problem = f"{type(shape).__name__} names no key"
    if problem is not None:
        raise PluginError(f"{step}: {problem}")


def _takes_others(shape: FlowShape) -> bool:
    return isinstance(shape, Assign) and shape.keys is not None


def _check_use(step: str, shape: FlowShape, use: KeyUse, keys: Mapping[str, Key]) -> None:
    key, where = keys.get(use.key), f"`{use.role}` of {type(shape).__name__}"
    if key is None:
        near = nearest(use.key, list(keys))
        hint = f"; did you mean `{near}`?" if near else f"; its keys are {', '.join(keys) or 'none'}"
        raise PluginError(f"{step}: {where} names the key `{use.key}`, which the step does not have{hint}")
    if key.type not in use.types:
        wanted = ARTICLES[use.types[0]] if use.types != ("text", "integer") else "a value"
        raise PluginError(f"{step}: {where} takes {wanted}, and the key `{use.key}` takes {ARTICLES[key.type]}")


def _example(key: Key) -> str:
    if key.type == "cases":
        return f'flow=Switch(cases="{key.name}")'
    if key.type == "branches":
        return f'flow=Parallel(blocks=("{key.name}",))'
    return f'flow=Loop(body="{key.name}") or flow=Sequence(blocks=("{key.name}",))'
