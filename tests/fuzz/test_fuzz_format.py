"""A sample of what `fuzz_format.py` does at length, and every file of the repository."""

from __future__ import annotations

from collections import Counter

import pytest
from fuzz_format import fault, faults, mutated, whole_files, yaml_files


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


def test_a_fault_would_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    content = b"a: 1\nb:\n    - 2  # two\n"
    assert fault(content) is None
    for wrong in ("a: 2\nb:\n    - 2  # two\n", "a: 1\nb:\n  - 2  # three\n", "a: 1\nb:\n  - 2\n"):
        monkeypatch.setattr("fuzz_format.formatted", lambda source, wrong=wrong: wrong)
        assert fault(content)
