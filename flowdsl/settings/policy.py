"""Rules of a house: `policy` of a settings file, one line each, in the language of template expressions."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

from flowdsl.codes import SEVERITIES, Severity
from flowdsl.errors import TemplateError
from flowdsl.nearest import nearest
from flowdsl.record import Record
from flowdsl.settings.mistakes import Mistaken, Mistakes, mistake
from flowdsl.step.problem import show
from flowdsl.template import compile, parse, truthy

if TYPE_CHECKING:
    from flowdsl.settings.files import Settings
    from flowdsl.settings.toml_places import Path

WORDS: Final = ("model", "service", "vendor", "host", "step", "size", "quality", "n", "prompt", "cost")
"""What a rule can speak of: of one step, what it asks for; `cost` is the most that it can cost in USD."""
_KEYS: Final = ("rule", "message", "severity")
_MATCHES: Final = re.compile(r"\b(\w+)\s+(not\s+)?matches\s+(?:'([^']*)'|\"([^\"]*)\")")
_AT: Final = "policy"
_EXAMPLE: Final = "write a condition, such as `n <= 2`"
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
        UsageError: some are no rules; it says everything.
    """
    mistakes = Mistakes()
    found = [rule for file in files if file is not None for rule in _rules(*file, mistakes)]
    mistakes.check()
    return tuple(found)


def _rules(path: str, content: Mapping[str, Any], mistakes: Mistakes) -> Iterator[PolicyRule]:
    given = content.get("policy", [])
    if not isinstance(given, list):
        hint = 'write `policy = ["n <= 2"]`, or tables below [[policy]]'
        mistakes.add(mistake(path, (_AT,), "policy must be a list of rules", hint))
        return
    for number, entry in enumerate(given):
        with mistakes.gathered():
            yield _entry(path, (_AT, number), entry)


def _entry(path: str, at: Path, entry: object) -> PolicyRule:
    if isinstance(entry, str):
        return _rule(path, at, entry.strip(), None, "error")
    if not isinstance(entry, dict):
        raise mistake(path, at, "a rule is a text, or a table with `rule`", 'write `policy = ["n <= 2"]`')
    wrong = Mistakes()
    for key in (each for each in entry if each not in _KEYS):
        wrong.add(mistake(path, (*at, key), f"policy: unknown key `{key}`", _meant(key, _KEYS), of_key=True))
    text, message, severity = entry.get("rule"), entry.get("message"), entry.get("severity", "error")
    if message is not None and not isinstance(message, str):
        hint = 'write `message = "…"`, which is said where the rule is broken'
        wrong.add(mistake(path, (*at, "message"), "the message of a rule must be a text", hint))
    if severity not in SEVERITIES:
        hint = _meant(str(severity), SEVERITIES)
        wrong.add(mistake(path, (*at, "severity"), f"{show(severity)} is no severity of a rule", hint))
    found = None
    if isinstance(text, str):
        with wrong.gathered():
            found = _rule(path, (*at, "rule"), text.strip(), message, cast("Severity", severity))
    else:
        place = (*at, "rule") if "rule" in entry else at
        wrong.add(mistake(path, place, "a rule is a text, or a table with `rule`", 'write `rule = "n <= 2"`'))
    wrong.check()
    assert found is not None  # noqa: S101  else there was a mistake
    return found


def _rule(path: str, at: Path, text: str, message: str | None, severity: Severity) -> PolicyRule:
    """A rule by its text, which stands at a place of a file.

    Raises:
        Mistaken: it is none; it says everything.
    """

    def wrong(what: str, hint: str | None) -> Mistaken:
        return mistake(path, at, f"`{text}` {what}", hint)

    template = parse("{{ " + _MATCHES.sub(_as_call, text) + " }}")
    for problem in template.problems:
        raise wrong(f"is no rule: {problem.message}", _EXAMPLE)
    if not text or not template.is_native or (template.body is None and not template.references):
        raise wrong("is no rule: it is no condition", _EXAMPLE)
    mistakes = Mistakes()
    for found in _MATCHES.finditer(text):
        try:
            re.compile(found[3] if found[3] is not None else found[4])
        except re.error as error:
            mistakes.add(wrong(f"is no rule: {error} in the pattern", "write a regular expression of Python in quotes"))
    reads = {reference.root for reference in template.references} - {_CALL}
    for name in sorted(reads - set(WORDS)):
        hint = f"{_meant(name, WORDS)} A text stands in quotes: '{name}'"
        mistakes.add(wrong(f"names `{name}`, of which no rule can speak", hint))
    if not reads:
        mistakes.add(wrong("speaks of nothing", f"a rule speaks of {', '.join(WORDS)}: {_EXAMPLE}"))
    mistakes.check()
    try:
        value = compile(template, strict=False, native=True)
    except TemplateError as error:
        raise wrong(f"is no rule: {error.message}", _EXAMPLE) from None
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
    near = nearest(name, words)
    return f"did you mean `{near}`?" if near else f"there are {', '.join(words)}."


def _shown(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, float):
        return f"{value:.4f}"
    text = str(value)
    return f"`{text}`" if len(text) <= 60 else f"`{text[:60]}…`"
