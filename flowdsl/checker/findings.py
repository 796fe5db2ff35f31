"""What the parts of the checker share: its settings, the diagnostics so far, and the names known at a place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.diagnostics import Diagnostic, Related, Severity
from flowdsl.nearest import nearest
from flowdsl.reader import Node
from flowdsl.source import Span

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document import InputDeclaration
    from flowdsl.registry import Registry
    from flowdsl.services import Service, ServiceLayers


MISSING = frozenset({"missing-key", "missing-prompt", "empty-flow"})
"""The codes of findings about what is not there."""


class CheckSettings:
    """What a flow is checked against: the steps that exist, the names a host adds, the services, and the day.

    `objects` are names in templates, `variables` host variables for `{name}`, `context` FlowContext keys that the
    caller sets.
    """

    __slots__ = ("as_of", "context", "objects", "registry", "services", "variables")

    def __init__(
        self,
        registry: Registry,
        *,
        services: ServiceLayers,
        objects: Iterable[str] = (),
        variables: Iterable[str] = (),
        context: Iterable[str] = (),
        as_of: date | None = None,
    ) -> None:
        self.registry = registry
        self.services = services
        self.objects = frozenset(objects)
        self.variables = frozenset(variables)
        self.context = frozenset(context)
        self.as_of = as_of


class Findings:
    """The diagnostics of one document."""

    __slots__ = ("diagnostics", "maybe_written", "services", "settings", "slipped")

    def __init__(self, settings: CheckSettings, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.settings = settings
        self.diagnostics = list(diagnostics)
        self.slipped = any(slip.code in ("tab", "misnested-key", "indentation") for slip in self.diagnostics)
        """Whether lines had to be left out to read the file: then nothing is reported as missing."""
        self.maybe_written = {slip.span.text for slip in self.diagnostics} if self.slipped else set[str]()
        """FlowContext keys that a part of the file with a mistake of its own may set."""
        self.services: dict[tuple[str, str], Service] = {}
        """The merged service entries, by entry and step."""

    def add(
        self,
        code: str,
        message: str,
        at: Node | Span,
        *,
        hint: str | None = None,
        severity: Severity = "error",
        related: tuple[Related, ...] = (),
    ) -> None:
        """Records a diagnostic."""
        if self.slipped and code in MISSING:
            return
        span = at if isinstance(at, Span) else at.span
        self.diagnostics.append(Diagnostic(code, message, span, severity, hint, related))

    def unknown_key(
        self, key: Node, names: Iterable[str], where: str, renamed: Mapping[str, str] | None = None
    ) -> bool:
        """Records a key that does not exist, with the nearest of those that do; whether there is one.

        `renamed` maps old names to present ones.
        """
        near = nearest(key.value, [*names, *(renamed or ())])
        near = (renamed or {}).get(near, near) if near else None
        hint = f"did you mean `{near}`?" if near else None
        self.add("unknown-key", f"`{key.value}` is not a key of {where}", key, hint=hint)
        return near is not None


class Scope:
    """The names that templates can read at a place of the flow.

    `written` maps FlowContext keys set by earlier steps to where they are set; `later` those that only later steps set.
    `lenient`: printing an undefined value gives nothing instead of an error.
    """

    __slots__ = ("inputs", "later", "lenient", "names", "open", "written")

    def __init__(self, names: frozenset[str], inputs: Mapping[str, InputDeclaration] | None, lenient: bool) -> None:
        self.names = names
        self.inputs = inputs
        self.lenient = lenient
        self.open = False
        """Whether the caller may have set any key: then none is undefined."""
        self.written: dict[str, Node | None] = {}
        self.later: dict[str, Node] = {}

    def declare(self, names: Iterable[str]) -> None:
        """Adds FlowContext keys that the caller sets."""
        for name in names:
            self.written[name] = None

    def write(self, name: str, node: Node) -> None:
        """Records that a step sets a key."""
        self.written[name] = node

    def has(self, path: str) -> Any:
        """Whether the first name of a dot path is set."""
        return self.open or path.partition(".")[0] in self.written
