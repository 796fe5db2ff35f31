"""Fixes: each corrects its finding and breaks nothing, and none shows a secret."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from flowdsl import Diagnostic, Environment, Fix, Source, Span
from flowdsl.diagnostics import Edit, fixed
from flowdsl.syntax.yaml_reader import read_bytes

BAD = Path(__file__).parent.parent / "golden" / "bad"
ENVIRONMENT = Environment(as_of=date(2026, 11, 21))
FILES = sorted(BAD.glob("*.yaml"))


def source_of(path: Path) -> tuple[Source, list[Diagnostic]]:
    source, found = read_bytes(path.read_bytes(), str(path))
    return source, found or ENVIRONMENT.check(source)


def errors(found: list[Diagnostic]) -> Counter[str]:
    return Counter(finding.code for finding in found if finding.severity == "error")


def alike(finding: Diagnostic) -> tuple[str, str]:
    return finding.code, finding.message


def fault(source: Source, found: list[Diagnostic], finding: Diagnostic, fix: Fix) -> str | None:
    """What a fix leaves or breaks, or None."""
    text = fixed(source, fix)
    if text == source.text:
        return "changes nothing"
    after = ENVIRONMENT.check(Source(text, source.path))
    if Counter(map(alike, after))[alike(finding)] >= Counter(map(alike, found))[alike(finding)]:
        return "the finding stays"
    if any(mistake.code in HIDING for mistake in found):
        return None  # what stood behind the mistake is seen only now
    new = errors(after) - errors(found)
    return f"new errors: {sorted(new)}" if new else None


HIDING = frozenset(
    (
        *("yaml-syntax", "tab", "indentation", "misnested-key", "unquoted-template", "unquoted-colon", "unquoted-sign"),
        *("quote-in-quotes", "duplicate-key", "alias-bomb", "not-a-flow", "missing-key", "unknown-step"),
        "conflicting-keys",
    )
)
"""Findings that keep others from being seen."""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_fix_corrects_its_finding_and_makes_no_new_error(path: Path) -> None:
    source, found = source_of(path)
    wrong = [
        (finding.code, finding.span.first.line, fix.title, fixed(source, fix), what)
        for finding in found
        for fix in finding.fixes
        if (what := fault(source, found, finding, fix)) is not None
    ]
    assert wrong == []


NO_FIX = {
    "alias-bomb": "which of the aliases are too many is the author's to say",
    "constant-condition": "what the condition was meant to compare is not known",
    "deprecated-key": "how the value is made a number is the author's to say",
    "duplicate-id": "another id is the author's to choose",
    "empty-file": "there is nothing yet",
    "key-for-foreign-host": "the name of the secret is not known",
    "loop-runs-once": "whether the loop or its end is wrong is not known",
    "missing-key": "the value is not known",
    "missing-prompt": "the prompt is not known",
    "not-utf8": "the encoding of the file is not known",
    "parallel-write-conflict": "how to name what is written twice is not known",
    "judged-purchase": "a mend that spends money is not offered",
    "secret-leak": "where the secret belongs is not known",
    "undefined-block": "declaring it needs a value",
    "undefined-input": "declaring it needs its type",
    "undefined-variable": "moving a step can break others",
    "unknown-key": "wrapping a step needs a condition, or none is near",
    "unknown-member": "no member is near",
    "unknown-port": "no port is near",
    "unknown-provider": "no provider is near",
    "unknown-service": "no entry is near",
    "unknown-step": "no step is near",
    "shifted-file-name": "moving a step can break others",
    "stale-value": "whether the iteration is to end or to go on with another value is not known",
    "same-file-name": "how the files are told apart is for the author to say",
    "lost-images": "what the pictures are called after the loop is for the author to say",
    "unused-variable": "a SET that sets only it would be left empty",
    "vars-cycle": "which of the vars is wrong is not known",
    "wrong-pattern": "no name is near, or others read the old one",
    "wrong-type": "the right value is not known",
    "yaml-syntax": "what the line was meant to be is not known",
}
"""Codes of findings whose hint says what to do and that have no fix, in some of the golden files, and why."""


def test_findings_with_a_hint_have_a_fix_or_a_reason() -> None:
    hinted = [finding for path in FILES for finding in source_of(path)[1] if finding.hint]
    bare = Counter(finding.code for finding in hinted if not finding.fixes)
    print(f"{len(hinted) - bare.total()} of {len(hinted)} findings with hints have fixes; without: {dict(bare)}")
    assert set(bare) == set(NO_FIX)
    assert all(NO_FIX.values())
    assert 1 - bare.total() / len(hinted) > 0.65


def test_fixes_that_are_safe_can_all_be_applied_at_once() -> None:
    text = "- step: SERVICE_OPENAI_IMAGE_GENERATION\n  prompt: a tower\n  stream: yes\n"
    for _ in range(5):
        source = Source(text)
        safe = [fix for finding in ENVIRONMENT.check(source) for fix in finding.fixes if fix.safe]
        text = fixed(source, safe[0]) if safe else text
    assert text == "- step: OPENAI_IMAGE_GENERATION\n  instruction: a tower\n  stream: true\n"


def test_no_fix_shows_a_secret() -> None:
    text = (
        "services:\n  OPENAI_IMAGE_GENERATION:\n    apiKey: sk-topsecret-1\n    endpoint: user:sk-topsecret-2@host\n"
        "flow:\n  - step: REST\n    url: 'https://u:sk-topsecret-3@example.com'\n    metod: 'sk-topsecret-4'\n"
        "  - step: SET\n    a: {{ sk-topsecret-5 }}\n    a: sk-topsecret-6\n"
    )
    found = ENVIRONMENT.check(text)
    fixes = [fix for finding in found for fix in finding.fixes]
    assert len(fixes) > 2
    assert "topsecret" not in json.dumps([fix.to_dict() for fix in fixes])


def test_edits_apply_from_the_end_of_the_file_to_its_start() -> None:
    source = Source("abc")
    edits = (Edit(Span(source, 0, 1), "AA"), Edit(Span(source, 2, 2), "-"), Edit(Span(Source("other"), 0, 5), ""))
    assert fixed(source, Fix("all", edits)) == "AAb-c"


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ('"{{ (1 + 2 }}"', '"{{ (1 + 2) }}"'),
        ("'{{ [1, 2 }}'", "'{{ [1, 2] }}'"),
        ('"{{ flowContext.map,name }}"', '"{{ flowContext.map.name }}"'),
        ('"{{ flowContext.map.full name }}"', "\"{{ flowContext.map['full name'] }}\""),
        ("'{{ flowContext.map.full name }}'", "'{{ flowContext.map[\"full name\"] }}'"),
        ('"{{ flowContext.list[:2] | join }}"', '"{{ flowContext.list.slice(0, 2) | join }}"'),
        ('"{{ flowContext.list[ 1: ] | join }}"', '"{{ flowContext.list.slice(1) | join }}"'),
        ('"{{ len(flowContext.list) }}"', '"{{ flowContext.list | length }}"'),
        ("\"{{ upper('a') }}\"", "\"{{ 'a' | upper }}\""),
        ("'{{ flowContext.map.name | slugify }}'", '\'{{ flowContext.map.name | lower | replace(" ", "-") }}\''),
        ('"{{ flowContext.list[3] }}"', '"{{ flowContext.list[2] }}"'),
    ],
    ids=[
        "parenthesis",
        "bracket",
        "comma for a dot",
        "blank in a name",
        "blank in a name between single quotes",
        "slice",
        "slice to the end",
        "function",
        "function of a text",
        "filter with quotes",
        "counted from 1",
    ],
)
def test_a_habit_of_another_language_in_a_template_is_written_as_it_is_here(wrong: str, right: str) -> None:
    before = "- step: SET\n  map: {name: Ada, full name: Ada L}\n  list: [1, 2, 3]\n- step: SET\n  text: "
    source = Source(f"{before}{wrong}\n")
    (finding,) = ENVIRONMENT.check(source)
    assert [fixed(source, fix) for fix in finding.fixes] == [f"{before}{right}\n"]
    assert not errors(ENVIRONMENT.check(Source(f"{before}{right}\n")))


def test_a_call_that_is_more_than_a_filter_of_one_value_has_no_fix() -> None:
    for call in ("len(1 + 2)", "str(1).x", "len(a, b)"):
        (finding,) = (
            each for each in ENVIRONMENT.check(f"- step: SET\n  a: '{{{{ {call} }}}}'\n") if "function" in each.message
        )
        assert finding.fixes == ()
