"""The records of `flowdsl batch`: lines of JSON or CSV, read one by one; and what became of them, line by line."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, NamedTuple

from flowdsl.cli.tables import typed
from flowdsl.errors import UsageError
from flowdsl.nearest import nearest

LINES = (".jsonl", ".ndjson")
TABLES = (".csv", ".tsv")
FAILED = "_failed"
"""The key beside the fields of a record that failed, which says why; it is no input."""

_SEED = 20_261_127
"""A sample is the same each time, so that a batch that is resumed goes on with it."""


class Read(NamedTuple):
    """A record of a file: its number, from 0, its line, from 1, and its fields, or what is wrong with it."""

    number: int
    line: int
    fields: dict[str, Any]
    problem: str | None = None


def read_records(path: str, types: Mapping[str, str]) -> Iterator[Read]:
    """The records of a file, one in memory at a time; `types` are the columns of a table that are numbers or booleans.

    Raises:
        UsageError: a table without a first line that names its columns, or an ending that says neither.
        OSError: the file cannot be read.
    """
    ending = os.path.splitext(path)[1].lower()  # noqa: PTH122
    if ending in LINES:
        return _lines(path)
    if ending in TABLES:
        return _table(path, "\t" if ending == ".tsv" else "", types)
    raise UsageError(f"--over takes a .jsonl or a .csv file, not {path}")


def check_is_there(path: str) -> None:
    """Looks whether there is a file of records.

    Raises:
        UsageError: there is none.
    """
    if path == "-":
        raise UsageError("--over takes a file, as records are read more than once: put them into a .jsonl or .csv file")
    if os.path.exists(path) and not os.path.isfile(path):  # noqa: PTH110, PTH113  pathlib is slow to import
        kind = "a folder" if os.path.isdir(path) else "a device or a pipe, which can be read once"  # noqa: PTH112
        raise UsageError(f"--over {path}: that is {kind}; name a .jsonl or .csv file")
    if not os.path.isfile(path):  # noqa: PTH113
        raise UsageError(f"--over {path}: there is no such file{_meant(path)}")


def _meant(path: str) -> str:
    """The file of records beside a path that is none, of which the name is near."""
    folder = os.path.dirname(path)  # noqa: PTH120
    with suppress(OSError):
        files = [each for each in os.listdir(folder or ".") if each.lower().endswith((*LINES, *TABLES))]  # noqa: PTH208
        near = nearest(os.path.basename(path), files)  # noqa: PTH119
        return f"; did you mean `{os.path.join(folder, near)}`?" if near else ""  # noqa: PTH118
    return ""


def count_records(path: str) -> int:
    """How many lines a file has that are not empty: so many records, or a few more of a table with texts of several
    lines."""
    with open(path, "rb") as file:  # noqa: PTH123
        lines = sum(1 for line in file if line.strip())
    return lines - (not path.lower().endswith(LINES))


def head_of(path: str, size: int | None = None) -> dict[str, Any]:
    """How long a file is, or its first bytes, and their SHA-256."""
    import hashlib

    digest, left = hashlib.sha256(), os.path.getsize(path) if size is None else size  # noqa: PTH202
    found = 0
    with open(path, "rb") as file:  # noqa: PTH123
        while left > found and (piece := file.read(min(1 << 20, left - found))):
            digest.update(piece)
            found += len(piece)
    return {"bytes": found, "sha256": digest.hexdigest()}


def _lines(path: str) -> Iterator[Read]:
    number = 0
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="\n") as file:  # noqa: PTH123
        for line, text in enumerate(file, 1):
            if not text.strip():
                continue
            yield _parsed(number, line, text)
            number += 1


def _parsed(number: int, line: int, text: str) -> Read:
    try:
        text.encode()
        value = json.loads(text)
    except UnicodeEncodeError:
        return Read(number, line, {}, f"line {line} is not UTF-8")
    except (ValueError, RecursionError) as error:
        said = getattr(error, "msg", str(error))
        return Read(number, line, {}, f"line {line} is no JSON: {said}")
    if not isinstance(value, dict):
        return Read(number, line, {}, f'line {line} is no map: write {{"name": value}}')
    before = value.pop(FAILED, None)
    if isinstance(before, dict):
        if not value and before.get("run", "") is None:  # it would be bought as a record without fields
            said = f'line {line} is of a record that could not be read: write its fields beside "{FAILED}"'
            return Read(number, line, {}, said)
        for name in before.get("hidden", ()):
            value.pop(name, None)  # a secret, which did not come along
    return Read(number, line, value)


def _table(path: str, delimiter: str, types: Mapping[str, str]) -> Iterator[Read]:
    with open(path, encoding="utf-8-sig", errors="surrogateescape", newline="") as file:  # noqa: PTH123
        first = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=delimiter or _delimiter(first), strict=True)
        names = [name.strip() for name in next(reader, [])]
        if not first:
            raise UsageError(f"{path} is empty: its first line names the columns, and each further line is a record")
        if not names or not all(names) or len(set(names)) != len(names):
            raise UsageError(f"the first line of {path} does not name each column once")
        number, begin = 0, reader.line_num + 1
        while True:
            try:
                cells = next(reader, None)
            except csv.Error as error:
                yield Read(number, begin, {}, f"line {begin} is not CSV: {error}")
                return
            if cells is None:
                return
            if any(cell.strip() for cell in cells):
                yield _row(number, begin, names, cells, types)
                number += 1
            begin = reader.line_num + 1


def _row(number: int, line: int, names: list[str], cells: list[str], types: Mapping[str, str]) -> Read:
    if len(cells) != len(names):
        cell = "1 cell" if len(cells) == 1 else f"{len(cells)} cells"
        return Read(number, line, {}, f"line {line} has {cell}, and the first line names {len(names)}")
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        return Read(number, line, {}, f"line {line} is not UTF-8")
    return Read(number, line, dict(typed(names, cells, types)))


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count) if any(sign in first for sign in ",;\t") else ","


class Lines:
    """A file of lines of JSON that are added one by one: a process that is killed leaves at most one cut off, which is
    taken away when the file is opened again."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file: IO[bytes] | None = None
        self.count = 0

    def known(self) -> Iterator[dict[str, Any]]:
        """The lines that are there already; a last one that is cut off is removed.

        Raises:
            UsageError: the file holds something else.
        """
        if not self.path.exists():
            return
        end = 0
        with self.path.open("rb") as file:
            for text in file:
                try:
                    line = json.loads(text)
                except ValueError:
                    line = None
                if not text.endswith(b"\n"):
                    break
                if not isinstance(line, dict):
                    raise UsageError(f"{self.path} is no file of results: move it away, or name another --out")
                end += len(text)
                self.count += 1
                yield line
        if end < self.path.stat().st_size:
            os.truncate(self.path, end)

    def records(self) -> set[int]:
        """The records that have a line."""
        if not self.path.exists():
            return set()
        with self.path.open("rb") as file:
            return {_record(json.loads(text)) for text in file if text.endswith(b"\n")}

    def take_out(self, records: Collection[int]) -> None:
        """Takes out the lines of records that are worked on again: the file is written anew, whole or not at all.

        Raises:
            OSError: the disk does not take it.
        """
        if not self.path.exists():
            return
        part, count = self.path.with_name(f"{self.path.name}.part"), 0
        with self.path.open("rb") as file, part.open("wb") as kept:
            for text in file:
                if _record(json.loads(text)) not in records:
                    kept.write(text)
                    count += 1
            kept.flush()
            os.fsync(kept.fileno())
        part.replace(self.path)
        self.count = count

    def add(self, line: Mapping[str, Any]) -> None:
        """Adds a line.

        Raises:
            OSError: the disk does not take it.
        """
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("ab", buffering=0)
        # Half a character stands as JSON has it, and is not another text when the line is read again.
        left = json.dumps(line, ensure_ascii=False, default=str).encode("utf-8", "backslashreplace") + b"\n"
        while left:  # a disk that is nearly full takes a part, and says no to the rest
            left = left[self._file.write(left) :]
        self.count += 1

    def close(self) -> None:
        """Has the disk take what was added."""
        if self._file is not None:
            os.fsync(self._file.fileno())
            self._file.close()
            self._file = None


def _record(line: Mapping[str, Any]) -> Any:
    """The number of the record that a line is of."""
    return line.get(FAILED, line).get("record")


def chosen_records(total: int, limit: int | None, sample: int | None) -> set[int] | None:
    """The numbers of the records of a sample, among the first ones when there is a limit; None where all are meant."""
    if sample is None:
        return None
    from random import Random

    most = min(total, limit) if limit is not None else total
    return set(Random(_SEED).sample(range(most), min(sample, most)))


def wanted_records(total: int, limit: int | None, sample: int | None) -> int:
    """How many records a limit and a sample leave."""
    return min([total, *(each for each in (limit, sample) if each is not None)])
