"""Files in which a check found nothing: they are not checked again as long as nothing has changed that the check saw.

What is kept are digests, in the user's cache folder, never in the tree that is checked. The name of the file there
stands for the day (models live and die by days), the version of Python, and the code of this package and its plugins.
A line stands for one text at one path, and for all else that its check looked at: the settings files around it, the
files that it names, the environment variables of its services, and modules that a plugin has from elsewhere, such as a
folder of PYTHONPATH. Everything is read anew and compared by content, code by sizes and times.
Findings are not kept: whoever has some wants to see them, and they are made anew.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from time import strftime

from flowdsl.settings.places import project_places, user_place
from flowdsl.syntax.opened import project_root, read_file

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from datetime import date
    from typing import Any

    from flowdsl.environment.environment import Examined

_GROUPS = ("flowdsl.steps", "flowdsl.dialects", "flowdsl.image_vendors")
_SKIPPED = frozenset({"__pycache__", "node_modules"})
_LARGEST = 16 * 1024 * 1024
"""A file with more bytes begins anew."""
_KEPT_DAYS = 3
"""Files of other days and versions that nobody has written to for so long are removed."""


def _hash() -> Any:
    try:
        from _blake2 import blake2b  # hashlib loads OpenSSL, which takes longer than all the rest
    except ImportError:
        from hashlib import blake2b
    return blake2b(digest_size=16)


def _digest(parts: Iterable[bytes | str]) -> str:
    """The digest of texts and bytes in their order; where one ends and the next begins counts too."""
    made = _hash()
    for part in parts:
        content = part if isinstance(part, bytes) else part.encode("utf-8", "surrogateescape")
        made.update(b"%d:" % len(content))
        made.update(content)
    found: str = made.hexdigest()
    return found


class Clean:
    """What is known of files that are clean on a day, by default today."""

    def __init__(self, as_of: date | None) -> None:
        day = strftime("%Y-%m-%d") if as_of is None else as_of.isoformat()
        self._around: dict[str, str] = {}
        self._new: dict[str, str] = {}
        """Path → line."""
        folder = cache_folder(os.environ)
        self._statuses: dict[str, str] = {}
        self._foreign: tuple[int, list[str]] | None = None
        self._packages = [place for package in _packages() for place in _places(package)] if folder is not None else []
        self._path = f"{folder}/clean-{_digest((day, sys.version, *_code()))}" if folder is not None else None
        self._lines: dict[str, str] = {}
        if self._path is not None:
            self._lines = dict(_pairs(self._path))

    def knows(self, path: str, content: bytes) -> bool:
        """Whether a file with this content is clean."""
        line = self._lines.get(_key(path, content))
        if line is None:
            return False
        state, *names = line.split("\t")
        return state == self._state(path, names, _now)

    def remember(self, path: str, content: bytes, examined: Examined, variables: Iterable[str]) -> None:
        """Keeps that a file with this content is clean, if it is, and what its check looked at. `variables` are those
        of the environment whose values its templates may read: rules of the house speak of what comes of them."""
        if self._path is None or examined.diagnostics or examined.file is None:
            return
        read = examined.files.read()
        texts = {real: _bytes_of(source.text, source.marks) for real, source in read.items()}
        if _reads_more(examined) or any(b"Pem" in text for text in (content, *texts.values())):  # reads certificates
            return
        asked = examined.files.asked
        if not set(asked.values()) <= texts.keys():
            return
        values = set(variables) if examined.settings.policy else set()
        names = [
            *(f"env {name}" for name in sorted(values.union(examined.settings.services.asked))),
            *(["root"] if asked else []),
            *(f"file {name}" for name in asked),
            *(f"code {name}" for name in self._modules()),
        ]
        if any("\t" in name or "\n" in name for name in (path, *names)):
            return
        self._new[path] = "\t".join((_key(path, content), self._state(path, names, texts.get), *names))

    def _modules(self) -> list[str]:
        """The files of the modules that plugins have loaded from outside of their packages, and of what is installed,
        of which the name of this file of the cache knows the version."""
        if self._foreign is None or self._foreign[0] != len(sys.modules):
            known = tuple(f"{place.rstrip(os.sep)}{os.sep}" for place in (sys.prefix, sys.base_prefix, *self._packages))
            places = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
            found = sorted(place for place in places if isinstance(place, str) and not place.startswith(known))
            self._foreign = len(sys.modules), found
        return self._foreign[1]

    def last_of(self, path: str) -> str:
        """What is new of a file, for `add` of another process; empty when nothing is."""
        line = self._new.get(path)
        return f"{self._settings(os.path.dirname(path))}\t{path}\t{line}" if line is not None else ""

    def add(self, found: str) -> None:
        """Takes over what another process knows of a file, unless the settings around it are others here."""
        settings, path, line = found.split("\t", 2)
        if self._settings(os.path.dirname(path)) == settings:
            self._new[path] = line

    def save(self) -> None:
        """Writes what is new. A folder that cannot be written to keeps nothing, and nobody is told."""
        if self._path is None or not self._new:
            return
        seen, self._around = self._around, {}  # settings that changed meanwhile: which of them counted is not known
        same = {folder for folder, found in seen.items() if self._settings(folder) == found}
        text = "".join(f"{line}\n" for path, line in self._new.items() if os.path.dirname(path) in same)
        self._new.clear()
        try:
            folder = os.path.dirname(self._path)
            os.makedirs(folder, mode=0o700, exist_ok=True)
            is_new = not os.path.exists(self._path)
            full = not is_new and os.stat(self._path).st_size > _LARGEST
            flags = os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if full else os.O_APPEND)
            descriptor = os.open(self._path, flags, 0o600)
            try:
                os.write(descriptor, text.encode("utf-8", "surrogateescape"))  # at once: others may write too
            finally:
                os.close(descriptor)
            if is_new:
                _remove_old(folder)
        except OSError:
            return

    def _state(self, path: str, names: Iterable[str], content_of: Callable[[str], bytes | None]) -> str:
        """The digest of what a check looked at beside the file itself."""
        parts: list[bytes | str] = [self._settings(os.path.dirname(path))]
        for entry in names:
            kind, _, name = entry.partition(" ")
            if kind == "env":
                parts += (name, "set" if name in os.environ else "", os.environ.get(name, ""))
            elif kind == "code":
                parts += (name, self._status_of(name))
            elif kind == "root":
                parts.append(project_root(os.path.dirname(os.path.realpath(path))))
            else:
                real = os.path.realpath(name)
                content = content_of(real)
                parts += (real, "" if content is None else "there", content or b"")
        return _digest(parts)

    def _status_of(self, path: str) -> str:
        """Size and time of a file of code; empty where it is not there."""
        if path not in self._statuses:
            try:
                status = os.stat(path)
                self._statuses[path] = f"{status.st_size} {status.st_mtime_ns}"
            except OSError:
                self._statuses[path] = ""
        return self._statuses[path]

    def _settings(self, folder: str) -> str:
        """The digest of all settings files that may count for the files of a folder."""
        found = self._around.get(folder)
        if found is None:
            found = self._around[folder] = _digest(_settings_around(folder))
        return found


def cache_folder(environ: Mapping[str, str]) -> str | None:
    """The folder of the user for what is cached, or None. A relative one does not count: it would lie in the tree."""
    for base in (environ.get("XDG_CACHE_HOME"), environ.get("LOCALAPPDATA") if os.name == "nt" else None):
        if base and os.path.isabs(base):
            return f"{base}/flowdsl"
    home = environ.get("HOME", "")
    if not os.path.isabs(home):
        return None
    return f"{home}/Library/Caches/flowdsl" if sys.platform == "darwin" else f"{home}/.cache/flowdsl"


def _key(path: str, content: bytes) -> str:
    return _digest((os.path.abspath(path), os.path.realpath(path), content))


def _now(path: str) -> bytes | None:
    try:
        return read_file(path)
    except OSError:
        return None


def _bytes_of(text: str, marks: int) -> bytes:
    return ("\ufeff" * marks + text).encode("utf-8", "surrogatepass")


def _reads_more(examined: Examined) -> bool:
    """Whether a step names files of its own, such as pictures, or it is a file of tests, which are checked against the
    flow they name."""
    if examined.file is not None and examined.file.tests is not None:
        return True
    from flowdsl.document.document import Document, inside

    for part in examined.file.parts if examined.file is not None else ():
        if isinstance(part, Document):
            steps = part.every_step()
        else:
            steps = (each for flow in part.flows for step in flow for each in inside(step))
        if any(step.spec.reads_files for step in steps):
            return True
    return False


def _settings_around(folder: str) -> Iterator[bytes | str]:
    """Paths and contents of the settings files in a folder and above, and of the user's own."""
    for path in (user_place(os.environ), *(path for path, _ in project_places(folder))):
        if path is not None and os.path.lexists(path):
            yield path
            yield _now(path) or b""


