"""Other files of a flow: `!include` and imports. Nothing leaves the project's root, nothing is fetched."""

from __future__ import annotations

import os
from functools import cached_property

from flowdsl.diagnostics import Diagnostic
from flowdsl.errors import ConfigError
from flowdsl.source import Source, Span
from flowdsl.syntax.composer import MAX_DEPTH
from flowdsl.syntax.node import Node
from flowdsl.syntax.opened import ROOT_MARKS, project_root, read_file
from flowdsl.syntax.yaml_reader import read, read_bytes


def project_file(name: str, at: Span) -> str:
    """The path of a file that a step names, which stands at a place: found as the files are that a document names. One
    in full is taken where it lies in the project.

    Raises:
        ConfigError: there is no such file in the project.
    """
    files = Files(at.source)
    if os.path.isabs(name) and is_within(name, files.root):  # noqa: PTH117
        name = os.path.relpath(os.path.realpath(name), files.root)
    real, problem = files.resolve(name, at)
    if real is None:
        message, hint = (problem.message, problem.hint) if problem is not None else (f"there is no file `{name}`", None)
        raise ConfigError(message, code=problem.code if problem is not None else "missing-file", hint=hint)
    return real


def is_within(path: str, folder: str) -> bool:
    """Whether a path, with its links followed, leads into a folder."""
    return os.path.realpath(path).startswith(os.path.realpath(folder).rstrip(os.sep) + os.sep)


class Files:
    """Reads the files a document names; each file once."""

    def __init__(self, source: Source, root: str | None = None) -> None:
        self._path = source.path
        self._root = root
        self._sources: dict[str, tuple[Source, list[Diagnostic]]] = {}
        self._included: dict[str, tuple[Node | None, list[Diagnostic]]] = {}
        """What came of files that were included: each is read once, however often it is named."""
        self.asked: dict[str, str] = {}
        """Path as it was asked for → file that it led to."""

    @cached_property
    def root(self) -> str:
        """The root of the project, which is looked for when a file names another one."""
        return self._root or project_root(os.path.dirname(self._including[0]) if self._including else os.getcwd())  # noqa: PTH109, PTH120

    @cached_property
    def _including(self) -> list[str]:
        """The files that are being read, each of which includes the next."""
        return [os.path.realpath(self._path)] if not self._path.startswith("<") else []

    def include(self, path: str, at: Span) -> tuple[Node | None, list[Diagnostic]]:
        """The root node of an included file, with what is wrong in it; positions keep their file."""
        real, problem = self.resolve(path, at)
        if real is None:
            return None, [problem] if problem else []
        if real in self._including:
            chain = " → ".join(self.shown(step) for step in [*self._including, real])
            return None, [Diagnostic("include-cycle", f"Include cycle detected: {chain}", at)]
        if real in self._included:
            return self._included[real]
        if len(self._including) >= MAX_DEPTH:
            return None, [Diagnostic("too-deep", f"files include each other more than {MAX_DEPTH} deep", at)]
        source, mistakes = self.open(real, at)
        if mistakes:
            return None, mistakes
        self._including.append(real)
        try:
            found = self._included[real] = read(source, self.include, measured=True)
        finally:
            self._including.pop()
        return found

    def resolve(self, path: str, at: Span) -> tuple[str | None, Diagnostic | None]:
        """The file a path means: `./` and `../` from the file that names it, others from the root."""
        if "://" in path:
            message = f"`{path}` is an address, and nothing is fetched"
            return None, Diagnostic("missing-file", message, at, hint="name a file of the project")
        if "\0" in path:
            return None, Diagnostic("missing-file", f"no file has the name {path!r}", at, hint="a name holds no NUL")
        base = self.root
        if path.startswith(("./", "../")) and not at.source.path.startswith("<"):
            base = os.path.dirname(os.path.realpath(at.source.path))  # noqa: PTH120
        asked = os.path.join(base, path.lstrip("/"))  # noqa: PTH118
        real = self.asked[asked] = os.path.realpath(asked)
        if real != self.root and not real.startswith(self.root.rstrip(os.sep) + os.sep):
            hint = f"the root is {self.root}: the nearest folder with {', '.join(ROOT_MARKS[:-1])} or {ROOT_MARKS[-1]}"
            return None, Diagnostic("outside-root", f"`{path}` leads out of the project", at, hint=hint)
        if not os.path.isfile(real):  # noqa: PTH113
            message = f"there is no file `{self.shown(real)}`"
            return None, Diagnostic("missing-file", message, at, hint=self._near(real))
        return real, None

    def open(self, real: str, at: Span) -> tuple[Source, list[Diagnostic]]:
        """The text of a file inside the root."""
        found = self._sources.get(real)
        if found is None:
            try:
                found = read_bytes(read_file(real, self.root), os.path.relpath(real))
            except OSError as error:
                message = f"`{self.shown(real)}` cannot be read: {error.strerror}"
                found = Source("", real), [Diagnostic("missing-file", message, at)]
            self._sources[real] = found
        return found

    def read(self) -> dict[str, Source]:
        """Every file that was read for the document, without its own, by its path without links."""
        return {real: source for real, (source, _) in self._sources.items()}

    def texts(self) -> list[str]:
        """The text of every file that was read for the document, without its own."""
        return [source.text for source, _ in self._sources.values()]

    def shown(self, real: str) -> str:
        """A path for people: from the root."""
        return os.path.relpath(real, self.root)

    def _near(self, real: str) -> str | None:
        from flowdsl.nearest import nearest

        folder, name = os.path.split(real)
        try:
            near = nearest(name, os.listdir(folder))  # noqa: PTH208
        except OSError:
            return f"there is no folder `{self.shown(folder)}` either"
        return f"did you mean `{near}`?" if near else None
