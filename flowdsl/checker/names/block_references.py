"""Uses of blocks in templates: `local.constants.x`, `imports.a.vars.y`, and what they give."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.checker.types.kinds import ANY, OPEN_MAP, Type, of_value
from flowdsl.diagnostics import Related
from flowdsl.document.root_keys import BLOCK_KINDS, NAMESPACES
from flowdsl.nearest import nearest
from flowdsl.template import parse

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.checker.names.name_table import NameTable
    from flowdsl.checker.names.template_use import Part, Use
    from flowdsl.codes import Severity
    from flowdsl.document.document import BlockSet, Module


class BlockReferences:
    """What the namespaces of blocks hold; `reading` says which var is being read, and from where.

    The names are handed in: two that held each other would keep the nodes of a file until garbage is collected.
    """

    def __init__(self) -> None:
        self._evaluating: list[tuple[int, str]] = []
        self._known: dict[tuple[int, str], Type] = {}
        """The vars that the var which is being read has read so far: each is looked at once, or work doubles with each
        that reads another twice."""
        self.reading: tuple[Related, ...] = ()
        self._own: Module | None = None
        """The module whose var is being read, whose blocks `local` is there."""

    def type(self, names: NameTable, root: str, parts: Sequence[Part], use: Use, start: int, quiet: bool) -> Type:
        """The type of `root.kind.name…`, of which `parts` are all but the root; reports blocks that do not exist.

        `start` is the offset of the root in the template. With `quiet` a missing block is a warning, and no blocks at
        all are not reported.
        """
        index, shown = 0, root
        module: Module | None = None
        if root == "imports":
            if not parts or parts[0].key is None:
                return OPEN_MAP
            alias = parts[0].key
            modules = names.module.imports if names.module is not None else names.document.imports
            if alias not in modules:
                if not names.findings.failed_imports:
                    self._unknown(names, "no import has the alias", alias, alias, modules, parts[0], use, quiet)
                return ANY
            module, index, shown = modules[alias], 1, f"imports.{alias}"
            blocks: BlockSet | None = module.blocks
        elif root == "local" and self._own is not None:
            module, blocks = self._own, self._own.blocks
        else:
            blocks = names.document.scopes.get(root)
        if blocks is None:
            if names.foreign:
                return ANY
            if not quiet:
                hint = "declare `blocks:` next to `flow:`" if root == "local" else "only the actions of a kit have it"
                message = f"`{root}` is undefined: this flow has no such blocks"
                names.findings.add("undefined-block", message, use.span(start, start + len(root)), hint=hint)
            return ANY
        return self._of_blocks(names, blocks, module, parts, index, shown, use, quiet)

    def _of_blocks(
        self,
        names: NameTable,
        blocks: BlockSet,
        module: Module | None,
        parts: Sequence[Part],
        index: int,
        shown: str,
        use: Use,
        quiet: bool,
    ) -> Type:
        if len(parts) <= index or parts[index].key is None:
            return OPEN_MAP
        kind = parts[index].key
        if kind not in BLOCK_KINDS:
            kinds: Iterable[str] = BLOCK_KINDS
            self._unknown(names, f"`{shown}` has no", str(kind), f"{shown}.{kind}", kinds, parts[index], use, quiet)
            return ANY
        shown = f"{shown}.{kind}"
        found = {"constants": blocks.constants, "vars": blocks.vars, "flows": blocks.flows}[kind]
        if len(parts) <= index + 1 or parts[index + 1].key is None:
            return OPEN_MAP
        part = parts[index + 1]
        name = str(part.key)
        if name not in found:
            if names.foreign and module is None:
                return ANY
            self._unknown(names, f"`{shown}` has no", name, f"{shown}.{name}", found, part, use, quiet)
            return ANY
        if kind == "flows":
            return ANY
        shown = f"{shown}.{name}"
        constant = kind == "constants"
        target = of_value(blocks.constants[name]) if constant else self._var(names, blocks, name, module, use)
        return names.members(target, parts, index + 2, shown, use, quiet)

    def _var(self, names: NameTable, blocks: BlockSet, name: str, module: Module | None, use: Use) -> Type:
        """The type of a var, which is resolved where it is read."""
        key = (id(blocks), name)
        if key in self._evaluating or len(self._evaluating) > 16:
            return ANY
        if not self._evaluating:
            self._known.clear()
        elif key in self._known:
            return self._known[key]
        node = blocks.vars[name]
        kept, around, own = self.reading, names.module, self._own
        self._own = module
        if module is not None:
            names.module = module
        self.reading = kept or (Related(use.node.span, "read here"),)
        self._evaluating.append(key)
        try:
            template = parse(node.value)
            found = self._known[key] = names.template(template, node, use.state)
            return found
        finally:
            self._evaluating.pop()
            self.reading, names.module, self._own = kept, around, own

    def _unknown(
        self,
        names: NameTable,
        message: str,
        name: str,
        shown: str,
        among: Iterable[str],
        part: Part,
        use: Use,
        quiet: bool,
    ) -> None:
        if shown in use.reported:
            return
        use.reported.add(shown)
        findings, known = names.findings, list(among)
        near = nearest(name, known)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(known)}" if known else None
        severity: Severity | None = "warning" if quiet or names.lenient else None
        span = use.span(part.start, part.end)
        text = use.text[part.start : part.end]
        fix = use.instead(part.start, part.end, text.replace(name, near)) if near else None
        findings.add("undefined-block", f"{message} `{name}`", span, hint=hint, severity=severity, fixes=[fix])


def check_cycles(scopes: Mapping[str, BlockSet], imports: Mapping[str, Module], findings: Findings) -> None:
    """Reports vars that read themselves, each cycle once."""
    spaces = {**scopes, **{f"imports.{alias}": module.blocks for alias, module in imports.items()}}
    done: set[tuple[str, str]] = set()
    for space, blocks in spaces.items():
        for name in blocks.vars:
            _walk((space, name), spaces, done, findings)


def _walk(
    start: tuple[str, str], spaces: Mapping[str, BlockSet], done: set[tuple[str, str]], findings: Findings
) -> None:
    """Follows what a var reads, and what that reads. A chain may be longer than Python's stack is deep."""
    if start in done:
        return
    path: dict[tuple[str, str], Iterator[tuple[str, str]]] = {start: _reads(start, spaces)}
    while path:
        at, left = next(reversed(path.items()))
        target = next(left, None)
        if target is None:
            del path[at]
            done.add(at)
        elif target in path:
            names = list(path)
            _cycle(names[names.index(target) :], spaces, findings)
        elif target not in done:
            path[target] = _reads(target, spaces)


