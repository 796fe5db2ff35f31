"""What a flow declares: the JSON Schemas of its inputs, the settings of its services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowdsl.checker.findings import Findings
from flowdsl.checker.inputs import SCHEMA_FAULTS, TYPES, misfit
from flowdsl.checker.plain_schema import fits_plainly, is_plain_schema
from flowdsl.checker.templates import check_setting
from flowdsl.diagnostics import Fix
from flowdsl.document.document import InputDeclaration
from flowdsl.errors import ConfigError
from flowdsl.nearest import nearest
from flowdsl.services import ADDRESS_START, is_plain_secret, problem_of, setting, setting_of_others, variable_in
from flowdsl.source import Span
from flowdsl.step.problem import Problem, show
from flowdsl.step.spec import is_templated
from flowdsl.syntax import fixes
from flowdsl.syntax.edits import replaced
from flowdsl.syntax.node import Node
from flowdsl.syntax.quoting import written


def check_inputs(declared: Mapping[str, InputDeclaration], findings: Findings) -> None:
    """Adds to `findings` each invalid input schema, and each default that does not fit its own."""
    for name, found in declared.items():
        if found.node.kind == "map":
            _check_schema(name, found.node, found.schema, found.has_default, found.default, findings)


def _check_schema(
    name: str, node: Node, schema: dict[str, Any], has_default: bool, default: Any, findings: Findings
) -> None:
    """Reports an invalid schema, and a default that does not fit it."""
    if is_plain_schema(schema) and (not has_default or fits_plainly(schema, default)):
        return
    import warnings

    from jsonschema import Draft202012Validator
    from jsonschema.exceptions import SchemaError

    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of odd patterns
            Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        _invalid_schema(error, node, findings)
        return
    except SCHEMA_FAULTS as error:
        findings.add("invalid-schema", f"this is not a JSON Schema: {error}", node)
        return
    from flowdsl.checker.schema_words import foreign_keywords

    foreign_keywords(node, findings)
    if not has_default:
        return
    try:
        found = misfit(schema, default)
    except ConfigError as error:
        findings.add("invalid-schema", error.message, node, hint=error.hint)
        return
    if found is not None:
        message = f"the default of `{name}` does not fit its schema: {found[1]}"
        choices = schema.get("enum")
        at, hint, fix = node.value["default"], None, None
        if isinstance(choices, list) and choices:
            near = nearest(default, filter(_is_text, choices)) if isinstance(default, str) else None
            hint = f"did you mean `{near}`?" if near else f"write one of {', '.join(map(written, choices))}"
            fix = fixes.renamed(at, near or choices[0])
        elif schema.get("type") == "array" and at.kind == "scalar" and default is not None:
            items = [part.strip() for part in default.split(",")] if isinstance(default, str) else [default]
            hint = f"write `default: [{', '.join(map(written, items))}]`"
            fix = fixes.renamed(at, items, title=hint) if fits_plainly(schema, items) else None
            hint = hint if fix is not None else "a list stands in brackets, or has a line with a dash for each item"
        findings.add("invalid-default", message, at, hint=hint, fixes=[fix])


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _invalid_schema(error: Any, node: Node, findings: Findings) -> None:
    """Reports where a schema is none."""
    at, value = _at(node, error.absolute_path), error.instance
    if list(error.absolute_path)[-1:] == ["type"] and isinstance(value, str):
        from flowdsl.step.foreign import word_of

        word = word_of("INPUT_TYPES", value) or word_of("INPUT_TYPES", value.lower())
        near = word.name if word is not None else nearest(value, TYPES)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(TYPES)}"
        fix = fixes.renamed(at, near) if near else None
        choices = next((key for key in ("options", "choices", "values") if key in node.value), None)
        if near == "string" and choices is not None and at is node.value["type"]:
            hint = f"write `type: string`, and `enum` in place of `{choices}`"
            fix = fixes.together((fix, fixes.renamed(node.keys[choices], "enum")), title=hint)
        findings.add("invalid-schema", f"{show(value)} is not a type of JSON Schema", at, hint=hint, fixes=[fix])
    elif list(error.absolute_path) == ["required"] and isinstance(value, bool):
        _required(value, node, findings)
    elif list(error.absolute_path) == ["enum"] and isinstance(value, str):
        _choices(at, node, findings)
    else:
        message, right, fix = _wrong_keyword(error, at)
        findings.add("invalid-schema", message, at, hint=right, fixes=[fix])


def _choices(at: Node, schema: Node, findings: Findings) -> None:
    """Reports choices that are no list: a text with commas, or, in braces, keys without values behind the first one."""
    named, end = [part.strip() for part in at.value.split(",")], at.end
    for name, key in schema.keys.items():
        between = at.source.text[end : key.start]
        if key.start >= end and not between.strip(" ,") and "," in between and schema.value[name].value is None:
            named, end = [*named, name], key.end
    shown = f"[{', '.join(map(written, named))}]"
    fix = replaced(Span(at.source, at.start, end), shown) if fixes.stands(at) and at.style is None else None
    message = f"`enum` takes a list, not {show(at.value)}"
    findings.add("invalid-schema", message, at, hint=f"write `enum: {shown}`", fixes=[fix])


_NO_VALUE = {"none": "null", "nil": "null"}


def _wrong_keyword(error: Any, at: Node) -> tuple[str, str | None, Fix | None]:
    """What is wrong with a value of a schema: a message, and what would be right, as a hint and as its fix."""
    key, value, wanted = next(iter(list(error.absolute_path)[-1:]), None), error.instance, error.validator_value
    if key == "type" and isinstance(value, list):
        strange = next((item for item in at.value if item.value not in TYPES), None) if at.kind == "list" else None
        if strange is not None and isinstance(strange.value, str):
            from flowdsl.step.foreign import word_of

            word = word_of("INPUT_TYPES", strange.value)
            near = (
                word.name if word is not None else _NO_VALUE.get(strange.value.lower()) or nearest(strange.value, TYPES)
            )
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(TYPES)}"
            fix = fixes.renamed(strange, near) if near else None
            return f"{show(strange.value)} is not a type of JSON Schema", hint, fix
    if error.validator != "type" or not isinstance(key, str):
        return f"this is not a JSON Schema: {error.message}", None, None
    kinds = [wanted] if isinstance(wanted, str) else wanted
    takes = "a JSON Schema, a map" if "boolean" in kinds and "object" in kinds else TYPES[kinds[0]]
    number = isinstance(value, str) and not {"integer", "number"}.isdisjoint(kinds)
    message = f"`{key}` takes {takes}, not {'the text ' if number else ''}{show(value)}"
    if "object" in kinds and isinstance(value, str):
        from flowdsl.step.foreign import word_of

        word = word_of("INPUT_TYPES", value)
        kind = value if value in TYPES else word.name if word is not None else None
        if kind is not None:
            title = f"write `{key}: {{type: {kind}}}`"
            return message, title, fixes.renamed(at, {"type": kind}, title=title)
    if "array" in kinds and isinstance(value, (str, int, float)) and not isinstance(value, bool):
        title = f"write `{key}: [{value}]`"
        return message, title, fixes.enclosed(at, "[", "]", title=title)
    if "integer" in kinds and isinstance(value, str) and value.isdecimal():
        return message, "write it without quotes", fixes.renamed(at, int(value))
    return message, None, None


def _required(value: bool, node: Node, findings: Findings) -> None:
    """Reports `required: true` or `false`, as other tools say of one input whether it must be given."""
    key = node.keys["required"]
    if value or "default" in node.value:
        hint, fix = "an input without a `default` must be given: remove it", fixes.removed(node, "required")
    else:
        hint = "an input with a `default` need not be given: write `default: ''`, or another value"
        written = fixes.renamed(node.value["required"], "")
        fix = fixes.together((fixes.renamed(key, "default"), written), title="write `default: ''`")
    message = "`required` is not said of one input so: in a JSON Schema it is a list of properties"
    findings.add("invalid-schema", message, key, hint=hint, fixes=[fix])


def _at(node: Node, path: Any) -> Node:
    for key in path:
        try:
            node = node.value[key]
        except (LookupError, TypeError):  # the place is not in the file: the node above it
            return node
    return node


def check_services(entries: Mapping[str, Node], findings: Findings) -> None:
    """Adds to `findings` each setting of service entries with a wrong value, or with a secret in plain text."""
    for entry in entries.values():
        _check_entry(entry, findings)


def _check_entry(entry: Node, findings: Findings) -> None:
    of, protocol = (entry.value[name].value if name in entry.value else None for name in ("provider", "protocol"))
    for key, value in entry.value.items():
        if setting(key, of) is None:
            continue
        others = setting_of_others(key, of, protocol) if of is not None else []
        if others:
            message = f"`{key}` is a setting of {' and '.join(others)}, and does nothing for {of}"
            findings.add("no-effect", message, entry.keys[key], hint="remove it", fixes=[fixes.removed(entry, key)])
        check_setting(value, findings)
        templated = isinstance(value.value, str) and is_templated(value.value)
        if not templated and is_plain_secret(key, value.value, of):
            _plain_secret(entry.keys[key], value, "{{ secret('MY_KEY') }}", findings)
        elif not templated and not others and (problem := problem_of(key, value.plain(), of)) is not None:
            fix = _setting_fix(problem, value)
            findings.add(problem.code, problem.message, _at(value, problem.inside), hint=problem.hint, fixes=[fix])
        if value.kind == "map":
            check_plain_secrets(value, findings)
            if key == "options":
                _check_entry_options(value, findings)


def _check_entry_options(options: Node, findings: Findings) -> None:
    """Reports each default of an option that no step has, and each with a value that none takes."""
    from flowdsl.step.entry_options import entry_options, option_problem

    known = entry_options(findings.settings.registry)
    for name, value in options.value.items():
        if name not in known:
            where = "the options of a service entry"
            findings.unknown_key(options.keys[name], known, where, beside=options.value)
        elif (problem := option_problem(name, value.plain(), known)) is not None:
            at, fix = _at(value, problem.inside), _setting_fix(problem, value)
            findings.add(problem.code, problem.message, at, hint=problem.hint, fixes=[fix])


def check_plain_secrets(headers: Node, findings: Findings) -> None:
    """Reports each header, or other entry of a map, whose value is a key in plain text; a scheme such as `Bearer` stays
    in front of it."""
    from flowdsl.secrets.plain import may_be_secret

    for name, header in headers.value.items():
        text = header.value
        if isinstance(text, str) and text and not is_templated(text) and may_be_secret(name, text):
            header.source.conceal(header.span.start, header.span.end)
            scheme, blank, _ = header.value.rpartition(" ")
            _plain_secret(
                headers.keys[name], header, f"{scheme if blank else ''}{blank}{{{{ secret('MY_KEY') }}}}", findings
            )


def _plain_secret(key: Node, value: Node, instead: str, findings: Findings) -> None:
    variable = variable_in(str(value.value))
    if variable is not None:
        instead = f"{{{{ secret('{variable}') }}}}"
        message = f"`{key.value}` is this text itself, and no environment variable"
        hint = f'write `{key.value}: "{instead}"`'
        findings.add("plain-secret", message, key, hint=hint, fixes=[fixes.renamed(value, instead)])
        return
    findings.add(
        "plain-secret",
        f"`{key.value}` stands in the file, where everybody who has the file can read it",
        key,
        hint=f'write `{key.value}: "{instead}"`, which reads the environment variable MY_KEY',
        fixes=[fixes.renamed(value, instead, title="read the environment variable MY_KEY")],
    )


def _setting_fix(problem: Problem, value: Node) -> Fix | None:
    """The fix of a setting: another value, or the start that an address lacks."""
    if problem.hint is not None and problem.hint.startswith(f"write `{ADDRESS_START}"):
        return fixes.put_before(value, ADDRESS_START) if value.style is None else None
    values = [new for change in problem.fixes for _, new in change.values]
    return fixes.renamed(value, values[0]) if values else None
