"""Rules of a house: `policy` of a settings file, one line each, in the language of template expressions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from flowdsl.codes import SEVERITIES, Severity
from flowdsl.errors import TemplateError, UsageError
from flowdsl.record import Record
from flowdsl.template import compile, parse, truthy

if TYPE_CHECKING:
    from flowdsl.settings.files import Settings

WORDS: Final = ("model", "service", "vendor", "host", "step", "size", "quality", "n", "prompt", "cost")
"""What a rule can speak of: of one step, what it asks for; `cost` is the most that it can cost in USD."""
_KEYS: Final = ("rule", "message", "severity")
_MATCHES: Final = re.compile(r"\b(\w+)\s+(not\s+)?matches\s+(?:'([^']*)'|\"([^\"]*)\")")
_UNPRICED: Final = "cost"
_CALL: Final = "_matched"


class PolicyRule(Record):
    """A rule: `text` as it is written in the file `where`; `reads` are the words that it speaks of."""

    text: str
    where: str
    message: str | None
    severity: Severity
    reads: frozenset[str]
    value: Callable[[Mapping[str, Any], Mapping[str, Any]], Any]

    def is_kept(self, facts: Mapping[str, Any]) -> bool:
        """Whether facts keep the rule. A cost that nobody knows keeps none that speaks of it."""
        if _UNPRICED in self.reads and facts.get(_UNPRICED) is None:
            return False
        return truthy(self.value({}, {**facts, _CALL: _matched}))

    def broken(self, facts: Mapping[str, Any]) -> str:
        """What to say of facts that do not keep it: the values that it speaks of, and the message of the house."""
        said = ", ".join(f"`{name}` is {_shown(facts.get(name))}" for name in WORDS if name in self.reads)
        own = f"{self.message}: " if self.message else ""
        file = os.path.basename(self.where)  # noqa: PTH119  pathlib is slow to import
        return f"{own}{said}, and {file} wants `{self.text}`"


def policy_rules(*files: Settings | None) -> tuple[PolicyRule, ...]:
    """The rules of settings files; each adds its own.

    Raises:
        UsageError: one is no rule.
    """
    return tuple(rule for file in files if file is not None for rule in _rules(*file))


def _rules(path: str, content: Mapping[str, Any]) -> Iterator[PolicyRule]:
    given = content.get("policy", [])
    if not isinstance(given, list):
        raise UsageError(f'{path}: policy takes rules: `policy = ["n <= 2"]`, or tables below [[policy]]')
    for entry in given:
        fields = {"rule": entry} if isinstance(entry, str) else entry
        if not isinstance(fields, dict) or not isinstance(fields.get("rule"), str):
            raise UsageError(f'{path}: policy: a rule is a text, such as "n <= 2", or a table with `rule`')
        for key in fields:
            if key not in _KEYS:
                raise UsageError(f"{path}: policy: unknown key `{key}`, {_meant(key, _KEYS)}")
        if not isinstance(fields.get("message", ""), str):
            raise UsageError(f"{path}: policy: the message of `{fields['rule']}` must be a text")
        severity = fields.get("severity", "error")
        if severity not in SEVERITIES:
            raise UsageError(f"{path}: policy: {severity!r} is no severity; it is one of {', '.join(SEVERITIES)}")
        yield _rule(path, fields["rule"].strip(), fields.get("message"), cast("Severity", severity))


def _rule(path: str, text: str, message: str | None, severity: Severity) -> PolicyRule:
    template = parse("{{ " + _MATCHES.sub(_as_call, text) + " }}")
    for problem in template.problems:
        raise UsageError(f"{path}: policy: `{text}` is no rule: {problem.message}")
    if not text or not template.is_native or (template.body is None and not template.references):
        raise UsageError(f"{path}: policy: `{text}` is no rule: write a condition, such as `n <= 2`")
    for found in _MATCHES.finditer(text):
        try:
            re.compile(found[3] if found[3] is not None else found[4])
        except re.error as error:
            raise UsageError(f"{path}: policy: `{text}` is no rule: {error} in the pattern") from None
    reads = {reference.root for reference in template.references} - {_CALL}
    for name in sorted(reads - set(WORDS)):
        hint = f"{_meant(name, WORDS)} A text stands in quotes: '{name}'"
        raise UsageError(f"{path}: policy: `{text}` names `{name}`, of which no rule can speak; {hint}")
    if not reads:
        raise UsageError(f"{path}: policy: `{text}` speaks of nothing: a rule speaks of {', '.join(WORDS)}")
    try:
        value = compile(template, strict=False, native=True)
    except TemplateError as error:
        raise UsageError(f"{path}: policy: `{text}` is no rule: {error.message}") from None
    return PolicyRule(text, path, message, severity, frozenset(reads), value)


def _as_call(found: re.Match[str]) -> str:
    """`prompt matches 'a.c'` as a call, which the language has."""
    import json

    pattern = found[3] if found[3] is not None else found[4]
    return f"{'not ' if found[2] else ''}{_CALL}({found[1]}, {json.dumps(pattern)})"


def _matched(text: Any, pattern: str) -> bool:
    """Whether a pattern is found in a text."""
    return text is not None and re.search(pattern, str(text)) is not None


def _meant(name: str, words: tuple[str, ...]) -> str:
    from flowdsl.nearest import nearest

    near = nearest(name, words)
    return f"did you mean `{near}`?" if near else f"there are {', '.join(words)}."


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = str(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:60]}…`"
