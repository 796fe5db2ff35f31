"""Which steps exist: those of the installed plugins and those a host adds.

A plugin is a package named by an entry point of the group `flowdsl.steps`. It may ship an index (`index.json`, made by
`flowdsl schema --index`), so that its steps can be checked without importing them; without one the package is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdsl.entry_points import foreign, targets
from flowdsl.errors import PluginError
from flowdsl.nearest import nearest
from flowdsl.step.flow_shapes import Assign, FlowShape
from flowdsl.step.index import StepIndex, parse_entry, read_index
from flowdsl.step.spec import StepSpec

if TYPE_CHECKING:
    from flowdsl.step.step import Step

GROUP = "flowdsl.steps"


class Registry:
    """The steps that flows may use, by name; immutable: those of an index, and step classes. `of_host` names the steps
    that a host added.

    Raises:
        PluginError: something else than a step class is given.
    """

    def __init__(
        self, index: StepIndex, classes: Iterable[type[Step]] = (), *, of_host: frozenset[str] = frozenset()
    ) -> None:
        self.of_host = of_host
        self._entries = dict(index.entries)
        self._aliases = dict(index.aliases)
        self._classes: dict[str, type[Step]] = {}
        self._specs: dict[str, StepSpec] = {}
        for cls in classes:
            self._add(cls)

    def _add(self, cls: type[Step]) -> None:
        from flowdsl.step.step import Step, spec_of

        if not (isinstance(cls, type) and issubclass(cls, Step)):
            raise PluginError(f"{cls!r} is not a step: subclass flowdsl.Step")
        spec = spec_of(cls)
        self._entries.pop(spec.name, None)
        self._classes[spec.name] = cls
        self._specs[spec.name] = spec
        self._aliases.update(dict.fromkeys(spec.aliases, spec.name))

    def __iter__(self) -> Iterator[str]:
        """The names of all steps, sorted."""
        return iter(sorted({*self._entries, *self._classes}))

    def spec(self, name: str) -> StepSpec | None:
        """The spec of a step, by its name or an alias; None when there is no such step.

        Raises:
            PluginError: its entry in the index cannot be read.
        """
        spec = self._specs.get(name)
        if spec is None:
            entry = self._entries.get(name)
            if entry is not None:
                spec = self._specs[name] = _indexed(name, entry)
            elif name in self._aliases:
                spec = self.spec(self._aliases[name])
        return spec

    def shapes(self) -> Iterator[tuple[str, FlowShape]]:
        """The name of each step, sorted, with what it means for the flow around it."""
        for name in self:
            spec = self.spec(name)
            if spec is not None:
                yield name, spec.flow

    def with_shape(self, fits: Callable[[FlowShape], bool]) -> str | None:
        """The first step, by name, whose shape fits: what a hint can name. None when there is none."""
        return next((name for name, flow in self.shapes() if fits(flow)), None)

    @property
    def assigning_step(self) -> str | None:
        """The name of a step that sets any FlowContext key, for hints that say how to set one."""
        return self.with_shape(lambda flow: isinstance(flow, Assign) and flow.keys == "others")

    def step_class(self, name: str) -> type[Step]:
        """The class of a step that exists, imported on first use."""
        name = self._aliases.get(name, name)
        cls = self._classes.get(name)
        if cls is None:
            from importlib import import_module

            import flowdsl.step.models  # noqa: F401  before a step imports pydantic

            module, _, qualname = _indexed(name, self._entries[name]).qualname.partition(":")
            cls = getattr(import_module(module), qualname)
            self._classes[name] = cls
        return cls

    def live_class(self, name: str) -> type[Step] | None:
        """The class of a step if it is imported already, without importing it."""
        return self._classes.get(self._aliases.get(name, name))

    def nearest(self, name: str) -> str | None:
        """The step or alias that a misspelt name most likely means."""
        return nearest(name, (*self, *self._aliases))

    def with_steps(self, classes: Iterable[type[Step]]) -> Registry:
        """A registry with these classes added.

        Raises:
            PluginError: a class has the name of an installed step, and does not say `replaces=True`.
        """
        classes = tuple(classes)
        for cls in classes:
            declared = getattr(cls, "declared", {})
            name = declared.get("name")
            if name is not None and self.spec(name) is not None and not declared.get("replaces"):
                raise PluginError(
                    f"{cls.__name__}: there is a step {name} already; `replaces=True` on the class takes its place"
                )
        names = frozenset(cls.declared["name"] for cls in classes if hasattr(cls, "declared"))
        found = StepIndex(self._entries, self._aliases)
        return Registry(found, (*self._classes.values(), *classes), of_host=self.of_host | names)


@lru_cache(maxsize=1)
def installed() -> Registry:
    """The steps of all installed plugins.

    Raises:
        PluginError: no plugin is installed (not even the standard steps), or one cannot be loaded.
    """
    entries: dict[str, str] = {}
    aliases: dict[str, str] = {}
    classes: list[type[Step]] = []
    owners: dict[str, str] = {}
    plugins = sorted(targets(GROUP))
    if not plugins:
        raise PluginError(
            "no steps are installed, not even the standard ones: run `pip install -e .` (or reinstall flowdsl)"
        )
    for name, target in plugins:
        index = _index(name, target)
        if index is None:
            from flowdsl.step.step import spec_of

            found = _classes(name, target)
            for cls in found:
                _claim(spec_of(cls).name, name, owners)
            classes += found
            continue
        for step in index.entries:
            _claim(step, name, owners)
        entries.update(index.entries)
        aliases.update(index.aliases)
    return Registry(StepIndex(entries, aliases), classes)


def _indexed(name: str, entry: str) -> StepSpec:
    try:
        return StepSpec.from_index(parse_entry(entry))
    except (KeyError, TypeError, ValueError) as error:
        raise PluginError(
            f"the index entry of the step {name} cannot be read ({type(error).__name__}: {error}): write the index of "
            "its package again with `flowdsl schema --index PACKAGE`"
        ) from error


def _claim(step: str, plugin: str, owners: dict[str, str]) -> None:
    if owners.setdefault(step, plugin) != plugin:
        raise PluginError(f"the step {step} is defined by two plugins, `{owners[step]}` and `{plugin}`")


def _index(plugin: str, target: str) -> StepIndex | None:
    """The index a plugin ships, or None."""
    return None if ":" in target else foreign(GROUP, plugin, target, lambda: read_index(target))


def _classes(plugin: str, target: str) -> list[type[Step]]:
    """The step classes of a plugin without an index: the class it names, or every one its package defines."""
    from importlib import import_module

    from flowdsl.step.step import Step

    package, _, attribute = target.partition(":")

    def read() -> list[Any]:
        module = import_module(package)
        return [getattr(module, attribute)] if attribute else list(discover(module, Step))

    found = foreign(GROUP, plugin, target, read)
    for value in found:
        if not (isinstance(value, type) and issubclass(value, Step)):
            raise PluginError(f"the steps plugin `{plugin}` names {target}, which is not a step class")
    return found


def discover(package: Any, base: type[Step]) -> Iterator[type[Step]]:
    """Every named step class that the modules of a package define, in the order of their modules."""
    import pkgutil
    from importlib import import_module

    modules = [package]
    for found in pkgutil.walk_packages(getattr(package, "__path__", ()), f"{package.__name__}."):
        hidden = found.name.rpartition(".")[2].startswith("_")
        if not hidden:
            modules.append(import_module(found.name))
    for module in modules:
        for value in list(vars(module).values()):
            defined_here = isinstance(value, type) and value.__module__ == module.__name__
            if defined_here and issubclass(value, base) and value.declared.get("name"):
                yield value
