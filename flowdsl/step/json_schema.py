"""The JSON Schemas that flows give, made safe to use: the time that their patterns take is limited.

jsonschema matches patterns with `re`, where `^(a+)+$` never ends for a text of 40 letters, and no signal and no
deadline stops it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from time import monotonic
from typing import Any, Final

PATTERNS_S: Final = 1.0
"""How long the patterns of a schema may take, all together, for one value."""
_ESCAPE = r"\\[dDwWsS/.^$|?*+()\[\]{}-]"
_ONE = rf"(?:[^\\^$.|?*+()\[\]{{}}]|{_ESCAPE}|\.|\[\^?(?:[^\\\[\]^&|~]|{_ESCAPE})+\])"
_FIXED = rf"(?:{_ONE}(?:\{{\d{{1,2}}\}})?)*"
_REPEATED = rf"{_ONE}(?:[*+?]|\{{\d{{1,2}},\d{{0,2}}\}}){_FIXED}"
_SIMPLE: Final = rf"\^?{_FIXED}\$?|\^{_FIXED}{_REPEATED}\$?"
"""Patterns that take no time worth a word: one repetition, and that from the beginning of the text."""
_SIMPLE_IN_SHORT: Final = rf"\^{_FIXED}(?:{_REPEATED}){{0,3}}\$?"
"""Patterns that take none in a short text: few repetitions, one behind the other."""
_SHORT: Final = 200


def is_simple(pattern: str, text: str | None = None) -> bool:
    """Whether a pattern is searched for in no time, in a text or in any."""
    if len(pattern) > _SHORT:
        return False
    if re.fullmatch(_SIMPLE, pattern):
        return True
    return text is not None and len(text) <= _SHORT and re.fullmatch(_SIMPLE_IN_SHORT, pattern) is not None


class SlowSchema(Exception):
    """The patterns of a schema take too long for a value; `hint` says what helps."""

    hint = (
        "repeat no group that holds a repetition or alternatives (`a+` in place of `(a+)+`), "
        "or limit the text with `maxLength`"
    )

    def __init__(self, pattern: str) -> None:
        shown = pattern if len(pattern) <= 60 else f"{pattern[:59]}…"
        super().__init__(f"its pattern `{shown}` takes longer than {PATTERNS_S:g} s for this value")


class Patterns:
    """Searches texts for patterns, as long as there is time left."""

    def __init__(self) -> None:
        self._left = PATTERNS_S

    def found(self, pattern: str, text: str) -> bool:
        """Whether a text has a match of a pattern.

        Raises:
            SlowSchema: the time is up.
            re.error: it is no pattern.
        """
        if is_simple(pattern, text):
            return re.search(pattern, text) is not None
        machine = _compiled(pattern)
        begun = monotonic()
        try:
            return machine.search(text, timeout=max(self._left, 0.001)) is not None
        except TimeoutError:
            raise SlowSchema(pattern) from None
        finally:
            self._left -= monotonic() - begun


def schema_validator(schema: Mapping[str, Any]) -> Any:
    """A validator of jsonschema (draft 2020-12) for a schema. It fetches nothing, and its `iter_errors` raises
    SlowSchema where the patterns take too long.

    Raises:
        re.error: the schema uses patterns in a way that cannot be limited.
    """
    from jsonschema import Draft202012Validator
    from jsonschema.validators import extend
    from referencing import Registry

    _refuse_unlimited(schema)
    patterns, additional = Patterns(), Draft202012Validator.VALIDATORS["additionalProperties"]
    return extend(
        Draft202012Validator,
        {
            "pattern": lambda *given: _pattern(patterns, *given),
            "patternProperties": lambda *given: _pattern_properties(patterns, *given),
            "additionalProperties": lambda *given: _additional_properties(patterns, additional, *given),
        },
    )(schema, registry=Registry())  # type: ignore[no-untyped-call]


def _pattern(patterns: Patterns, _: Any, pattern: str, value: Any, schema: Mapping[str, Any]) -> Iterator[Any]:
    from jsonschema import ValidationError

    if not isinstance(value, str) or len(value) > schema.get("maxLength", len(value)):  # that is its own complaint
        return
    if not patterns.found(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern!r}")


def _pattern_properties(
    patterns: Patterns, validator: Any, schemas: Mapping[str, Any], value: Any, _: Any
) -> Iterator[Any]:
    for pattern, schema in schemas.items() if isinstance(value, dict) else ():
        for key, item in value.items():
            if patterns.found(pattern, key):
                yield from validator.descend(item, schema, path=key, schema_path=pattern)


def _additional_properties(
    patterns: Patterns, keyword: Any, validator: Any, wanted: Any, value: Any, schema: Mapping[str, Any]
) -> Iterator[Any]:
    named = schema.get("patternProperties")
    if named and isinstance(value, dict):
        value = {key: item for key, item in value.items() if not any(patterns.found(each, key) for each in named)}
        schema = {"properties": schema.get("properties", {})}
    yield from keyword(validator, wanted, value, schema) or ()


def _refuse_unlimited(schema: Mapping[str, Any]) -> None:
    """`unevaluatedProperties` looks at the patterns of the whole schema in a way of its own, without a limit."""
    parts: list[Any] = [schema]
    named: list[Any] = []
    is_used = False
    while parts:
        part = parts.pop()
        if isinstance(part, Mapping):
            is_used = is_used or "unevaluatedProperties" in part
            found = part.get("patternProperties")
            named += found if isinstance(found, Mapping) else ()
        parts += part.values() if isinstance(part, Mapping) else part if isinstance(part, (list, tuple)) else ()
    slow = next((each for each in named if not is_simple(str(each))), None) if is_used else None
    if slow is not None:
        raise re.error(f"beside `unevaluatedProperties`, the pattern {slow!r} of `patternProperties` is too intricate")


@lru_cache(maxsize=64)
def _compiled(pattern: str) -> Any:
    import regex

    from flowdsl.template.regex import MAX_EXPANDED, expanded_size

    try:
        if expanded_size(pattern) > MAX_EXPANDED:
            raise re.error(f"the repetitions of a pattern stand for more than {MAX_EXPANDED:,} characters")
        return regex.compile(pattern)
    except (regex.error, RecursionError) as error:
        raise re.error(f"{pattern!r} is no pattern: {error}") from None
