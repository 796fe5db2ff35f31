"""Namespaces of blocks at run time: `global`, `section`, `local` and `imports.<alias>`, with vars that are lazy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.document import BlockSet, Document, Module
from flowdsl.errors import TemplateError

if TYPE_CHECKING:
    from flowdsl.compile import Compiler, Names, Resolver
    from flowdsl.engine import Run


class Scopes:
    """The blocks of a document, compiled; `names_for` binds them to a run."""

    def __init__(self, document: Document, compiler: Compiler) -> None:
        self._document = document
        self._compiler = compiler
        self._vars: dict[int, dict[str, Resolver]] = {}

    def names_for(self, run: Run, module: Module | None) -> Names:
        """The names of a run with its namespaces; inside a module `imports` are the module's own."""
        names = dict(run.names)
        imports = module.imports if module is not None else self._document.imports
        for scope, blocks in self._document.scopes.items():
            names[scope] = self._namespace(blocks, scope, run, None)
        names["imports"] = {
            alias: self._namespace(found.blocks, f"imports.{alias}", run, found) for alias, found in imports.items()
        }
        return names

    def _namespace(self, blocks: BlockSet, path: str, run: Run, module: Module | None) -> dict[str, Any]:
        resolvers = self._vars.get(id(blocks))
        if resolvers is None:
            resolvers = {name: self._compiler.resolver(node) for name, node in blocks.vars.items()}
            self._vars[id(blocks)] = resolvers
        return {
            "constants": blocks.constants,
            "vars": LazyVars(resolvers, f"{path}.vars", run, module, self),
            "flows": dict.fromkeys(blocks.flows),
        }


class LazyVars(Mapping[str, Any]):
    """The vars of one namespace: each is resolved anew at each access, against the FlowContext of the run."""

    __slots__ = ("_module", "_path", "_resolvers", "_run", "_scopes")

    def __init__(
        self, resolvers: dict[str, Resolver], path: str, run: Run, module: Module | None, scopes: Scopes
    ) -> None:
        self._resolvers = resolvers
        self._path = path
        self._run = run
        self._module = module
        self._scopes = scopes

    def __getitem__(self, name: str) -> Any:
        resolve = self._resolvers[name]
        run, key = self._run, f"{self._path}.{name}"
        evaluating = run.evaluating
        if key in evaluating:
            chain = " → ".join(part.rpartition(".")[2] for part in [*evaluating[evaluating.index(key) :], key])
            raise TemplateError(f"Circular vars reference detected: {chain}", code="vars-cycle")
        names = run.names if self._module is None else self._scopes.names_for(run, self._module)
        evaluating.append(key)
        try:
            return resolve(run.context, names)
        finally:
            evaluating.pop()

    def __contains__(self, name: object) -> bool:
        return name in self._resolvers

    def __iter__(self) -> Iterator[str]:
        return iter(self._resolvers)

    def __len__(self) -> int:
        return len(self._resolvers)
