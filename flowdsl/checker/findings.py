"""What the parts of the checker share: its settings, and the diagnostics so far."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from flowdsl.diagnostics import Diagnostic, Related, Severity
from flowdsl.nearest import nearest
from flowdsl.source import Span
from flowdsl.step.flow_shapes import Assign
from flowdsl.syntax.yaml_reader import Node

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.services import ServiceLayers
    from flowdsl.step.registry import Registry
    from flowdsl.step.service import Service


MISSING = frozenset({"missing-key", "missing-prompt", "empty-flow"})
"""The codes of findings about what is not there."""

FILE_CODES = frozenset({"missing-file", "import-cycle", "outside-root", "not-a-module", "include-cycle"})
"""The codes of findings about another file."""


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

    __slots__ = ("diagnostics", "maybe_written", "placeholders", "services", "settings", "slipped")

    def __init__(self, settings: CheckSettings, diagnostics: Iterable[Diagnostic] = ()) -> None:
        self.settings = settings
        self.diagnostics = list(diagnostics)
        self.slipped = any(slip.code in ("tab", "misnested-key", "indentation") for slip in self.diagnostics)
        """Whether lines had to be left out to read the file: then nothing is reported as missing."""
        self.maybe_written = {slip.span.text for slip in self.diagnostics} if self.slipped else set[str]()
        """FlowContext keys that a part of the file with a mistake of its own may set."""
        self.services: dict[tuple[str, str], Service] = {}
        """The merged service entries, by entry and step."""
        self.placeholders = set(settings.variables)
        """The names that `{name}` in a text stands for: host variables and declared inputs."""

    @property
    def failed_imports(self) -> bool:
        """Whether a file could not be read that may hold what is missing."""
        return any(found.code in FILE_CODES for found in self.diagnostics)

    @property
    def assigning_step(self) -> str | None:
        """The name of a step that sets any FlowContext key, for hints that say how to set one."""
        return self.settings.registry.with_shape(lambda flow: isinstance(flow, Assign) and flow.keys == "others")

    def how_to_set(self, more: str) -> str:
        """The start of a hint for a key that nothing sets, and what else can be done."""
        step = self.assigning_step
        return f"set it{f' in a {step} step' if step is not None else ''}{more}"

    @property
    def example_step(self) -> str:
        """The hint that shows what a step looks like."""
        return f"a step looks like `- step: {self.assigning_step or 'NAME'}`"

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
