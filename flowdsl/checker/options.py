"""The options of steps: what is wrong with their values, wherever the steps stand."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from flowdsl.checker.findings import Findings
from flowdsl.checker.option_cache import problems_of
from flowdsl.checker.templates import check_expression, resolved_value
from flowdsl.diagnostics import Diagnostic, Fix, Related
from flowdsl.document.document import Document, StepNode
from flowdsl.document.files import project_file
from flowdsl.document.findings import MISSING
from flowdsl.source import Source, Span
from flowdsl.step.flow_shapes import Loop
from flowdsl.step.problem import Change, Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.spec import BLOCK_TYPES
from flowdsl.syntax.node import Node
from flowdsl.syntax.scalars import span_in

if TYPE_CHECKING:
    from flowdsl.codes import Severity
    from flowdsl.step.service import Service


def check_options(steps: Iterable[StepNode], document: Document, findings: Findings) -> None:
    """Checks the options of steps and of those inside them, as far as it does not matter where they stand.

    In: built steps, and the document whose services they use. What is wrong is added to `findings`; nothing is raised.
    """
    for step in steps:
        _check_options(step, document, findings)
        if step.label is not None:
            resolved_value(step.label, findings)
        for block in step.blocks:
            check_options(block.steps, document, findings)


def _check_options(step: StepNode, document: Document, findings: Findings) -> None:
    spec = step.spec
    given = {name: _given(step, name, node, document, findings) for name, node in step.keys.items()}
    if not (spec.rules or spec.service is not None or spec.keys):
        return
    for name in spec.secrets:
        if name in step.keys and step.keys[name].kind == "map":
            from flowdsl.checker.declarations import check_plain_secrets

            check_plain_secrets(step.keys[name], findings)
    if spec.service is None:
        options = Options(spec.name, given, spec.defaults)
    else:
        options = _with_service(given, step, document, findings)
    if spec.reads_files:
        options.project_file = partial(project_file, at=step.node.span)
    known = len(findings.diagnostics)
    if step.misspelt or findings.misindented or _is_unknown(step, document, findings):
        # an option that is not given may stand in what could not be read, or in the entry that is meant
        options = options.replaced({**dict.fromkeys(spec.defaults, UNKNOWN), **given})
    for problem in problems_of(spec, options):
        if not (problem.code in MISSING and (step.misspelt or findings.misindented)):
            found = _diagnostic(_named_item(problem, step, document), step)
            key = spec.keys.get(problem.key or "")
            if problem.code == "wrong-type" and key is not None and key.type == "list" and key.name in step.keys:
                from flowdsl.checker.no_list import instead_of_list

                found = instead_of_list(found, step, key.name, document)
            elif problem.code == "wrong-type" and key is not None and key.type == "map" and key.name in step.keys:
                from flowdsl.checker.no_map import instead_of_map

                found = instead_of_map(found, step, key.name)
            findings.diagnostics.append(found)
    if len(findings.diagnostics) == known and spec.name in findings.settings.registry.of_host:
        _check_by_class(step, given, findings)


def _named_item(problem: Problem, step: StepNode, document: Document) -> Problem:
    """A name that a loop lacks, of its item or of what it collects, with one to write: one that is read and that
    nothing sets."""
    flow = step.spec.flow
    if problem.code != "missing-key" or not isinstance(flow, Loop):
        return problem
    if flow.collect and problem.key == flow.collect[0] and flow.collect[1] not in step.keys:
        name, key = _unset(document.root, document, "all"), flow.collect[1]
        hint = f"add `{key}: {name}`, which is read as `flowContext.{name}`, or remove `{problem.key}`"
        add = Change(f"add `{key}: {name}`", ((key, name),))
        return problem._replace(hint=hint, fixes=(add, *problem.fixes))
    if problem.key != flow.item or flow.item is None:
        return problem
    name = _unset(step.node, document, "item")
    hint = f"add `{flow.item}: {name}`: the steps in it read each item as `flowContext.{name}`"
    return problem._replace(hint=hint, fixes=(Change(f"add `{flow.item}: {name}`", ((flow.item, name),)),))


def _unset(inside: Node, document: Document, otherwise: str) -> str:
    """The first FlowContext key that is read inside a part of the file, and that nothing sets."""
    from flowdsl.checker.flow.assigned_keys import first_writes

    known = first_writes(document.steps)
    read = re.findall(r"\bflowContext\.([A-Za-z_]\w*)", inside.span.text)
    unset = (name for name in read if name not in known and not name.endswith("_index"))
    return next(unset, otherwise)


def _check_by_class(step: StepNode, given: dict[str, Any], findings: Findings) -> None:
    """Has the class of a host's step judge options that are all known: its nested models and validators say more than
    its keys do. The class is imported already, and pydantic with it."""
    cls = findings.settings.registry.live_class(step.spec.name)
    if cls is None or not all(name in step.spec.keys and _is_whole(value) for name, value in given.items()):
        return
    if any(key.deferred or key.type in BLOCK_TYPES for name, key in step.spec.keys.items() if name in given):
        return
    from pydantic import ValidationError

    fields = {step.spec.keys[name].field: value for name, value in given.items() if value is not None}
    try:
        cls.model_validate(fields)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
        if any(one["type"] == "missing" and len(one["loc"]) == 1 for one in found):
            return  # the keys have said so, or it only follows from a slip that was reported
        first = found[0]
        field = str(first["loc"][0]) if first["loc"] else ""
        key = next((key.name for key in step.spec.keys.values() if field in (key.field, key.name)), None)
        place = ".".join(str(part) for part in first["loc"]) or step.spec.name
        problem = Problem("invalid-option", f"`{place}`: {first['msg']}", key=key)
        findings.diagnostics.append(_diagnostic(problem, step))
    except Exception:  # noqa: BLE001, S110  a validator of the host that fails otherwise fails in the run, with its trace
        pass


def _is_whole(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_whole, value.values()))
    return all(map(_is_whole, value)) if isinstance(value, list) else value is not UNKNOWN


def without_text(step: StepNode, document: Document, findings: Findings) -> None:
    """Adds to `findings` what is missing in a step because no path sets the `text` it would read."""
    if step.misspelt or findings.misindented:
        return
    quiet = Findings(findings.settings)
    given = {name: _given(step, name, node, document, quiet) for name, node in step.keys.items()}
    options = Options(
        step.spec.name,
        given,
        step.spec.defaults,
        _service(step, document, findings, given),
        findings.settings.as_of,
        reads_text=False,
    )
    for problem in step.spec.problems(options):
        if problem.code in MISSING and problem.code != "missing-key":
            findings.diagnostics.append(_diagnostic(problem, step))


def _given(step: StepNode, name: str, node: Node, document: Document, findings: Findings) -> Any:
    """The value of an option as far as it is known."""
    value = node.value
    if name in step.spec.as_written:
        key = step.spec.keys[name]
        if key.type in BLOCK_TYPES:
            return value if key.type != "steps" or value is None else UNKNOWN
        if key.expression:
            check_expression(node, findings)
            return UNKNOWN if isinstance(value, str) else node.plain()
        return node.plain()
    if value.__class__ is str:
        if node.source is not findings.plain and looks_foreign(value):
            _check_text(step, name, node, document, findings)
        if "{" not in value:
            return value
    elif node.kind != "scalar" and node.source is not findings.plain:
        _check_inside(step, name, node, document, findings)
    if step.spec.holds_settings and node.kind == "map":  # what of a service is known is judged, whatever else is not
        return {key: resolved_value(item, findings) for key, item in value.items()}
    return resolved_value(node, findings)


def _check_inside(step: StepNode, name: str, node: Node, document: Document, findings: Findings) -> None:
    """Looks for placeholders of other languages in the texts of a list or map."""
    for child in node.value if node.kind == "list" else node.value.values():
        if child.kind != "scalar":
            _check_inside(step, name, child, document, findings)
        elif child.value.__class__ is str and puts_in(child.value):
            from flowdsl.checker.foreign_text import check_placeholders

            key = step.spec.keys.get(name)
            check_placeholders(child, child.value, key, _written(document, findings), findings)


def looks_foreign(text: str) -> bool:
    """Whether a text may be written as another language writes it: a quick look before `foreign_text` is asked."""
    if "{" in text and ("${{" in text or "{" in text.replace("{{", "")):  # a brace that opens no output
        return True
    return puts_in(text) or text[:1] in _QUOTES or text[:2] in ('f"', "f'") or text == "None"


def puts_in(text: str) -> bool:
    """Whether signs stand in a text with which other languages put a value into it."""
    if "%" in text or "$" in text or "[[" in text or "__" in text:
        return True
    return "<" in text and re.compile(_ANGLED).search(text) is not None  # most are comparisons


_QUOTES = ("“", "„", "‘", "«")
_ANGLED = r"<[A-Za-z_]"


def without_signs(source: Source) -> Source | None:
    """The source when none of the texts in it looks foreign, which most files need to be asked only once."""
    text = source.text
    if puts_in(text) or text.count("{") != 2 * text.count("{{"):
        return None
    if "\\" in text or "None" in text or ("'" in text and "f'" in text) or ('"' in text and 'f"' in text):
        return None
    return None if not text.isascii() and any(quote in text for quote in _QUOTES) else source


def _check_text(step: StepNode, name: str, node: Node, document: Document, findings: Findings) -> None:
    from flowdsl.checker.foreign_text import check_text

    check_text(node, step.spec.keys.get(name), _written(document, findings), findings)


def _written(document: Document, findings: Findings) -> frozenset[str]:
    """The FlowContext keys that steps of the document set."""
    written = findings.written
    if written is None:
        from flowdsl.checker.flow.assigned_keys import first_writes

        written = findings.written = frozenset(first_writes(document.steps))
    return written


def _service_name(step: StepNode) -> str:
    name = step.service.value if step.service is not None and isinstance(step.service.value, str) else None
    return str(name or step.spec.service)


def _service(step: StepNode, document: Document, findings: Findings, given: Mapping[str, Any]) -> Service:
    """The service entry of a step as far as it is known before the run, merged once for a file."""
    name, spec = _service_name(step), step.spec
    if spec.holds_settings:
        return findings.settings.services.service(name, spec, document.services, given=given)
    service = findings.services.get((name, spec.name))
    if service is None:
        service = findings.settings.services.service(name, spec, document.services)
        findings.services[name, spec.name] = service
    return service


def _with_service(given: dict[str, Any], step: StepNode, document: Document, findings: Findings) -> Options:
    """The options of a step with their service entry, as far as it is known before the run, and the day."""
    settings = findings.settings
    name, service = _service_name(step), _service(step, document, findings, given)
    if _is_unknown(step, document, findings) and step.service is not None:
        near, hint = settings.services.nearest(name, document.services)
        fix = _near(step.service, near) if near else None
        message = f"no service entry is called `{name}`"
        # without settings nobody knows what a host will have; with them, a name like one of theirs is misspelt
        severity: Severity | None = "error" if near and settings.services.has_entries else None
        findings.add("unknown-service", message, step.service, hint=hint, severity=severity, fixes=[fix])
    return Options(step.spec.name, given, step.spec.defaults, service, settings.as_of)


def _is_unknown(step: StepNode, document: Document, findings: Findings) -> bool:
    """Whether the service entry that a step names does not exist."""
    if step.service is None or step.spec.service is None or step.service.value == step.spec.service:
        return False
    return not findings.settings.services.has(_service_name(step), document.services)


def _near(node: Node, name: str) -> Fix | None:
    from flowdsl.syntax.fixes import renamed

    return renamed(node, name)


def _diagnostic(problem: Problem, step: StepNode) -> Diagnostic:
    """A problem with its place in the file."""
    related = tuple(Related(_key_node(step, key).span, text) for key, text in problem.related)
    fixes = tuple(fix for change in problem.fixes if (fix := _fix(change, problem, step)) is not None)
    place = _place(problem, step)
    from flowdsl.syntax.quoting import quoted

    hint = problem.hint
    node = step.keys.get(problem.key or "")
    if (
        problem.code == "wrong-type"
        and hint
        and hint.startswith("quote it")
        and node is not None
        and place == node.span
    ):
        fix = quoted(place)  # as it is written: 007 is the number 7 only until it has quotes
        if fix is not None:
            hint, fixes = f'quote it: `{problem.key}: "{place.text}"`', (fix,)
    return Diagnostic(problem.code, problem.message, place, problem.severity, hint, related, fixes)


def _fix(change: Change, problem: Problem, step: StepNode) -> Fix | None:
    """The edits of a change; None when one of them has no place in the file, as for what a dialect made."""
    parts = [_edited(key, value, problem, step) for key, value in change.values]
    parts += [_renamed(name, problem, step) for _, name in change.names]
    edits = [edit for part in parts if part is not None for edit in part.edits]
    return None if None in parts or not edits else Fix(change.title, tuple(edits), change.safe)


def _edited(key: str, value: Any, problem: Problem, step: StepNode) -> Fix | None:
    """An option with another value, with one that it had not, or without."""
    from flowdsl.syntax import fixes

    node, key_node = step.keys.get(key), step.key_nodes.get(key)
    if value is None:
        parent = next((map for map in _maps(step) if key_node in map.keys.values()), None)
        return fixes.removed(parent, key_node.value) if parent is not None and key_node is not None else None
    if problem.inside and key == problem.inside[-1]:
        node = step.keys.get(problem.key or "")
        return fixes.renamed(_inside(node, problem), value) if node is not None else None
    if node is None:
        return fixes.added(step.node, fixes.entry(step.node, key, value))
    whole = _inside(node, problem) if key == problem.key else node
    return fixes.renamed(whole, value) or fixes.for_brackets(whole, value)


def _renamed(name: str, problem: Problem, step: StepNode) -> Fix | None:
    """A key inside an option under another name."""
    from flowdsl.syntax import fixes

    node = step.keys.get(problem.key or "")
    if node is None:
        return None
    parent = _inside(node, problem._replace(inside=problem.inside[:-1]))
    key = parent.keys.get(str(problem.inside[-1]))
    return fixes.renamed(key, name) if key is not None else None


def _maps(step: StepNode) -> list[Node]:
    """The maps that the options of a step can stand in."""
    options = step.node.value.get("options")
    return [step.node, *([options] if options is not None and options.kind == "map" else [])]


def _place(problem: Problem, step: StepNode) -> Span:
    if problem.key is None:
        return step.name_node.span
    node = step.keys.get(problem.key)
    if problem.on_key or node is None:
        return (_inner_key(node, problem) or _key_node(step, problem.key)).span
    node = _inside(node, problem)
    if node.kind == "scalar" and isinstance(node.value, str):
        return span_in(node, 0, len(node.value)) if node.style in ("|", ">") else node.span
    return node.span


def _inner_key(node: Node | None, problem: Problem) -> Node | None:
    """The key inside an option that a problem is about."""
    if node is None or not problem.inside:
        return None
    around = _inside(node, problem._replace(inside=problem.inside[:-1]))
    return around.keys.get(str(problem.inside[-1])) if around.kind == "map" else None


def _key_node(step: StepNode, key: str) -> Node:
    return step.key_nodes.get(key, step.name_node)


def _inside(node: Node, problem: Problem) -> Node:
    """The place inside an option that a problem is about."""
    for key in problem.inside:
        if (node.kind == "map" and key in node.value) or (
            node.kind == "list" and isinstance(key, int) and key < len(node.value)
        ):
            node = node.value[key]
    return node
