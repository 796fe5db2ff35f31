"""A small sample of what `fuzz_check.py` does at length."""

from __future__ import annotations

from pathlib import Path

import pytest
from fuzz_check import Fuzzer, generated, mutations


@pytest.mark.long
def test_documents_that_hypothesis_makes_raise_nothing_and_load_when_they_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fuzzer = Fuzzer()
    generated(fuzzer, 200)
    assert fuzzer.bugs == []
    assert fuzzer.counts["accepted"] > 5


def test_mutations_of_our_files_raise_nothing_and_load_when_they_are_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fuzzer = Fuzzer()
    mutations(fuzzer, 120)
    assert fuzzer.bugs == []
    assert fuzzer.counts["accepted"] > 2
