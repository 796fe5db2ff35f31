"""Namespaces of blocks at run time: `global`, `section`, `local` and `imports.<alias>`, with vars that are lazy."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

from flowdsl.document.document import BlockSet, Document, Module
from flowdsl.errors import TemplateError
from flowdsl.step.compiling import Names, Resolver
from flowdsl.syntax.node import Node


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
    def evaluating(self) -> list[str]:
        """The paths of the vars that are being resolved."""
        ...


class Namespaces:
    """The blocks of a document, compiled; `names_for` binds them to whoever reads them."""

    def __init__(self, document: Document, compile: Callable[[Node], Resolver]) -> None:
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
        if key in evaluating:
            chain = " → ".join(part.rpartition(".")[2] for part in [*evaluating[evaluating.index(key) :], key])
            raise TemplateError(f"Circular vars reference detected: {chain}", code="vars-cycle")
        module, names = self._module, reading.names
        if module is not None:
            names = self._namespaces.names_in_vars(reading, module, self._path.removesuffix(".vars"))
        evaluating.append(key)
        try:
            return resolve(reading.context, names)
        finally:
            evaluating.pop()

    def __contains__(self, name: object) -> bool:
        return name in self._resolvers

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolvers)

    def __len__(self) -> int:
        return len(self._resolvers)
