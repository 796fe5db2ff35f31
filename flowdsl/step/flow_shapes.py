"""What a step means for the flow around it, as data: which of its blocks run and how often, what it writes, what it
ends.

A step class says it with `flow=…`: `class Each(Step, name="EACH", flow=Loop(body="body", items="values", item="as"))`.
The checker follows a flow by the shapes alone, and so do docs and schemas: no other place knows what a FOR or an END
does. Every text in a shape is the name of a key of the step, as authors write it, unless its line says otherwise.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from flowdsl.record import Record
from flowdsl.step.signals import Signal


class KeyUse(Record):
    """A key that a shape names: for which of its fields, and the types that the key may have."""

    role: str
    key: str
    types: tuple[str, ...]


BLOCK = ("steps",)
BLOCKS = ("steps", "cases", "branches")
LIST = ("list", "any")
NAME = ("text", "any")
NUMBER = ("integer", "number", "any")
VALUE = ("text", "integer", "number", "boolean", "list", "map", "any")


class Leaf(Record):
    """A step without blocks that goes on with the next one: what it writes are its `outputs`. The shape of a class that
    gives none."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names: none."""
        yield from ()

    def describe(self) -> str:
        """What it does, as a sentence."""
        return ""


class Sequence(Record):
    """Runs its blocks once each, in the order of `blocks`."""

    blocks: tuple[str, ...]
    """The keys that hold the blocks; a key with several, in the order of the file."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _each("blocks", self.blocks, BLOCKS)

    def describe(self) -> str:
        """What it does, as a sentence."""
        return f"Runs {_codes(self.blocks, 'and')} once."


class Choice(Record):
    """Runs one of two blocks, or none."""

    then: str
    """The block that runs where the condition is true."""
    otherwise: str | None = None
    """The block that runs where it is false; without one nothing does."""
    on: tuple[str, ...] = ()
    """The keys that can hold the condition, the first that is given counts. Without one the step decides by itself."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield KeyUse("then", self.then, BLOCK)
        yield from _one("otherwise", self.otherwise, BLOCK)
        yield from _each("on", self.on, VALUE)

    def describe(self) -> str:
        """What it does, as a sentence."""
        where = f" where {_codes(self.on, 'or')} is true" if self.on else ""
        return f"Runs `{self.then}`{where}, else {f'`{self.otherwise}`' if self.otherwise else 'nothing'}."


