"""Uses of names: what a name in a template means at a point of a flow, and what is wrong with reading it there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.checker.flow.state import Entry, State
from flowdsl.checker.names.block_references import BlockReferences
from flowdsl.checker.names.spelling import Spellings
from flowdsl.checker.names.template_use import Part, Use
from flowdsl.checker.types.kinds import (
    ALL,
    ANY,
    FUNCTION,
    IMAGE,
    MAP,
    NULL,
    OF_TEXT,
    OF_UNDEFINED,
    OPEN_MAP,
    SECRET,
    UNDEFINED,
    Type,
    describe,
    join,
    joined_list,
    map_of,
    of_value,
    with_secret,
    without,
)
from flowdsl.diagnostics import Fix, Related
from flowdsl.document.root_keys import NAMESPACES
from flowdsl.nearest import nearest
from flowdsl.template import parse
from flowdsl.template.foreign import ForeignText
from flowdsl.template.syntax import BUILTIN_NAMES

if TYPE_CHECKING:
    from flowdsl.checker.findings import Findings
    from flowdsl.codes import Severity
    from flowdsl.document.document import Document, Module, StepNode
    from flowdsl.source import Span
    from flowdsl.syntax.node import Node
    from flowdsl.template import Reference, Template

RESERVED_NAMES = frozenset({"flowContext", "inputs", *NAMESPACES, "env", "secret", "kv"})
"""The names every template can read."""


class Names:
    """What names mean in one document, and the findings about reading them: a `NameTable`, which says what `start`,
    `end`, `lax`, `guarded` and `called` are.

    `shown` is a name or chain as messages show it. With `quiet` undefined is harmless: it is not reported, and is part
    of the type.
    """

    def __init__(self, document: Document, findings: Findings) -> None:
        self.document = document
        self.findings = findings
        self.lenient = document.lenient
        self.names = RESERVED_NAMES | findings.settings.objects
        self.at = 0
        """Where the step begins that is looked at."""
        self.wanted = ""
        """The type of the option that is looked at, where it is known."""
        self.module: Module | None = None
        self.iteration: tuple[StepNode, State] | None = None
        """The loop over items around whose iterations come one after another, and the state at the head of each."""
        self.foreign = False
        """Whether the blocks of the caller are not known, as in a module."""
        self.blocks = BlockReferences()
        self.watched: list[tuple[dict[str, Span], State]] = []
        """For each concurrent loop around: the keys an iteration reads before it sets them, and the state before it."""
        self.rivals: dict[int, tuple[Entry, str, Span]] = {}
        """Keys that were read after iterations side by side had set them, by the node that sets them."""
        self.spellings = Spellings(document)
        """Numbers that print otherwise than they are written."""
        self._inputs: dict[str, Type] | None = None
        self._later: dict[str, Node] | None = None

    @property
    def reading(self) -> tuple[Related, ...]:
        """Where the var that is being read is read; what is wrong in it is shown with that place."""
        return self.blocks.reading

    @property
    def inputs(self) -> Mapping[str, Type]:
        """The types of the declared inputs."""
        if self._inputs is None:
            from flowdsl.checker.types.schema_types import input_types

            self._inputs = input_types(self.document)
        return self._inputs

    def template(self, template: Template, node: Node, state: State, lax: bool = False) -> Type:
        """The type of what a template gives in a state; reports what it reads wrongly."""
        if template.problems:
            from flowdsl.template.references import settled

            template = settled(template, self.findings.settings.filters)
            if template.problems:
                return ANY
        if isinstance(template.text, ForeignText):  # where whoever gives it has looked at the names himself
            lax = lax or all(each.guarded for each in template.references)
        use = Use(node, state, lax, wanted=self.wanted)
        if template.body is not None:
            from flowdsl.checker.types.inference import Inference

            return Inference(self, use).template(template)
        if template.outputs:
            return self._outputs(template, use)
        found, secret = OF_TEXT, 0
        for reference in template.references:
            found = self.plain(reference, use)
            secret |= found.kinds & SECRET
            if self.spellings.some and not template.is_native and self.module is None:
                self.spellings.print(use, reference.start, reference.end)
        if not template.is_native:
            if len(template.references) == 1:
                self.printed(found, use, template.references[0].start, template.references[0].end)
            return with_secret(OF_TEXT) if secret else OF_TEXT
        if found.kinds & ALL == FUNCTION:
            self.printed(found, use, template.references[0].start, template.references[0].end)
        return found if template.references else ANY

    def _outputs(self, template: Template, use: Use) -> Type:
        """The type of a text with several outputs, each read as if it stood alone."""
        from flowdsl.checker.types.inference import Inference

        secret, found = 0, OF_TEXT
        inside = [range(at, at + len(alone.text)) for at, alone in template.outputs]
        for reference in template.references:
            if not any(reference.start in places for places in inside):
                secret |= self.plain(reference, use).kinds & SECRET
                if self.spellings.some and not template.is_native and self.module is None:
                    self.spellings.print(use, reference.start, reference.end)
        for at, alone in template.outputs:
            part = use.at(at, use.lax and template.is_native)
            found = Inference(self, part).template(alone)
            secret |= found.kinds & SECRET
            if not template.is_native:
                self.printed(found, part, 2, len(alone.text) - 2)
        if template.is_native:
            return found
        return with_secret(OF_TEXT) if secret else OF_TEXT

    def plain(self, reference: Reference, use: Use) -> Type:
        """The type of a reference of plain names."""
        path, at = reference.path, reference.start + len(reference.root) + 1
        parts = []
        for key in path:
            parts.append(Part(key, at, at + len(key)))
            at += len(key) + 1
        return self.chain(reference.root, parts, use, reference.start, reference.end)

    def chain(
        self,
        root: str,
        parts: Sequence[Part],
        use: Use,
        start: int,
        end: int,
        *,
        guarded: bool = False,
        called: bool = False,
    ) -> Type:
        """The type of `root.a.b`, of which `parts` are `a` and `b`; its plain names stand from `start` to `end`.

        Reports what is not there or not set, unless it is `guarded` by a test or a default. `called`: it is the name of
        a function.
        """
        quiet = guarded or use.lax
        if root == "flowContext":
            if not parts:
                return OPEN_MAP
            key = parts[0].key
            if key is None:
                return ANY
            found = self.key(key, f"flowContext.{key}", use, start, end, quiet, called)
            return self.members(found, parts, 1, f"flowContext.{key}", use, quiet)
        if root == "inputs":
            if not parts or parts[0].key is None:
                return OPEN_MAP
            found = self._input(parts[0].key, use, start, end, quiet)
            return self.members(found, parts, 1, f"inputs.{parts[0].key}", use, quiet)
        if root in NAMESPACES:
            return self.blocks.type(self, root, parts, use, start, quiet)
        if root in self.names or root in BUILTIN_NAMES:
            if root == "env" and not quiet and parts and parts[0].key is not None:
                self._variable(parts[0].key, use, start, parts[0].end)
            return ANY
        if use.state.get(root) is not None and root not in use.reported:
            use.reported.add(root)
            message = f"`{root}` is read from the FlowContext by its bare name"
            hint = f"write `flowContext.{root}`"
            fix = use.instead(start, start + len(root), f"flowContext.{root}", safe=True)
            self.findings.add("bare-name", message, use.span(start, end), hint=hint, fixes=[fix])
        found = self.key(root, root, use, start, end, quiet, called)
        return self.members(found, parts, 0, root, use, quiet)

    def key(self, key: str, shown: str, use: Use, start: int, end: int, quiet: bool, called: bool = False) -> Type:
        """The type of a FlowContext key where the template stands; reports the key when it is, or may be, unset."""
        entry = use.state.get(key)
        if self.watched:
            self._watch(key, use, start, end)
        if entry is None:
            if use.state.open:
                return ANY
            if (not quiet or shown == "True") and key not in use.reported:
                from flowdsl.checker.names.undefined import undefined_key

                undefined_key(self, key, shown, use, start, end, called)
            use.reported.add(key)
            return OF_UNDEFINED if quiet else ANY
        if entry.rivals is not None and entry.where is not None:
            self.rivals.setdefault(id(entry.where), (entry, key, use.span(start, end)))
        if entry.stale is not None and (quiet or entry.always):
            from flowdsl.checker.flow.stale import report

            report(self, key, shown, entry, use.span(start, end))
        if entry.always:
            return entry.type
        if quiet:
            return join(entry.type, OF_UNDEFINED)
        if key not in use.reported:
            use.reported.add(key)
            other = f"write `{shown} | default({use.empty(end)})`"
            self.maybe(shown, entry, use.span(start, end), self.reading, other, use.defaulted(end))
        return entry.type

    def _watch(self, key: str, use: Use, start: int, end: int) -> None:
        for read, head in self.watched:
            state: State | None = use.state
            while state is not None and state is not head:
                entry = state.changes.get(key)
                if entry is not None and not entry.narrowed:
                    break
                state = state.base
            else:
                read.setdefault(key, use.span(start, end))

    def maybe(
        self,
        shown: str,
        entry: Entry,
        span: Span,
        more: tuple[Related, ...] = (),
        other: str | None = None,
        fix: Fix | None = None,
    ) -> None:
        """Reports a key, as it is `shown` in the template, that some path leaves unset, and which.

        `other` is what to write where it is read, as `fix` does.
        """
        unset = entry.unset
        message = f"`{shown}` may be unset" + (f": {unset.text}" if unset is not None else "")
        related = more
        if unset is not None and unset.node is not None:
            related = (Related(unset.node.span, unset.label), *more)
        hint = f"set it on every path, or {other}" if other is not None else "set it on every path"
        if unset is not None and unset.kept:
            from flowdsl.checker.names.undefined import how_to_set_anew

            hint, fix = how_to_set_anew(self.findings, other), None
        self.findings.add("maybe-undefined", message, span, hint=hint, related=related, fixes=[fix])

    def members(self, target: Type, parts: Sequence[Part], index: int, shown: str, use: Use, quiet: bool) -> Type:
        """The type of the members `parts[index:]` of a value of type `target`; reports those it does not have."""
        if len(parts) == index:
            return target
        from flowdsl.checker.types.results import may_lack, member

        for part in parts[index:]:
            found = member(target, part.key)
            text = f"{shown}.{part.key}" if part.key and not part.key.isdigit() else f"{shown}[{part.key or '…'}]"
            lacking = found.kinds & UNDEFINED and (
                not found.is_any or (not target.is_any and may_lack(target, part.key))
            )
            if lacking and not quiet and not target.kinds & UNDEFINED:
                self.no_member(target, found, part, shown, text, use)
                found = without(found, UNDEFINED)
                if not found.kinds & ALL:
                    return ANY
            elif part.key and target.open and target.keys and part.key not in target.keys and not quiet:
                self.undeclared(target, part, shown, use)
            target, shown = found, text
        return target

    def no_member(self, target: Type, found: Type, part: Part, shown: str, text: str, use: Use) -> None:
        """Reports that `part`, of type `found`, is no member of the value `shown` of type `target`, or may be none.

        `text` is the chain with the member, as messages show it.
        """
        from flowdsl.checker.types.results import member, member_names

        key = part.key or ""
        span = use.span(part.start, part.end)
        sure = found.kinds & ALL == UNDEFINED
        if target.kinds & ALL == NULL:
            self.findings.add("unknown-member", f"`{shown}` is null, and null has no `{key}`", span)
            return
        if not sure:
            other = f"write `{text} | default({use.empty(part.end)})`"
            message = f"`{text}` may be undefined: `{shown}` is {describe(target)}, and not all of it has `{key}`"
            fix = use.defaulted(part.end)
            self.findings.add("maybe-undefined", message, span, hint=other, fixes=[fix])
            return
        names = member_names(target)
        near = nearest(key, names)
        hint: str | None = f"did you mean `{shown}.{near}`?" if near else None
        new = f".{near}" if near else None
        item = target.item if not key.isdigit() else None
        if not near and item is not None and not item.is_any and member(item, key).kinds != UNDEFINED:
            hint, new = f"did you mean `{shown}[0].{key}`?", f"[0].{key}"
        elif not near and key.isdigit() and target.fixed is not None:
            hint = f"it has {len(target.fixed)} item{'' if len(target.fixed) == 1 else 's'}, counted from 0"
        elif not near and target.keys:
            hint = f"it has {', '.join(names[:8])}"
        severity: Severity | None = "warning" if self.lenient else None
        message = f"`{shown}` is {describe(target)}, and has no `{key}`"
        dotted = use.text[part.start - 1 : part.start] == "."
        fix = use.instead(part.start - 1, part.end, new) if new and dotted else None
        if key.isdigit() and target.fixed and int(key) == len(target.fixed):  # counted from 1
            fix = use.instead(part.start, part.end, use.text[part.start : part.end].replace(key, str(int(key) - 1)))
        self.findings.add("unknown-member", message, span, hint=hint, severity=severity, fixes=[fix])

    def undeclared(self, target: Type, part: Part, shown: str, use: Use) -> None:
        """Reports a member that a map may have, and whose name is nearly that of one that it has."""
        key = part.key or ""
        near = nearest(key, list(target.keys or ())) if target.kinds & ALL == MAP else None
        if near is None or (near.startswith(key) or key.startswith(near)):
            return
        fix = use.instead(part.start, part.end, near)
        message = f"nothing says that `{shown}` has `{key}`; it has `{near}`"
        hint, span = f"did you mean `{shown}.{near}`?", use.span(part.start, part.end)
        self.findings.add("unknown-member", message, span, hint=hint, severity="warning", fixes=[fix])

    def printed(self, type: Type, use: Use, start: int, end: int) -> None:
        """Reports that a value of this type is printed, when its text says nothing."""
        if self.spellings.some and self.module is None:
            self.spellings.print(use, start, end)
        kinds = type.kinds & ALL
        if kinds and not kinds & ~(MAP | IMAGE):
            hint = "name one of its members, or write `| json`"
            message = f"this is {describe(type)}, and prints as [object Object]"
            self.findings.add("wrong-type", message, use.span(start, end), hint=hint, severity="warning")
        elif kinds == FUNCTION:
            fix = use.instead(start, end, f"{use.text[start:end]}()")
            message = "this is a function, which has no text"
            self.findings.add("wrong-type", message, use.span(start, end), hint="call it: add `()`", fixes=[fix])

    def _input(self, name: str, use: Use, start: int, end: int, quiet: bool) -> Type:
        known = self.inputs.get(name)
        if known is not None:
            return known
        if self.foreign:
            return ANY
        if name not in use.reported and (not quiet or self.document.inputs):
            from flowdsl.checker.names.undefined import undefined_input

            undefined_input(self, name, use, start, end, quiet)
        use.reported.add(name)
        return ANY

    def _variable(self, name: str, use: Use, start: int, end: int) -> None:
        if name not in self.findings.settings.env and f"env.{name}" not in use.reported:
            from flowdsl.checker.names.undefined import unreadable_variable

            use.reported.add(f"env.{name}")
            unreadable_variable(self.findings, name, use.span(start, end), use.defaulted(end), self.lenient)

    def later(self) -> dict[str, Node]:
        """Every key that a step of the document sets, with the first place that does."""
        if self._later is None:
            from flowdsl.checker.flow.assigned_keys import first_writes

            self._later = first_writes(self.document.steps)
        return self._later

    def option(self, node: Node, state: State, lax: bool = False) -> Type:
        """The type of the value of a node, lists and maps with all that is in them; reads the templates in it."""
        if node.kind == "scalar":
            value = node.value
            if isinstance(value, str) and "{" in value:
                template = parse(value)
                if not template.is_literal or template.problems:
                    return self.template(template, node, state, lax)
            return _scalar(value)
        if node.kind == "list":
            return joined_list([self.option(item, state, lax) for item in node.value])
        return map_of({key: self.option(item, state, lax) for key, item in node.value.items()})


def _scalar(value: object) -> Type:
    return OF_TEXT if value.__class__ is str else of_value(value)
