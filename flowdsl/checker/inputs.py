"""The inputs of a run against their declarations: JSON Schema, with its complaints in the words of an author."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from flowdsl.checker.plain_schema import fits_plainly, is_plain_schema
from flowdsl.document.document import InputDeclaration
from flowdsl.errors import ConfigError, UsageError
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.walks import unwalkable

SCHEMA_FAULTS = (RecursionError, re.error, OverflowError)
"""What a schema that is valid as such can still end in."""
_MOST_MISFITS = 20
"""So many places of one value are said to be wrong."""
TYPES = {
    "string": "a text",
    "object": "a map",
    "array": "a list",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
}
"""The types of JSON Schema in words."""
SPELLED = {**dict.fromkeys(("yes", "y", "on", "1"), "true"), **dict.fromkeys(("no", "n", "off", "0"), "false")}
"""How people write a yes or no that JSON and YAML 1.2 take for a text."""


MISSING = object()
"""The value of an input that is not given."""
Giving = Callable[[str, Mapping[str, Any], Any], "str | None"]
"""How an input of this name and schema is given in place of a value, as a hint: a host does it otherwise than the
command line."""


def in_python(name: str, schema: Mapping[str, Any], value: Any) -> str | None:
    """How a host gives an input."""
    wants = schema.get("type")
    if value is MISSING:
        import json  # slow to import, and most flows have no finding

        return f"give it, for example `{{{json.dumps(name, ensure_ascii=False)}: …}}`"  # Python, and JSON for a client
    if not isinstance(value, str):
        return None
    if wants in ("object", "array"):
        return f"give a {'dict' if wants == 'object' else 'list'}: a text is not read as JSON"
    return f"give {SPELLED[value.lower()].capitalize()}" if wants == "boolean" and value.lower() in SPELLED else None


class WrongInput(NamedTuple):
    """What is wrong with one input: `path` leads to the place inside its value."""

    name: str
    path: list[str | int]
    error: ConfigError


def input_values(
    declared: Mapping[str, InputDeclaration] | None, given: Mapping[str, Any], giving: Giving = in_python
) -> dict[str, Any]:
    """The declared inputs with the values given, and defaults filled in; without a declaration all that is given.
    `giving` makes the hints. Those whose schema says `writeOnly` are secrets from here on.

    Raises:
        ConfigError: unknown or missing inputs, or some that do not fit their schemas: all of them in one error.
        UsageError: a name that is no text.
    """
    for name in given:
        if not isinstance(name, str):
            raise UsageError(f"the names of inputs are texts, not {type(name).__name__}")
    if declared is None:
        return dict(given)
    wrong = wrong_inputs(declared, given, giving)
    if wrong:
        raise _all_in_one([each.error for each in wrong])
    from copy import deepcopy

    values = {
        name: given[name] if name in given else deepcopy(declaration.default) for name, declaration in declared.items()
    }
    secret = [name for name, declaration in declared.items() if _is_secret(declaration.schema)]
    if secret:
        from flowdsl.template.taint import mark

        values.update({name: mark(values[name]) for name in secret if values[name] is not None})
    return values


def _is_secret(schema: Mapping[str, Any]) -> bool:
    """Whether nobody is to read the value back. Source: JSON Schema 2020-12, Validation, 9.4."""
    return schema.get("writeOnly") is True


def wrong_inputs(
    declared: Mapping[str, InputDeclaration], given: Mapping[str, Any], giving: Giving = in_python
) -> list[WrongInput]:
    """All that is wrong with the inputs given: unknown ones, missing ones, and each place that does not fit. One that
    is missing because its name is misspelt counts once.

    Raises:
        ConfigError: the schema of an input cannot validate anything.
    """
    wrong = []
    misspelt = set()
    for name in given:
        if name not in declared:
            near = nearest(name, declared)
            misspelt.add(near)
            hint = f"did you mean `{near}`?" if near else f"it declares {', '.join(declared) or 'none'}"
            error = ConfigError(f"the flow declares no input `{name}`", code="undefined-input", hint=hint)
            wrong.append(WrongInput(name, [], error))
    for name, declaration in declared.items():
        if name in given:
            try:
                wrong += _misfits(name, given[name], declaration.schema, giving)
            except ConfigError as unusable:
                unusable.span = declaration.node.span
                raise
        elif not declaration.has_default and name not in misspelt:
            how = giving(name, declaration.schema, MISSING)
            error = ConfigError(f"the input `{name}` is missing", code="missing-input", hint=how)
            wrong.append(WrongInput(name, [], error))
    return wrong


def _all_in_one(errors: list[ConfigError]) -> ConfigError:
    """One error that says what several say, each in a line of its own."""
    first = errors[0]
    if len(errors) == 1:
        return first
    code = first.code if all(error.code == first.code for error in errors) else "invalid-input"
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    lines = (f"\n  {error.message}" for error in errors)
    return ConfigError(f"{len(errors)} inputs are wrong:{''.join(lines)}", code=code, hint="; ".join(hints) or None)


def _misfits(name: str, value: Any, schema: dict[str, Any], giving: Giving) -> Iterator[WrongInput]:
    hint = giving(name, schema, value)
    if _is_secret(schema):
        if misfits(schema, value):
            message = f"the input `{name}` does not fit its schema; it is a secret, and not shown"
            yield WrongInput(name, [], ConfigError(message, code="invalid-input", hint=None))
        return
    found = misfits(schema, value) if schema else []
    if not found:
        return
    from flowdsl.secrets.given import given_secrets, secrets_of  # few inputs come here
    from flowdsl.secrets.plain import without

    secrets = [*given_secrets({name: value}, secrets_of(os.environ))]
    for path, said in found:
        said, hint = without(said, secrets), hint and without(hint, secrets)
        place = "".join(f"[{part}]" if isinstance(part, int) else f'["{part}"]' for part in path)
        message = f"the input `{name}`{place} does not fit its schema: {said}"
        yield WrongInput(name, path, ConfigError(message, code="invalid-input", hint=hint))


def misfit(schema: dict[str, Any], value: Any) -> tuple[list[str | int], str] | None:
    """Where and how a value does not fit a schema most of all, or None; see `misfits`."""
    return next(iter(misfits(schema, value, most=1)), None)


def misfits(schema: dict[str, Any], value: Any, most: int = _MOST_MISFITS) -> list[tuple[list[str | int], str]]:
    """Where and how a value does not fit a schema, in at most `most` places. Nothing is fetched: a `$ref` leads inside
    the schema.

    Raises:
        ConfigError: the schema cannot validate anything: a `$ref` that leads nowhere or around, a bad pattern, or one
            that takes too long.
    """
    if is_plain_schema(schema) and fits_plainly(schema, value):
        return []
    problem = unwalkable(value)
    if problem is not None:
        return [([], f"it {problem}")]
    import warnings

    from jsonschema.exceptions import best_match
    from referencing.exceptions import Unresolvable

    from flowdsl.step.json_schema import SlowSchema, schema_validator

    try:
        with warnings.catch_warnings(action="ignore", category=FutureWarning):  # of odd patterns
            errors = schema_validator(schema).iter_errors(value)
            found = [best_match(errors)] if most == 1 else [best_match([each]) for each in islice(errors, most)]
    except Unresolvable as error:
        ref = f"#{error.ref}" if error.ref.startswith("/") else error.ref
        message = f"the `$ref` {ref} leads nowhere: only references inside the schema are followed"
        raise ConfigError(message, code="invalid-schema") from error
    except SlowSchema as error:
        raise ConfigError(f"this schema cannot be used: {error}", code="invalid-schema", hint=error.hint) from None
    except SCHEMA_FAULTS as error:
        raise ConfigError(f"this is not a JSON Schema: {error}", code="invalid-schema") from error
    said = dict.fromkeys((tuple(each.absolute_path), complaint(each)) for each in found if each is not None)
    return [(list(path), text) for path, text in said]  # several keys that are missing are one complaint


def complaint(error: Any) -> str:
    """What a `jsonschema.ValidationError` says of a value, in our words where the keyword is a common one."""
    value, limit = error.instance, error.validator_value
    words = {
        "minimum": "is less than {}",
        "maximum": "is more than {}",
        "exclusiveMinimum": "is not more than {}",
        "exclusiveMaximum": "is not less than {}",
        "multipleOf": "is no multiple of {}",
        "minLength": "is shorter than {} characters",
        "maxLength": "is longer than {} characters",
        "minItems": "has fewer than {} items",
        "maxItems": "has more than {} items",
        "pattern": "does not match the pattern `{}`",
    }
    keyword = error.validator
    if keyword == "minLength" and value == "":
        return "it is empty"
    if keyword in words:
        return f"{show(value)} {words[keyword].format(limit)}"
    if keyword == "type":
        wanted = " or ".join(TYPES[name] for name in ([limit] if isinstance(limit, str) else limit))
        kind = _kind(value)
        comma = "number" in limit and isinstance(value, str) and re.fullmatch(r"-?\d+,\d+", value)
        meant = f"; write `{value.replace(',', '.')}`" if comma else ""
        return f"{show(value)}{f' is {kind}, and' if kind else ''} must be {wanted}{meant}"
    if keyword == "enum":
        near = nearest(value, [item for item in limit if isinstance(item, str)]) if isinstance(value, str) else None
        meant = f"; did you mean `{near}`?" if near else ""
        return f"{show(value)} is not one of {', '.join(show(item).strip('`') for item in limit)}{meant}"
    if keyword == "const":
        return f"{show(value)} must be {show(limit)}"
    if keyword == "required":
        missing = [name for name in limit if name not in value]
        unknown = [key for key in value if key not in limit and key not in error.schema.get("properties", {})]
        alike = dict.fromkeys(near for name in missing if (near := nearest(name, unknown)) is not None)
        return f"{_keys(missing)} missing{'; it has ' if alike else ''}{', '.join(f'`{key}`' for key in alike)}"
    if keyword == "additionalProperties" and limit is False:
        known = error.schema.get("properties", {})
        from flowdsl.step.json_schema import Patterns

        named, patterns = error.schema.get("patternProperties", {}), Patterns()
        extra = [key for key in value if key not in known and not any(patterns.found(each, key) for each in named)]
        return f"{_keys(extra)} not among its keys, {', '.join(known) or 'none'}"
    if keyword is None:  # a schema that is `false`
        return f"{show(value)} is not allowed here"
    return _not_in_python(error.message, value, limit)


def _not_in_python(message: str, value: Any, limit: Any) -> str:
    """A message of the library, which shows values as Python writes them, in the words of YAML and JSON."""
    if message.startswith(repr(value)):
        message = f"{show(value)}{message.removeprefix(repr(value))}"
    if message.endswith(repr(limit)):
        message = f"{message.removesuffix(repr(limit))}{show(limit)}"
    return re.sub(r"'([^'\"]*)'", r"`\1`", message)


def _keys(names: Any) -> str:
    shown = [f"`{name}`" for name in names]
    return f"{', '.join(shown)} {'is' if len(shown) == 1 else 'are'}"


def _kind(value: Any) -> str | None:
    """What a value is, where its text does not say."""
    if isinstance(value, str):
        return "a text"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return "a number"
    return None