class Switch(Record):
    """Runs one of many blocks, or none."""

    cases: str | None = None
    """The key that holds the blocks, by the value each of them is for."""
    blocks: tuple[str, ...] = ()
    """In place of `cases`: keys that hold one block each."""
    default: str | None = None
    """The block that runs when no other does: a name in `cases`, or one of `blocks`. Without one nothing runs then."""
    chosen: str | None = None
    """The block that always runs when the step has it, so that the others never do: a name in `cases`, or one of
    `blocks`. Where the step has it not, only `default` can run."""
    on: tuple[str, ...] = ()
    """The keys that can hold the value that decides, the first that is given counts. Without one the step decides."""
    as_text: bool = False
    """Whether the value decides as the text that it prints as, without the blanks around it. A plan then follows the
    one block of a value that is known, else each of them."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _one("cases", self.cases, ("cases",))
        yield from _each("blocks", self.blocks, BLOCK)
        yield from _each("on", self.on, VALUE)
        if self.cases is None:
            yield from _one("default", self.default, BLOCK)
            yield from _one("chosen", self.chosen, BLOCK)

    def describe(self) -> str:
        """What it does, as a sentence."""
        last = f", else `{self.default}`" if self.default else ""
        if self.chosen is not None:
            return f"Runs `{self.chosen}`{last}."
        one = f"one of the blocks in `{self.cases}`" if self.cases else f"one of {_codes(self.blocks, 'and')}"
        return f"Runs {one}{', chosen by ' + _codes(self.on, 'or') if self.on else ''}{last}."


class Loop(Record):
    """Runs a block any number of times: for each of `items`, for each of `numbers`, or as long as `on` is true.

    With neither the step decides by itself how often. BREAK and CONTINUE can stand in the block.
    """

    body: str
    """The block of one iteration."""
    items: str | None = None
    """The key with a list: one iteration for each item. It is resolved before the first."""
    numbers: tuple[str, ...] = ()
    """The keys with the first number, the last one, which is included, and the step (default: 1 or -1)."""
    on: tuple[str, ...] = ()
    """The keys that can hold a condition, resolved before each iteration; the first that is given counts."""
    item: str | None = None
    """The key whose text is the FlowContext key of the item or number of an iteration."""
    index: str | None = None
    """The FlowContext key of the iteration's number, from 0, with keys of the step in braces: `{var}_index`."""
    collect: tuple[str, ...] = ()
    """The key with a value, resolved at the end of each iteration, and the key whose text is the FlowContext key that
    holds the list of them after the loop."""
    concurrent: str | None = None
    """The key of the concurrency limit of the iterations: 1 when it is absent. With more, each runs on a copy of the
    FlowContext, and cannot BREAK."""
    least: int = 0
    """How many iterations run at least, whatever the options say: 1 for a loop that asks only after its block."""
    most: str | None = None
    """The key that says how many iterations are allowed: one more ends the run."""
    only: str | None = None
    """The FlowContext key whose value, where it has one, is the only item, whatever the keys say."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield KeyUse("body", self.body, BLOCK)
        yield from _one("items", self.items, LIST)
        yield from _each("numbers", self.numbers, NUMBER)
        yield from _each("on", self.on, VALUE)
        yield from _one("item", self.item, NAME)
        yield from _each("index", tuple(re.findall(r"\{(.*?)\}", self.index or "")), NAME)
        yield from _each("collect", self.collect[:1], VALUE)
        yield from _each("collect", self.collect[1:], NAME)
        yield from _one("concurrent", self.concurrent, NUMBER)
        yield from _one("most", self.most, NUMBER)

    def describe(self) -> str:
        """What it does, as a sentence."""
        each = [f"for each of `{self.items}`"] if self.items else []
        if len(self.numbers) > 1:
            each.append(f"for each number from `{self.numbers[0]}` to `{self.numbers[1]}`")
        each += [f"as long as {_codes(self.on, 'or')} is true"] if self.on else []
        parts = [f"Runs `{self.body}` {', or '.join(each) or 'any number of times'}"]
        parts += [f"the item under the FlowContext key that `{self.item}` names"] if self.item else []
        return f"{', '.join(parts)}."


class Try(Record):
    """Runs a block that may fail, and what to do then."""

    body: str
    """The block that may fail, at any of its steps."""
    catch: str | None = None
    """The block that runs after an error, wherever in `body` it came from."""
    final: str | None = None
    """The block that runs at the end in any case."""
    when: str | None = None
    """The key with a condition, resolved with the error in the FlowContext: where it is false the error goes on."""
    retry: str | None = None
    """The key that says how often `body` runs again before its error counts."""
    anew: str | None = None
    """What `retry` holds, `key: value`, where a repetition buys again what was paid for already."""
    times: str | None = None
    """What in `retry` says how often `body` may run again, with what counts when it is absent: `key: 2`."""
    error: str = "error"
    """The FlowContext key, not one of the step, that holds the error for `when` and `catch`."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield KeyUse("body", self.body, BLOCK)
        yield from _one("catch", self.catch, BLOCK)
        yield from _one("final", self.final, BLOCK)
        yield from _one("when", self.when, VALUE)
        yield from _one("retry", self.retry, VALUE)

    def describe(self) -> str:
        """What it does, as a sentence."""
        caught = f"; after an error `{self.catch}`, with the error in `flowContext.{self.error}`" if self.catch else ""
        last = f"; at the end in any case `{self.final}`" if self.final else ""
        return f"Runs `{self.body}`{caught}{last}."


class Parallel(Record):
    """Runs all its blocks side by side, each on its own copy of the FlowContext; what they change is merged in order.

    No BREAK or CONTINUE leaves them.
    """

    blocks: tuple[str, ...]
    """The keys that hold the blocks; a key with several, in the order of the file."""
    concurrent: str | None = None
    """The key of the concurrency limit: all of them run side by side when it is absent."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _each("blocks", self.blocks, BLOCKS)
        yield from _one("concurrent", self.concurrent, NUMBER)

    def describe(self) -> str:
        """What it does, as a sentence."""
        return f"Runs the blocks in {_codes(self.blocks, 'and')} side by side, each on its own copy of the FlowContext."


class Call(Record):
    """Runs a flow that stands elsewhere, on the same FlowContext. Nothing but END leaves it."""

    ref: str | None = None
    """The key with the dot path of the flow, `local.flows.NAME`. It wins over `name`."""
    name: str | None = None
    """The key with the name of one of a kit's TEMPLATES."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _one("ref", self.ref, NAME)
        yield from _one("name", self.name, NAME)

    def describe(self) -> str:
        """What it does, as a sentence."""
        return f"Runs the flow that {_codes(tuple(filter(None, (self.ref, self.name))), 'or')} names."