def _reads(at: tuple[str, str], spaces: Mapping[str, BlockSet]) -> Iterator[tuple[str, str]]:
    """The vars that a var reads."""
    space, name = at
    node = spaces[space].vars.get(name) if space in spaces else None
    for reference in parse(node.value).references if node is not None else ():
        target = _target(reference.root, reference.path)
        if target is not None and target[0] == "local" and space.startswith("imports."):
            target = space, target[1]  # in a var of a module, `local` is the module's
        if target is not None:
            yield target


def _cycle(cycle: Sequence[tuple[str, str]], spaces: Mapping[str, BlockSet], findings: Findings) -> None:
    chain = " → ".join(name for _, name in (*cycle, cycle[0]))
    first = min(cycle, key=lambda each: list(spaces).index(each[0]))
    findings.add(
        "vars-cycle",
        f"Circular vars reference detected: {chain}",
        spaces[first[0]].vars[first[1]],
        hint="a var is resolved each time it is read: let one of them stand without the others",
    )


def _target(root: str, path: tuple[str, ...]) -> tuple[str, str] | None:
    if root == "imports" and len(path) >= 3 and path[1] == "vars":
        return f"imports.{path[0]}", path[2]
    if root in NAMESPACES and root != "imports" and len(path) >= 2 and path[0] == "vars":
        return root, path[1]
    return None
