"""The findings of many files: those known to be clean are not checked, and many others side by side.

A process beside this one says only that a file is clean. A file with findings is checked again here, where they are
needed: in a project that somebody looks after those are few.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence

from flowdsl.cli.clean import Clean
from flowdsl.cli.flow_files import STANDARD_INPUT, read_content

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from datetime import date
    from typing import BinaryIO

    from flowdsl.cli.variables import Environments
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Source

_ALONE = 32
"""So many files are checked here first: what they load and learn is there for the processes that begin after them."""
_ENOUGH = 64
"""So many files must be left for processes to be worth their time."""
_MOST_PROCESSES = 8


class Checks:
    """The checks of the files of one command.

    With `lightly` a file that is clean may have no source: it was not read, or elsewhere. Then what is known of earlier
    commands counts too, unless `fresh`.
    """

    def __init__(
        self, paths: Sequence[str], as_of: date | None, *, lightly: bool, fresh: bool, stdin_filename: str | None = None
    ) -> None:
        self._as_of, self._stdin_filename, self._lightly = as_of, stdin_filename, lightly
        self._clean = Clean(as_of) if lightly and not fresh else None
        self._known = frozenset(path for path in paths if self._is_known(path))
        self._left = [path for path in dict.fromkeys(paths) if path not in self._known and path != STANDARD_INPUT]
        self._done = 0
        self._elsewhere: dict[str, _Process] = {}
        self._made: Environments | None = None

    def _is_known(self, path: str) -> bool:
        if self._clean is None or path == STANDARD_INPUT:
            return False
        try:
            return self._clean.knows(path, read_content(path))
        except OSError:  # it is told when the file is checked
            return False

    @property
    def environments(self) -> Environments:
        """What the files are checked against."""
        if self._made is None:
            from flowdsl.cli.variables import Environments

            self._made = Environments(self._as_of)
        return self._made

    def of(self, path: str) -> tuple[Source | None, list[Diagnostic]]:
        """The source and the findings of a file; files are best asked for in their order.

        Raises:
            OSError: it cannot be read.
            UsageError: of the settings file beside it.
        """
        if path in self._known:
            return None, []
        if self._done == _ALONE and self._lightly:
            self._share_out()
        self._done += 1
        process = self._elsewhere.get(path)
        if process is not None and process.finds_clean(path, self._clean):
            return None, []
        return self._checked(path)

    def _checked(self, path: str) -> tuple[Source, list[Diagnostic]]:
        from flowdsl.syntax.yaml_reader import read_bytes

        content = read_content(path)
        source, found = read_bytes(content, self._stdin_filename or "<stdin>" if path == STANDARD_INPUT else path)
        if found:
            return source, found
        examined = self.environments.examined(source)
        if self._clean is not None and path != STANDARD_INPUT:
            self._clean.remember(path, content, examined, self.environments.of(source).host.env)
        return source, [finding.hidden() for finding in examined.diagnostics]

    def _share_out(self) -> None:
        left, count = self._left[_ALONE:], min(_processors(), _MOST_PROCESSES)
        if len(left) < _ENOUGH or count < 2 or not _can_fork():
            return
        for number in range(1, count):
            process = _Process(left[number::count], self._checked, self._clean)
            self._elsewhere.update(dict.fromkeys(left[number::count], process))

    def __enter__(self) -> Checks:
        return self

    def __exit__(self, *_: object) -> None:
        """Keeps what was found out for later commands, and takes leave of the processes."""
        for process in {id(each): each for each in self._elsewhere.values()}.values():
            process.end()
        if self._clean is not None:
            self._clean.save()


class _Process:
    """A process beside this one, which says of each of its files in their order whether it is clean.

    It is a copy of this one, with all that is loaded, and ends with it: what it writes has no reader then.
    """

    def __init__(
        self,
        paths: Sequence[str],
        check: Callable[[str], tuple[Source, list[Diagnostic]]],
        clean: Clean | None,
    ) -> None:
        self._place = {path: number for number, path in enumerate(paths)}
        self._answers: list[bytes] = []
        reading, writing = os.pipe()
        self._id = os.fork()
        if self._id == 0:
            os.close(reading)
            try:
                _answer(paths, check, clean, writing)
            finally:
                os._exit(0)  # whatever ends it, also a bug of ours: what it has not said is checked where it is told
        os.close(writing)
        self._stream: BinaryIO = os.fdopen(reading, "rb")

    def finds_clean(self, path: str, clean: Clean | None) -> bool:
        """Whether it found a file clean; what is known of it is then known to `clean`. False when it has ended."""
        number = self._place[path]
        while len(self._answers) <= number:
            answer = self._stream.readline()
            if not answer.endswith(b"\n"):
                return False
            self._answers.append(answer)
        verdict, _, line = self._answers[number][:-1].decode("utf-8", "surrogateescape").partition("\t")
        if clean is not None and line:
            clean.add(line)
        return verdict == "clean"

    def end(self) -> None:
        """Takes leave of it: without a reader it ends too."""
        self._stream.close()
        os.waitpid(self._id, 0)


def _answer(
    paths: Sequence[str],
    check: Callable[[str], tuple[Source, list[Diagnostic]]],
    clean: Clean | None,
    writing: int,
) -> None:
    from flowdsl.errors import FlowError

    for path in paths:
        try:
            verdict = "found" if check(path)[1] else "clean"
        except (OSError, FlowError):  # it happens again where it is told
            verdict = "failed"
        line = clean.last_of(path) if clean is not None and verdict == "clean" else ""
        os.write(writing, f"{verdict}\t{line}\n".encode("utf-8", "surrogateescape"))


def _processors() -> int:
    """How many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _can_fork() -> bool:
    """Whether a copy of this process would be whole: other threads are not copied."""
    threading = sys.modules.get("threading")
    return hasattr(os, "fork") and (threading is None or threading.active_count() == 1)
