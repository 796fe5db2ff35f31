"""What the parts of the checker share: its settings, and the diagnostics so far."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from flowdsl.document.findings import Findings as FormFindings

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.document.document import StepNode
    from flowdsl.services import ServiceLayers
    from flowdsl.source import Source
    from flowdsl.step.key import Key
    from flowdsl.step.registry import Registry
    from flowdsl.step.service import Service
    from flowdsl.template.filters import Filters


class CheckSettings:
    """What a flow is checked against: the steps that exist, the names a host adds, the services, and the day.

    `objects` are names in templates, `variables` host variables for `{name}`, `context` FlowContext keys that the
    caller sets, `env` the environment variables that templates may read, `filters` the host's.
    """

    __slots__ = ("_as_of", "context", "env", "filters", "objects", "registry", "services", "variables")

    def __init__(
        self,
        registry: Registry,
        *,
        services: ServiceLayers,
        objects: Iterable[str] = (),
        variables: Iterable[str] = (),
        context: Iterable[str] = (),
        env: Iterable[str] = (),
        as_of: date | None = None,
        filters: Filters = (),
    ) -> None:
        self.registry = registry
        self.services = services
        self.objects = frozenset(objects)
        self.variables = frozenset(variables)
        self.context = frozenset(context)
        self.env = frozenset(env)
        self.filters = filters
        self._as_of = as_of

    @property
    def as_of(self) -> date:
        """The day that life dates of models are compared with, by default today; only some steps ask for it."""
        if self._as_of is None:
            from datetime import date

            self._as_of = date.today()
        return self._as_of


class Findings(FormFindings):
    """The diagnostics of one file: those of its form, and those of the checker."""

    __slots__ = ("options", "placeholders", "plain", "services", "settings", "written")

    def __init__(self, settings: CheckSettings, form: FormFindings | None = None) -> None:
        super().__init__(form.diagnostics if form is not None else ())
        if form is not None:
            self.misindented, self.maybe_written = form.misindented, set(form.maybe_written)
        self.settings = settings
        self.services: dict[tuple[str, str], Service] = {}
        """The merged service entries, by entry and step."""
        self.written: frozenset[str] | None = None
        """The FlowContext keys that steps of the document set, once somebody has asked."""
        self.options: dict[int, tuple[StepNode, Key]] | None = None
        """The options of every step by the `id` of their nodes, once somebody has asked."""
        self.plain: Source | None = None
        """A file in which no text looks like one of another language."""
        self.placeholders = set(settings.variables)
        """The names that `{name}` in a text stands for: host variables and declared inputs."""

    def how_to_set(self, more: str) -> str:
        """The start of a hint for a key that nothing sets, and what else can be done."""
        step = self.settings.registry.assigning_step
        return f"set it{f' in a {step} step' if step is not None else ''}{more}"
