"""How the bytes of an input become records: by lines, as a whole, or as rows of CSV."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flowdsl import StepError

LONGEST_LINE = 65_536
"""The most bytes of a line, unless `max_buffer_size` says otherwise. Source: the engine's scanner `lines`."""
LARGEST = 64 * 1024 * 1024
"""The most bytes of a record that is a whole file."""


class Found(NamedTuple):
    """Where a record stands, its content, and what is added to its metadata; `error` says why it is none."""

    name: str
    content: bytes
    metadata: Mapping[str, Any] = {}
    error: str | None = None


class Scanner:
    """Takes bytes as they come, and gives the records that are complete."""

    def feed(self, chunk: bytes) -> Iterator[Found]:
        """The records that end in these bytes."""
        raise NotImplementedError

    def finish(self) -> Iterator[Found]:
        """What is left at the end."""
        raise NotImplementedError


def scanner_of(settings: Mapping[str, Any] | None) -> Scanner:
    """The scanner of a setting `{lines: {}}`, `{to_the_end: {}}` or `{csv: {}}`: by default `lines`."""
    kind, own = next(iter((settings or {"lines": {}}).items()))
    own = own or {}
    if kind == "to_the_end":
        return Whole()
    if kind == "csv":
        delimiter = own.get("custom_delimiter") or own.get("delimiter") or ","
        has_header = own.get("parse_header_row")
        return Rows(str(delimiter), has_header=has_header is not False, is_lazy=own.get("lazy_quotes") is True)
    delimiter, longest = own.get("custom_delimiter") or "\n", own.get("max_buffer_size") or LONGEST_LINE
    return Lines(str(delimiter).encode(), int(longest), omits_empty=own.get("omit_empty") is True)


class Lines(Scanner):
    """A record a line, without its end; empty lines are records too."""

    def __init__(self, delimiter: bytes = b"\n", longest: int = LONGEST_LINE, *, omits_empty: bool = False) -> None:
        self._delimiter = delimiter
        self._longest = longest
        self._omits_empty = omits_empty
        self._left = bytearray()
        self._searched = 0
        self._line = 0
        self._is_skipping = False  # the rest of a line that is too long

    def feed(self, chunk: bytes) -> Iterator[Found]:
        """The lines that end in these bytes."""
        self._left += chunk
        begin = 0
        while (end := self._left.find(self._delimiter, max(begin, self._searched))) >= 0:
            yield from self._found(bytes(self._left[begin:end]))
            begin = end + len(self._delimiter)
            self._searched = begin
        del self._left[:begin]
        if len(self._left) > self._longest:
            if not self._is_skipping:
                yield self._refused()
            self._is_skipping = True
            del self._left[: len(self._left) - len(self._delimiter) + 1]
        self._searched = max(0, len(self._left) - len(self._delimiter) + 1)

    def finish(self) -> Iterator[Found]:
        """The last line, where nothing ends it."""
        if self._left or self._is_skipping:
            yield from self._found(bytes(self._left))
            self._left.clear()

    def _found(self, line: bytes) -> Iterator[Found]:
        if self._is_skipping:
            self._is_skipping = False
            return
        if len(line) > self._longest:
            yield self._refused()
            return
        self._line += 1
        if self._delimiter == b"\n":
            line = line.removesuffix(b"\r")
        if line or not self._omits_empty:
            yield Found(f"line {self._line}", line)

    def _refused(self) -> Found:
        self._line += 1
        message = f"it has more than {self._longest:,} bytes; `scanner: {{lines: {{max_buffer_size: …}}}}` allows more"
        return Found(f"line {self._line}", b"", error=message)


class Whole(Scanner):
    """One record that holds everything."""

    def __init__(self) -> None:
        self._content = bytearray()

    def feed(self, chunk: bytes) -> Iterator[Found]:
        """Nothing yet."""
        self._content += chunk
        if len(self._content) > LARGEST:
            raise StepError(f"the input has more than {LARGEST // 1024**2} MiB", code="input-unreadable")
        yield from ()

    def finish(self) -> Iterator[Found]:
        """All of it."""
        yield Found("", bytes(self._content))


class Rows(Scanner):
    """A record a row of CSV: the JSON of a map from the names of the columns to texts, or of a list without names."""

    def __init__(self, delimiter: str = ",", *, has_header: bool = True, is_lazy: bool = False) -> None:
        self._lines = Lines(longest=LARGEST)
        self._delimiter = delimiter
        self._has_header = has_header
        self._is_lazy = is_lazy
        self._names: list[str] | None = None
        self._begun: list[str] = []  # the lines of a row whose quote is open
        self._length = 0
        self._row = 0

    def feed(self, chunk: bytes) -> Iterator[Found]:
        """The rows that end in these bytes."""
        for found in self._lines.feed(chunk):
            yield from self._take(found)

    def finish(self) -> Iterator[Found]:
        """The last row."""
        for found in self._lines.finish():
            yield from self._take(found)
        if self._begun:
            yield self._refused("a quote is not closed")

    def _take(self, found: Found) -> Iterator[Found]:
        if found.error is not None:
            yield self._refused(f"it has more than {LARGEST:,} bytes")
            return
        try:
            text = found.content.decode("utf-8-sig" if self._row == 0 and self._names is None else "utf-8")
        except UnicodeDecodeError:
            yield self._refused("it is no UTF-8 text")
            return
        is_open = (text.count('"') % 2 == 1) != bool(self._begun)
        if is_open and not self._is_lazy:  # a line end inside of quotes
            self._begun.append(text)
            self._length += len(text) + 1
            if self._length > LARGEST:
                self._begun, self._length = [], 0
                yield self._refused(f"it has more than {LARGEST:,} characters")
            return
        text = "\n".join((*self._begun, text))
        self._begun, self._length = [], 0
        if not text:
            return
        try:
            reads = csv.reader([text], delimiter=self._delimiter, strict=not self._is_lazy)
            (row,) = reads
        except (csv.Error, ValueError) as error:
            yield self._refused(str(error))
            return
        if self._has_header and self._names is None:
            self._names = row
            return
        self._row += 1
        if self._names is not None and len(row) != len(self._names):
            self._row -= 1
            fields = "1 field" if len(row) == 1 else f"{len(row)} fields"
            yield self._refused(f"it has {fields}, and the header names {len(self._names)}")
            return
        value: Any = row if self._names is None else dict(zip(self._names, row, strict=True))
        content = json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
        yield Found(f"row {self._row}", content.encode(), {"csv_row": self._row})

    def _refused(self, error: str) -> Found:
        if self._has_header and self._names is None:
            raise StepError(f"the header: {error}", code="input-unreadable")
        self._row += 1
        return Found(f"row {self._row}", b"", error=error)
