"""`--fix`: fixes until none is left, and never a file that is worse than before."""

from __future__ import annotations

from datetime import date

from flowdsl import Diagnostic, Environment, Fix, Source, Span
from flowdsl.diagnostics import Edit
from flowdsl.rewriting.fixing import repaired

ENVIRONMENT = Environment(as_of=date(2026, 11, 21))


def fixed(text: str, *, unsafe: bool = True) -> tuple[str, list[str], list[str]]:
    """The text with its fixes, the codes that were corrected, and those that are left."""
    done = repaired(Source(text), ENVIRONMENT.check, unsafe=unsafe)
    return done.source.text, [finding.code for finding, _ in done.applied], [finding.code for finding in done.left]


def test_only_safe_fixes_are_applied_unless_others_are_asked_for() -> None:
    text = "- step: SERVICE_OPENAI_IMAGE_GENERATION\n  prompt: a tower\n  modl: gpt-image-2\n"
    after, done, left = fixed(text, unsafe=False)
    assert after == "- step: OPENAI_IMAGE_GENERATION\n  instruction: a tower\n  modl: gpt-image-2\n"
    assert (done, left) == (["deprecated-alias", "deprecated-key"], ["unknown-key"])
    after, done, left = fixed(text)
    assert after == "- step: OPENAI_IMAGE_GENERATION\n  instruction: a tower\n  model: gpt-image-2\n"
    assert left == []


def test_what_a_mistake_of_syntax_hid_is_corrected_after_it() -> None:
    text = "- step: OPENAI_IMAGE_GENERATION\n\tmodl: gpt-image-2\n  instruction: {{ inputs.x }} boats\n"
    after, done, left = fixed(text)
    assert "model: gpt-image-2" in after
    assert {"tab", "unquoted-template", "unknown-key"} <= set(done)
    assert left == ["undefined-input"]


def finding(source: Source, start: int, end: int, text: str, code: str = "tab") -> Diagnostic:
    fix = Fix("write it", (Edit(Span(source, start, end), text),), True)
    return Diagnostic(code, f"`{source.text[start:end]}` is wrong", Span(source, start, end), fixes=(fix,))


def words(source: Source) -> list[Diagnostic]:
    """Findings of a made-up check: each `b` should be a `c`, an `x` comes of `y`, which makes two errors."""
    found = []
    for at, char in enumerate(source.text):
        if char == "b":
            found.append(finding(source, at, at + 1, "c"))
        elif char == "x":
            found.append(finding(source, at, at + 1, "y"))
        elif char == "y":
            found += [Diagnostic("unknown-key", f"y {at} is wrong {time}", Span(source, at, at + 1)) for time in (1, 2)]
    return found


def test_a_fix_that_makes_it_worse_is_left_out_and_the_others_are_not() -> None:
    done = repaired(Source("- [a b, x, b b, b]"), words)
    assert done.source.text == "- [a c, x, c c, c]"
    assert len(done.applied) == 4
    assert [each.code for each in done.left] == ["tab"]


def test_fixes_that_undo_each_other_come_to_an_end() -> None:
    def check(source: Source) -> list[Diagnostic]:
        at = max(source.text.find("one"), source.text.find("two"))
        return [finding(source, at, at + 3, "two" if "one" in source.text else "one")]

    done = repaired(Source("- one"), check)
    assert len(done.left) == 1
    assert len(done.applied) <= 1


def test_fixes_that_overlap_are_applied_one_after_the_other() -> None:
    def check(source: Source) -> list[Diagnostic]:
        found = []
        if "abc" in source.text:
            at = source.text.index("abc")
            found = [finding(source, at, at + 2, "xy"), finding(source, at + 1, at + 3, "zz", "unknown-key")]
        elif "c" in source.text:
            found = [finding(source, source.text.index("c"), source.text.index("c") + 1, "w", "unknown-key")]
        return found

    assert repaired(Source("- abc"), check).source.text == "- xyw"


def test_a_fix_of_another_file_is_left_alone() -> None:
    other = Source("b")
    done = repaired(Source("- a"), lambda source: [finding(other, 0, 1, "c")])
    assert (done.source.text, done.applied) == ("- a", ())


def test_a_fix_that_only_silences_a_finding_is_left_to_the_author() -> None:
    text = "- step: SET\n  text: 'a {{ flowContext.weather }} day'\n"
    (finding,) = ENVIRONMENT.check(Source(text))
    assert [fix.by_hand for fix in finding.fixes] == [True]
    assert fixed(text)[0] == text


def test_a_byte_order_mark_and_line_ends_stay() -> None:
    done = repaired(Source("\ufeff- step: SET\r\n  a: {{ x }}\r\n"), ENVIRONMENT.check)
    assert done.source.marks == 1
    assert done.source.text == '- step: SET\r\n  a: "{{ x }}"\r\n'
