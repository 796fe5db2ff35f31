"""What the tasks in a ForEach give: outside of it by the value of each iteration, `outputs.task[value]`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowdsl.template import Reference, Template
from flowdsl.template.foreign import ForeignText, Native, Place, called, parsed
from flowdsl.template.nodes import DictOf, Keyword, Literal, Member, Name, Node, Output
from flowdsl_steps.expressions.pebble_kinds import Kind, map_of


def _key(name: str) -> Node:
    return Member(Name("flowContext", 0, 0), Literal(name, 0, 0), 0)


class OfIteration:
    """Puts what a task gave under the value of the iteration: the text is the key of the task's output."""

    name = "kestra iteration"

    def parse(self, text: ForeignText) -> Template:
        """The template of such a text."""
        value = Member(_key("taskrun"), Literal("value", 0, 0), 0)
        call = called("outputs", lambda value, found: {value: found}, [value, _key(str(text))], 0, len(text))
        read = [Reference("flowContext", (name,), 0, len(text), True, False) for name in ("taskrun", str(text))]
        return parsed(text, [Output(call)], read)

    def native(self, text: ForeignText, place: Place) -> Native:
        """A map of one pair."""
        return Native(f"{{{{ [[flowContext.taskrun.value, flowContext.{text}]] | fromEntries }}}}")

    def kind(self, text: ForeignText, of_key: Callable[[str], Kind | None]) -> Kind | None:
        """A map from the values of iterations."""
        run, given = of_key("taskrun"), of_key(str(text))
        value = run.member("value") if run is not None else None
        if given is None or value is None or value.values is None:
            return map_of(given)
        return map_of(given)._replace(members=dict.fromkeys(value.values, given))


class OfLoop:
    """Puts what a task gave in all iterations into one map: the text is the key of the list that holds them, a blank,
    and the key of the task's output."""

    name = "kestra loop"

    def parse(self, text: ForeignText) -> Template:
        """The template of such a text."""
        of, _, key = str(text).partition(" ")
        call = called("outputs", lambda found: _together(found, key), [_key(of)], 0, len(text))
        return parsed(text, [Output(call)], [Reference("flowContext", (of,), 0, len(text), True, False)])

    def native(self, text: ForeignText, place: Place) -> Native:
        """The maps of all iterations, merged."""
        of, _, key = str(text).partition(" ")
        return Native(f"{{{{ flowContext.{of} | pluck('{key}') | merge }}}}")

    def kind(self, text: ForeignText, of_key: Callable[[str], Kind | None]) -> Kind | None:
        """The same kind as that of one iteration."""
        return of_key(str(text).partition(" ")[2])


class Kept:
    """What there is of the outputs of tasks: the text names their keys, each by itself or behind `NAME=`."""

    name = "kestra outputs"

    def parse(self, text: ForeignText) -> Template:
        """The template of such a text."""
        pairs = [each.partition("=") for each in str(text).split()]
        named = [(name, key or name) for name, _, key in pairs]
        kept = DictOf([Keyword(name, _key(key), 0) for name, key in named], 0, len(text))
        read = [Reference("flowContext", (key,), 0, len(text), True, False) for _, key in named]
        return parsed(text, [Output(kept)], read)

    def native(self, text: ForeignText, place: Place) -> Native:
        """A map of the keys, which leaves out those that are undefined."""
        pairs = [each.partition("=") for each in str(text).split()]
        names = ((name if name.isidentifier() else f"'{name}'", own or name) for name, _, own in pairs)
        shown = ", ".join(f"{name}: flowContext.{own}" for name, own in names)
        return Native(f"{{{{ {{{shown}}} }}}}")


def _together(found: Sequence[Mapping[str, Any]], key: str) -> dict[str, Any]:
    """The maps of all iterations as one; those that an iteration left out are not in it."""
    whole: dict[str, Any] = {}
    for each in found:
        value = each.get(key) if isinstance(each, Mapping) else None
        whole.update(value if isinstance(value, Mapping) else {})
    return whole


OF_ITERATION, OF_LOOP, KEPT = OfIteration(), OfLoop(), Kept()