class Exit(Record):
    """Ends more than itself: the loop, the called flow or the run it stands in."""

    signal: Signal | None
    """What it returns. None: it returns nothing and fails, with an error that a TRY can catch."""
    when: str | None = None
    """The key with the condition; where it is false, the flow goes on. Without it, or when it is absent, it always
    ends."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _one("when", self.when, VALUE)

    def describe(self) -> str:
        """What it does, as a sentence."""
        condition = f", when `{self.when}` is true or absent" if self.when else ""
        return f"{EXIT_WORDS[self.signal].capitalize()}{condition}."


class Assign(Record):
    """Sets FlowContext keys that the author names."""

    keys: Literal["others"] | None = None
    """`others`: every key that is not a field of the step is a FlowContext key, set to its value, in document order."""
    sources: tuple[str, ...] = ()
    """Keys that can give the value of one FlowContext key, at most one of which is given. One that holds a block runs
    it, and gives what the block leaves under the FlowContext key `result`."""
    name: str | None = None
    """The key whose text is the FlowContext key that a source sets. Where `keys` is `others` and no source is given, it
    is one of the others."""
    target: str = "text"
    """The FlowContext key, not one of the step, that a source sets when `name` is absent."""
    result: str = "text"
    """The FlowContext key, not one of the step, that holds the value of a block."""
    convert: str | None = None
    """The key that makes a number of a source's numeric text."""

    def uses(self) -> Iterator[KeyUse]:
        """The keys it names."""
        yield from _each("sources", self.sources, (*VALUE, *BLOCK))
        yield from _one("name", self.name, NAME)
        yield from _one("convert", self.convert, VALUE)

    def describe(self) -> str:
        """What it does, as a sentence."""
        parts = ["Sets every key that is not among its own as a FlowContext key"] if self.keys == "others" else []
        if self.sources:
            named = f"the FlowContext key that `{self.name}` names" if self.name else f"`flowContext.{self.target}`"
            parts.append(f"{'sets' if parts else 'Sets'} {named} from {_codes(self.sources, 'or')}")
        return f"{'; or '.join(parts)}."


FlowShape: TypeAlias = Leaf | Sequence | Choice | Switch | Loop | Try | Parallel | Call | Exit | Assign
SHAPES: tuple[type[FlowShape], ...] = (Leaf, Sequence, Choice, Switch, Loop, Try, Parallel, Call, Exit, Assign)
EXIT_WORDS = {
    Signal.BREAK: "leaves the loop",
    Signal.CONTINUE: "ends the iteration",
    Signal.RETURN: "ends the flow",
    Signal.END: "ends the run",
    None: "fails",
}
"""What an exit does, by its signal."""


def to_plain(shape: FlowShape) -> dict[str, Any]:
    """A shape as plain values, for an index: its name under `shape`, and the fields that are not their defaults."""
    fields: dict[str, Any] = {"shape": type(shape).__name__}
    for name, value in shape._asdict().items():
        if name not in shape._defaults or value != shape._defaults[name]:
            fields[name] = value.value if isinstance(value, Signal) else value
    return fields


def from_plain(fields: Mapping[str, Any]) -> FlowShape:
    """The shape that `to_plain` wrote."""
    kind = fields["shape"]
    found: Callable[..., FlowShape] = next(shape for shape in SHAPES if shape.__name__ == kind)
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in fields.items() if k != "shape"}
    if values.get("signal") is not None:
        values["signal"] = Signal(values["signal"])
    return found(**values)


def _one(role: str, key: str | None, types: tuple[str, ...]) -> Iterator[KeyUse]:
    if key is not None:
        yield KeyUse(role, key, types)


def _each(role: str, keys: tuple[str, ...], types: tuple[str, ...]) -> Iterator[KeyUse]:
    for key in keys:
        yield KeyUse(role, key, types)


def _codes(keys: tuple[str, ...], word: str) -> str:
    """Keys in words: `a`, `b` and `c`."""
    *first, last = (f"`{key}`" for key in keys)
    return f"{', '.join(first)} {word} {last}" if first else last