def _code() -> Iterator[str]:
    """What tells the code that checks from other code: where modules are looked for, what is installed there, what
    plugins name, and names, sizes and times of the files of their packages."""
    from flowdsl.entry_points import installed, targets

    yield from sys.path
    yield from installed()
    for group in _GROUPS:
        for name, target in sorted(targets(group)):
            yield f"{group} {name} = {target}"
    for package in _packages():
        yield package
        for place in _places(package):
            yield from _files(place)


def _packages() -> list[str]:
    """This package, and those of the plugins."""
    from flowdsl.entry_points import targets

    named = {target.partition(":")[0] for group in _GROUPS for _, target in targets(group)}
    return sorted({"flowdsl", *(module.partition(".")[0] for module in named)})


def _places(package: str) -> Iterator[str]:
    """The folders or the file of a package, as an import finds it: one that is installed to be worked on may have a
    finder of its own."""
    for finder in sys.meta_path:
        find = getattr(finder, "find_spec", None)
        spec = find(package, None) if find is not None else None
        if spec is not None:
            if spec.submodule_search_locations is not None:
                yield from spec.submodule_search_locations
            elif spec.origin is not None:
                yield spec.origin
            return


def _files(place: str) -> Iterator[str]:
    try:
        items = sorted(os.scandir(place), key=lambda item: item.name)
    except NotADirectoryError:
        status = os.stat(place)
        yield f"{place} {status.st_size} {status.st_mtime_ns}"
        return
    except OSError:  # a folder that is gone, or an archive
        yield place
        return
    for item in items:
        if item.name in _SKIPPED or item.name[:1] == ".":
            continue
        try:
            if item.is_dir():
                yield from _files(item.path)
            else:
                status = item.stat()
                yield f"{item.path} {status.st_size} {status.st_mtime_ns}"
        except OSError:  # gone meanwhile, or a link to nowhere
            yield item.path


def _pairs(path: str) -> Iterator[tuple[str, str]]:
    """The lines of a file, each as key and rest; the last one of a key counts."""
    try:
        with open(path, encoding="utf-8", errors="surrogateescape", newline="\n") as file:
            for line in file:
                key, tab, rest = line.partition("\t")
                if tab and rest.endswith("\n"):
                    yield key, rest[:-1]
    except OSError:
        return


def _remove_old(folder: str) -> None:
    from time import time

    oldest = time() - _KEPT_DAYS * 86400
    for item in os.scandir(folder):
        if item.name.startswith("clean-") and item.stat().st_mtime < oldest:
            os.unlink(item.path)
