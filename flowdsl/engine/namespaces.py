"""Namespaces of blocks at run time: `global`, `section`, `local` and `imports.<alias>`, with vars that are lazy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from time import thread_time
from typing import Any, Protocol

from flowdsl.document.document import BlockSet, Document, Module
from flowdsl.errors import TemplateError
from flowdsl.step.compiling import Names, Resolver
from flowdsl.syntax.node import Node
from flowdsl.template.limits import limit_error

MAX_RESOLVED = 10_000
"""How many vars may be resolved for one that is read."""


class Evaluation(list[str]):
    """The paths of the vars that are being resolved, each inside the one before it, and how many it were in all.

    Every run and branch makes one, and few have vars.
    """

    _resolved = 0
    _deadline = 0.0

    def enter(self, path: str, max_seconds: float) -> None:
        """Begins with one more var; those that one reading takes in have so much time together.

        Raises:
            TemplateError: it is being resolved already; too many others were for the same reading; the time is up.
        """
        if path in self:
            chain = " → ".join(part.rpartition(".")[2] for part in [*self[self.index(path) :], path])
            raise TemplateError(f"Circular vars reference detected: {chain}", code="vars-cycle")
        if not self:
            self._resolved, self._deadline = 0, 0.0
        elif not self._deadline:
            self._deadline = thread_time() + max_seconds
        elif thread_time() > self._deadline:
            raise limit_error("its vars take too long", f"{max_seconds:g} s")
        self._resolved += 1
        if self._resolved > MAX_RESOLVED:
            raise limit_error("its vars read too many others", f"{MAX_RESOLVED:,}")
        self.append(path)


class Reading(Protocol):
    """Who reads the namespaces: a FlowContext, its other names, and the vars that are being resolved right now."""

    @property
    def context(self) -> dict[str, Any]:
        """The FlowContext."""
        ...

    @property
    def names(self) -> Names:
        """What templates can read beside it."""
        ...

    @property
    def evaluating(self) -> Evaluation:
        """The vars that are being resolved."""
        ...


class Namespaces:
    """The blocks of a document, compiled; `names_for` binds them to whoever reads them. What one reading of a var takes
    in has `max_seconds`."""

    def __init__(self, document: Document, compile: Callable[[Node], Resolver], max_seconds: float) -> None:
        self.max_seconds = max_seconds
        self._document = document
        self._compile = compile
        self._vars: dict[int, dict[str, Resolver]] = {}

    def names_for(self, reading: Reading, module: Module | None) -> Names:
        """The names of a run with its namespaces; inside a module `imports` are the module's own."""
        names = dict(reading.names)
        imports = module.imports if module is not None else self._document.imports
        for scope, blocks in self._document.scopes.items():
            names[scope] = self._namespace(blocks, scope, reading, None)
        names["imports"] = {
            alias: self._namespace(found.blocks, f"imports.{alias}", reading, found) for alias, found in imports.items()
        }
        return names

    def names_in_vars(self, reading: Reading, module: Module, path: str) -> Names:
        """The names of the vars of a module: `local` is the module's, which `path` leads to, and `imports` as well."""
        return {**self.names_for(reading, module), "local": self._namespace(module.blocks, path, reading, module)}

    def _namespace(self, blocks: BlockSet, path: str, reading: Reading, module: Module | None) -> dict[str, Any]:
        resolvers = self._vars.get(id(blocks))
        if resolvers is None:
            resolvers = {name: self._compile(node) for name, node in blocks.vars.items()}
            self._vars[id(blocks)] = resolvers
        return {
            "constants": blocks.constants,
            "vars": LazyVars(resolvers, f"{path}.vars", reading, module, self),
            "flows": dict.fromkeys(blocks.flows),
        }


class LazyVars(Mapping[str, Any]):
    """The vars of one namespace: each is resolved anew at each access, against the FlowContext of the run."""

    __slots__ = ("_module", "_namespaces", "_path", "_reading", "_resolvers")

    def __init__(
        self, resolvers: dict[str, Resolver], path: str, reading: Reading, module: Module | None, namespaces: Namespaces
    ) -> None:
        self._resolvers = resolvers
        self._path = path
        self._reading = reading
        self._module = module
        self._namespaces = namespaces

    def __getitem__(self, name: str) -> Any:
        resolve = self._resolvers[name]
        reading, key = self._reading, f"{self._path}.{name}"
        evaluating = reading.evaluating
        evaluating.enter(key, self._namespaces.max_seconds)
        try:
            names = reading.names
            if self._module is not None:
                names = self._namespaces.names_in_vars(reading, self._module, self._path.removesuffix(".vars"))
            return resolve(reading.context, names)
        finally:
            evaluating.pop()

    def __contains__(self, name: object) -> bool:
        return name in self._resolvers

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolvers)

    def __len__(self) -> int:
        return len(self._resolvers)
