"""What a field of a step class can be marked with, beside its type: how its value is read, and where it goes."""

from __future__ import annotations

from flowdsl.errors import PluginError


class Verbatim:
    """Marks a field whose text is used unchanged: no template is looked for in it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Verbatim()"


class Condition:
    """Marks a field that is a condition: an undefined value is false there, not an error."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Condition()"


class Expression:
    """Marks a field that holds a bare expression, without braces; its value is resolved before the step runs."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Expression()"


class Deferred:
    """Marks a field that the step itself resolves, as often as it needs: `ctx.evaluate(key, names)`.

    `names` are what its template can read beside the names of every template.
    """

    __slots__ = ("names",)

    def __init__(self, *names: str) -> None:
        self.names = names

    def __repr__(self) -> str:
        return f"Deferred({', '.join(map(repr, self.names))})"


class Prompt:
    """Marks a field whose text is sent to a model or shown to people: a secret must not reach it."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Prompt()"


class Reads:
    """Marks a field that says what a step works on; a text without a template that names a FlowContext path is read
    from there, and is itself otherwise.

    `types` are what the step can work on, of `TYPES`; without any it is every value.
    """

    TYPES = ("text", "number", "boolean", "list", "map", "image", "images", "blob")
    __slots__ = ("types",)

    def __init__(self, *types: str) -> None:
        self.types = types or self.TYPES

    def __repr__(self) -> str:
        return f"Reads({', '.join(map(repr, self.types))})"


class InFile:
    """Marks a field that becomes part of a file: its content, its `name`, or the name of its `folder`.

    A secret must not reach it, and a name that is the same in each iteration of a loop is worth a note; `differs` are
    names of a `Deferred` field that make it another one for each file. `numbers` are two more of them, which are known
    before there is a file: its number from 1, and how many there are.
    """

    PARTS = ("content", "name", "folder")
    __slots__ = ("differs", "numbers", "part")

    def __init__(self, part: str = "content", *, differs: tuple[str, ...] = (), numbers: tuple[str, ...] = ()) -> None:
        if part not in self.PARTS:
            raise PluginError(f"InFile takes one of {', '.join(self.PARTS)}, not {part!r}")
        self.part = part
        self.differs = differs
        self.numbers = numbers

    def __repr__(self) -> str:
        return f"InFile({self.part!r})"


class ProjectFile:
    """Marks a field whose texts name files of the project that the step reads: `./` and `../` from the file that names
    them, others from the project's root. What such a step was told is asked anew each time, as files change."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "ProjectFile()"


class Secrets:
    """Marks a map such as headers, in which keys of a service are often written: one in plain text is a finding."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "Secrets()"
