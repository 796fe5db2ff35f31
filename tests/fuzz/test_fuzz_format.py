"""A sample of what `fuzz_format.py` does at length, and every file of the repository."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest
from fuzz_format import fault, faults, mutated, whole_files, yaml_files

from flowdsl import Environment, FlowSyntaxError, Source
from flowdsl.rewriting.style import formatted_flow
from flowdsl.syntax.yaml_reader import read_bytes


def test_a_few_mutations_keep_their_values_and_comments_in_the_one_style() -> None:
    done: Counter[str] = Counter()
    assert faults(mutated(40, 3), done) == []
    assert done["formatted"] > 15


@pytest.mark.long
def test_every_file_and_5000_mutations_keep_their_values_and_comments_in_the_one_style() -> None:
    done: Counter[str] = Counter()
    assert faults(whole_files(), done) == []
    assert faults(mutated(5_000, 1), done) == []
    print(f"{len(yaml_files())} files and 5,000 mutations: {dict(done)}")
    assert done["formatted"] > 3_000


@pytest.mark.long
def test_every_flow_of_the_repository_has_the_same_findings_in_the_one_style() -> None:
    environment = Environment(as_of=date(2026, 11, 21))
    different, count = [], 0
    for path in yaml_files():
        source, undecodable = read_bytes(path.read_bytes(), str(path))
        try:
            text = formatted_flow(source) if not undecodable else source.text
        except FlowSyntaxError:
            continue
        before, after = (
            Counter((each.code, each.message) for each in environment.check(one))
            for one in (source, Source(text, str(path)))
        )
        count += 1
        if before != after:
            different.append((str(path), before - after, after - before))
    print(f"{count} flows, modules and kits")
    assert different == []
    assert count > 150


def test_a_fault_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a: 1\nb:\n    - 2  # two\n"
    assert fault(content) is None
    for wrong in ("a: 2\nb:\n    - 2  # two\n", "a: 1\nb:\n  - 2  # three\n", "a: 1\nb:\n  - 2\n"):
        monkeypatch.setattr("fuzz_format.formatted", lambda source, wrong=wrong: wrong)
        assert fault(content)
