"""SET: variables of the FlowContext."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Annotated, Any

from pydantic import ConfigDict

from flowdsl import (
    Assign,
    AtMostOne,
    Block,
    Execute,
    Expression,
    Frame,
    Signal,
    Step,
    StepCompiler,
    TemplateError,
    Verbatim,
)
from flowdsl.template import UNDEFINED, SecretText, mark
from flowdsl_steps.control.assignments import SOURCES, check_set

_SHORT = 64
_SIZED = frozenset({str, bytes, list, tuple, dict, SecretText})
_NUMBER = re.compile(r"\s*[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\s*")


class Set(
    Step,
    name="SET",
    rules=(AtMostOne(*SOURCES),),
    check=check_set,
    flow=Assign(keys="others", sources=SOURCES, name="name", convert="convertTo"),
    category="Control",
    examples=(
        """\
- step: SET
  city: Lisbon
  text: "The old town of {{ flowContext.city }} at dawn, watercolour"
""",
        """\
- step: SET
  sizes: [1024x1024, 1536x1024]
  style: {light: morning, paper: rough}
  wide: "{{ flowContext.sizes[1] }}"
  text: "A harbour in {{ flowContext.style.light }} light, {{ flowContext.wide }}"
""",
    ),
):
    """Sets variables of the FlowContext: every key is one, in document order, and later ones see earlier ones.

    The older form sets one variable, `name` (default: `text`), from `text`, `raw_text`, `expression` or `steps`.
    """

    model_config = ConfigDict(extra="allow")

    name: Any = None
    """In the older form the variable to set; with no source beside it an ordinary variable."""
    text: Any = None
    """The value; templates are resolved."""
    raw_text: Annotated[Any, Verbatim()] = None
    """The value unchanged, templates included."""
    expression: Annotated[str | None, Expression()] = None
    """An expression without braces; its value keeps its type."""
    steps: Block | None = None
    """Steps to run; the value is the `text` they leave."""
    convertTo: Annotated[str | None, Verbatim()] = None
    """`number` converts a numeric text. Deprecated."""

    @classmethod
    def compile(cls, compiler: StepCompiler) -> Execute:
        """Assigns at once, key by key; only `steps` is awaited."""
        keys = compiler.keys
        source = next((key for key in SOURCES if key in keys), None)
        target = keys["name"].value if source is not None and "name" in keys else "text"
        own = {"convertTo", *SOURCES, *(["name"] if source is not None else [])}
        assignments = []
        for key in keys:
            if key == source and key != "steps":
                assignments.append(_assignment(compiler, key, target, _source(compiler, key, "convertTo" in keys)))
            elif key not in own:
                converts = source is None and "convertTo" in keys
                resolve = _source(compiler, key, convert=True) if converts else compiler.unplaced(key)
                assignments.append(_assignment(compiler, key, key, resolve))

        if len(assignments) == 1 and source != "steps":
            return assignments[0]

        def assign(frame: Frame) -> None:
            check_time = frame.check_time
            for one in assignments:
                one(frame)
                if check_time is not None:
                    check_time()

        block: Block | None = compiler.blocks("steps") if source == "steps" else None
        if block is None:
            return assign

        def run_steps(frame: Frame) -> Awaitable[Signal | None]:
            return _from_steps(frame, block, target, assign)

        return run_steps


def _assignment(compiler: StepCompiler, key: str, variable: str, resolve: Any) -> Callable[[Frame], None]:
    """The call that sets one variable to the value of a key."""

    def assign(frame: Frame) -> None:
        context = frame.context
        try:
            value = resolve(context, frame.names)
        except TemplateError as error:
            compiler.locate(key, error, frame.names, context)
            raise
        if value is UNDEFINED:
            context.pop(variable, None)
        else:
            context[variable] = value
            if value.__class__ in _SIZED and len(value) > _SHORT:  # of small values nobody has to take note
                frame.put(variable, value)

    return assign


async def _from_steps(frame: Frame, block: Block, target: str, assign: Callable[[Frame], None]) -> Signal | None:
    signal = await frame.run_block(block)
    frame.context[target] = frame.context.get("text")
    assign(frame)
    return signal


def _source(compiler: StepCompiler, key: str, convert: bool) -> Any:
    resolve = compiler.unplaced(key)
    if not convert:
        return resolve
    return lambda context, names: _number(resolve(context, names))


def _number(value: Any) -> Any:
    """A numeric text as a number, everything else as it is."""
    if not (isinstance(value, str) and _NUMBER.fullmatch(value)):
        return value
    number = float(value)
    whole = number.is_integer() and "e" not in value.lower() and "." not in value
    made = int(number) if whole else number
    return mark(made) if isinstance(value, SecretText) else made
