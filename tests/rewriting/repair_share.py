"""What `--fix --unsafe-fixes` makes of every wrong flow that we have, and why a mistake stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

import yaml

from flowdsl import Diagnostic, Environment
from flowdsl.rewriting.fixing import Repaired, repaired
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read_bytes

TESTS = Path(__file__).parents[1]
ENVIRONMENT = Environment(as_of=date(2026, 11, 21))

UNKNOWN_VALUE = "the value, the name or the place that is right is for the author to say"
OTHER_WORK = "the hint says how the same is done here, which is more than an edit"
NOTHING_NEAR = "nothing near it has such a name"
NOT_OURS = "the file is another system's, or no flow yet"
SILENT = "an empty text in its place would silence the finding, and is left to the author"
MONEY = "a mend that spends money, or shows a secret elsewhere, is not offered"
REASONS = {
    UNKNOWN_VALUE: (
        *("missing-key", "duplicate-id", "wrong-pattern", "vars-cycle", "constant-condition", "loop-runs-once"),
        *("parallel-write-conflict", "stale-value", "same-file-name", "lost-images", "missing-prompt", "wrong-type"),
        *(
            "shifted-file-name",
            "undefined-variable",
            "undefined-input",
            "template-syntax",
            "yaml-syntax",
            "unused-variable",
        ),
        *("missing-input", "outside-loop", "unknown-alias", "second-document", "alias-bomb", "retired-model"),
        *("deprecated-key", "quote-in-quotes", "conflicting-keys"),
    ),
    OTHER_WORK: ("unknown-key", "unknown-filter", "invalid-schema", "seed-not-sent"),
    NOTHING_NEAR: (
        *(
            "unknown-port",
            "unknown-member",
            "unknown-provider",
            "unknown-service",
            "unknown-step",
            "undefined-block",
            "unknown-flow",
        ),
    ),
    NOT_OURS: ("not-a-flow", "empty-file", "empty-flow"),
    SILENT: ("maybe-undefined",),
    MONEY: ("judged-purchase", "secret-leak", "key-for-foreign-host"),
}
"""Why findings of some codes have no fix in some of the wrong flows."""


class Case(NamedTuple):
    """A wrong flow, its findings, and what became of it."""

    name: str
    source: Source
    found: list[Diagnostic]
    done: Repaired

    def left(self) -> Iterator[Diagnostic]:
        """The findings of the wrong flow that are still there."""
        still = Counter((each.code, each.message) for each in self.done.left)
        for finding in self.found:
            if still[finding.code, finding.message] > 0:
                still[finding.code, finding.message] -= 1
                yield finding


def cases() -> Iterator[Case]:
    """Every wrong flow: the golden ones, and those that people of other tools, or in haste, write."""
    for path in sorted((TESTS / "golden" / "bad").glob("*.yaml")):
        source, undecodable = read_bytes(path.read_bytes(), str(path))
        if not undecodable:
            yield _case(path.stem, source)
    for each in yaml.safe_load((TESTS / "checker" / "advice.yaml").read_text(encoding="utf-8")):
        yield _case(f"{each['name']} (advice)", Source(each["flow"]))


def _case(name: str, source: Source) -> Case:
    return Case(name, source, ENVIRONMENT.check(source), repaired(source, ENVIRONMENT.check, unsafe=True))


def unrepaired(tried: list[Case]) -> str:
    """The findings with a hint that no fix corrects, by the reason, as a page that a person reads."""
    lines: dict[str, list[str]] = {reason: [] for reason in REASONS}
    reason_of = {code: reason for reason, codes in REASONS.items() for code in codes}
    for case in tried:
        for finding in case.left():
            if finding.hint is not None:
                place = f"{case.name}, line {finding.span.first.line}"
                reason = SILENT if finding.fixes else reason_of[finding.code]
                lines[reason].append(f"{place} [{finding.code}]\n    {finding.message}\n    hint: {finding.hint}\n")
    return "\n".join(f"{reason.upper()} ({len(found)})\n\n" + "\n".join(found) for reason, found in lines.items())
