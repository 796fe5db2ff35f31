"""A small sample of what `fuzz_lossless.py` does at length."""

from __future__ import annotations

from collections import Counter
from random import Random

from fuzz_lossless import MUTATIONS, fault, faults, yaml_files


def test_every_yaml_file_is_written_back_byte_for_byte() -> None:
    files = yaml_files()
    assert len(files) > 300
    assert [path.name for path in files if fault(path.read_bytes(), Random(path.name)) is not None] == []


def test_mutations_of_our_files_are_written_back_byte_for_byte() -> None:
    done: Counter[str] = Counter()
    assert faults(500, 20, done) == []
    assert set(done) == set(MUTATIONS)
