"""Names in templates: the FlowContext and its neighbours, names set by the template, loop variables.

`set` writes to the nearest loop or template that already holds the name, else to the loop it stands in; a name first
set in a loop ends with the loop. A name whose value is undefined counts as not set, so a read goes on outwards.
"""

from __future__ import annotations

from typing import Any, Final

from flowdsl.template.builtins import BUILTINS
from flowdsl.template.nodes import Body, FilterBlock, For, If, Output, Set, Switch, Text
from flowdsl.template.writer import Writer


def names_set(body: Body, in_loops: bool = False) -> set[str]:
    """The names that `set` writes in a body, without those in loops; with `in_loops` only those in loops."""
    found: set[str] = set()
    for statement in body:
        kind = type(statement)
        if kind is Text or kind is Output:
            continue
        if isinstance(statement, Set):
            found.update(() if in_loops else statement.names)
            found |= names_set(statement.body, in_loops)
        elif isinstance(statement, If):
            for _condition, inner in statement.branches:
                found |= names_set(inner, in_loops)
        elif isinstance(statement, Switch):
            for _case, inner in statement.cases:
                found |= names_set(inner, in_loops)
            found |= names_set(statement.otherwise, in_loops)
        elif isinstance(statement, FilterBlock):
            found |= names_set(statement.body, in_loops)
        elif isinstance(statement, For) and in_loops:
            inner = [*statement.body, *statement.otherwise]
            found |= names_set(inner) | names_set(inner, in_loops)
    return found


def loop_parts(index: int, length: int) -> dict[str, Any]:
    """What `loop` holds in the iteration number `index`, from 0, of a loop with `length` of them."""
    return {
        "index": index + 1,
        "index0": index,
        "revindex": length - index,
        "revindex0": length - index - 1,
        "first": index == 0,
        "last": index == length - 1,
        "length": length,
    }


LOOP_PARTS: Final = frozenset(loop_parts(0, 0))


class Loop:
    """The `loop` of one `for`: its parts are computed where they are read."""

    def __init__(self, index: str, length: str) -> None:
        self.index = index
        self.length = length
        self.used = False

    def parts(self) -> dict[str, str]:
        """The code of each part."""
        i, n = self.index, self.length
        return {
            "index": f"({i} + 1)",
            "index0": i,
            "revindex": f"({n} - {i})",
            "revindex0": f"({n} - {i} - 1)",
            "first": f"({i} == 0)",
            "last": f"({i} == {n} - 1)",
            "length": n,
        }

    def part(self, name: Any) -> str:
        """The code of one part; undefined for a name it does not have."""
        self.used = True
        return self.parts().get(name, "U") if isinstance(name, str) else "U"

    def whole(self) -> str:
        """The code of all parts as a mapping."""
        self.used = True
        return "{" + ", ".join(f"'{name}': {code}" for name, code in self.parts().items()) + "}"


class Frame:
    """The names of a template or loop: those it sets, and the loop's own; `fixed` are locals of those never set."""

    def __init__(self, own: dict[str, str], sets: dict[str, str], loop: Loop | None, fixed: set[str]) -> None:
        self.own = own
        self.sets = sets
        self.loop = loop
        self.fixed = fixed


class Scope:
    """The frames around a place, and the free names read so far."""

    def __init__(self, writer: Writer) -> None:
        self.writer = writer
        self.frames: list[Frame] = []
        self.free: dict[str, str] = {}
        self.names: dict[str, str] = {}
        self.getters: dict[str, str] = {}
        self._fresh = 0

    def enter(self, body: Body, own: dict[str, str], loop: Loop | None) -> Frame:
        """Go into a template or loop; its names are not set yet."""
        sets = {}
        written = names_set(body)
        if written and not self.frames:
            # written at the template's own level only, such a name is one with the FlowContext's of that name
            own = {name: self.outside(name) for name in sorted(written - names_set(body, in_loops=True))}
        for name in sorted(written - own.keys()):
            self._fresh += 1
            sets[name] = f"s{self._fresh}"
            self.writer.line(f"{sets[name]} = U")
        frame = Frame(own, sets, loop, {local for name, local in own.items() if name not in written})
        self.frames.append(frame)
        return frame

    def leave(self) -> None:
        """Go out again."""
        self.frames.pop()

    def loop(self, name: str) -> Loop | None:
        """The loop that `loop` means here."""
        if name != "loop":
            return None
        return next((f.loop for f in reversed(self.frames) if f.loop is not None), None)

    def read(self, name: str) -> str:
        """The code of a name."""
        found: list[str] = []
        closing = ""
        for frame in reversed(self.frames):
            if name in frame.own:
                return "".join(found) + frame.own[name] + closing
            if name == "loop" and frame.loop is not None:
                return "".join(found) + frame.loop.whole() + closing
            if name in frame.sets:
                local = frame.sets[name]
                found.append(f"({local} if {local} is not U else ")
                closing += ")"
        if name == "":
            raise AssertionError("the filtered text has its own name")
        return "".join(found) + self.outside(name) + closing

    def outside(self, name: str) -> str:
        """The local that holds a free name."""
        if name not in self.free:
            self.free[name] = local = f"v{len(self.free)}"
            self.names[local] = name
        return self.free[name]

    def is_free(self, code: str) -> bool:
        """Whether code is nothing but the local of a free name that is never written."""
        name = self.names.get(code)
        return name is not None and name not in self.frames[0].sets and name not in self.frames[0].own

    def getter(self, code: str) -> str | None:
        """The local that reads the members of what code gives, when that is a name that keeps its value."""
        if code in self.getters:
            return self.getters[code]
        if self.is_free(code) or any(code in frame.fixed for frame in self.frames):
            return self.getters.setdefault(code, f"g{code[1:]}")
        return None

    def loads(self, text: str) -> list[str]:
        """The lines that look up the free names that the lines in `text` use."""
        lines = []
        for name, local in self.free.items():
            key = self.writer.constant(name)
            getter = self.getters.get(local)
            bare = local in text
            if name == "flowContext":
                value = f"names.get({key}, context)"
            else:
                fallback = self.writer.constant(BUILTINS[name]) if name in BUILTINS else "U"
                value = f"names[{key}] if {key} in names else context.get({key}, {fallback})"
            if bare:
                lines.append(f"{local} = {value}")
                value = local
            if getter is not None:
                only = name == "flowContext" and not bare
                code = f"getter({value})"
                if only:
                    code = f"context.get if type(context) is dict and {key} not in names else root(context, names)"
                lines.append(f"{getter} = {code}")
        return lines

    def is_own(self, name: str) -> bool:
        """Whether a name has one local, which setting it just writes."""
        return name in self.frames[-1].own

    def write(self, name: str, value: str) -> None:
        """Set a name to the value a local holds."""
        current, outer = self.frames[-1], list[str]()
        if name in current.own:
            self.writer.line(f"{current.own[name]} = {value}")
            return
        for frame in reversed(self.frames[:-1]):
            local = frame.own.get(name) or frame.sets.get(name)
            if local is not None:
                outer.append(local)
            if name in frame.own:
                break
        mine = current.sets[name]
        if len(self.frames) == 1:
            # the template's own level also hides the FlowContext's value, even by undefined
            self.writer.line(f"{self.outside(name)} = {value}")
        for index, local in enumerate(outer):
            word = "if" if index == 0 else "elif"
            self.writer.line(f"{word} {mine} is U and {local} is not U:")
            self.writer.line(f"    {local} = {value}")
        if outer:
            self.writer.line("else:")
        self.writer.line(f"{'    ' if outer else ''}{mine} = {value}")
