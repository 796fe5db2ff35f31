"""What a process did to the files below a folder, recorded by strace, and what of it a disk has after a loss of power:
all, only what was synced, or what was synced and by chance some of the rest, in any order.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple

CALLS = (
    *("openat", "mkdir", "rename", "link", "unlink", "rmdir", "ftruncate", "write", "pwrite64", "fsync", "fdatasync"),
    *("sendto", "writev", "pwritev", "renameat2", "linkat", "unlinkat", "mkdirat"),
)
_LINE = re.compile(r"(\d+) +(\w+)\((.*)\) += (-?\d+)")
_UNFINISHED = re.compile(r"(\d+) +(.*) <unfinished \.\.\.>$")
_RESUMED = re.compile(r"(\d+) +<\.\.\. \w+ resumed>(.*)$")
_FILE = re.compile(r"\d+<([^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


def strace(trace: Path) -> list[str]:
    """The command before the one that is to be recorded."""
    return ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={','.join(CALLS)}", "-o", str(trace)]


class Op(NamedTuple):
    """One thing that was done: `kind` is that of the call, or `sent`, with what was sent."""

    kind: str
    path: str
    other: str = ""
    at: int | None = None
    data: bytes = b""


def recorded(trace: Path, folder: Path) -> list[Op]:
    """What was done below a folder, and what was sent, in order."""
    found: list[Op] = []
    open_calls: dict[str, str] = {}
    for line in trace.read_text(encoding="utf-8", errors="replace").splitlines():
        if begun := _UNFINISHED.match(line):
            open_calls[begun[1]] = f"{begun[1]} {begun[2]}"
            if "sendto(" not in begun[2]:
                continue
            line = f"{begun[1]} {begun[2]}) = 0"  # it may be there before the call returns
        elif ended := _RESUMED.match(line):
            line = open_calls.pop(ended[1], "") + ended[2]
            if "sendto(" in line:
                continue
        call = _LINE.match(line)
        if call is None or int(call[4]) < 0:
            continue
        found += _ops(call[2], call[3], str(folder))
    return found


def _ops(name: str, arguments: str, folder: str) -> Iterator[Op]:
    texts = [_bytes(text) for text in _TEXT.findall(arguments)]
    if name == "sendto":
        yield Op("sent", "", data=texts[0])
        return
    at = _FILE.match(arguments)
    path = _text(at[1]) if at and name not in ("openat", "mkdirat", "unlinkat") else texts[0].decode()
    if not path.startswith(f"{folder}/") and path != folder and not (name == "fsync" and folder.startswith(path)):
        return
    if name == "openat":
        if "O_CREAT" in arguments or "O_TRUNC" in arguments:
            yield Op("create", path, at=0 if "O_TRUNC" in arguments else None)
    elif name in ("write", "pwrite64"):
        yield Op("write", path, at=int(arguments.rsplit(", ", 1)[1]) if name == "pwrite64" else None, data=texts[0])
    elif name == "ftruncate":
        yield Op("truncate", path, at=int(arguments.rsplit(", ", 1)[1]))
    elif name in ("fsync", "fdatasync"):
        yield Op("sync", path)
    elif name in ("rename", "link"):
        yield Op(name, path, texts[1].decode())
    elif name in ("mkdir", "unlink", "rmdir"):
        yield Op(name, path)
    else:
        raise AssertionError(f"{name}({arguments[:200]}) is not recorded")


def _bytes(hexadecimal: str) -> bytes:
    return bytes.fromhex(hexadecimal.replace("\\x", ""))


def _text(path: str) -> str:
    return _bytes(path).decode() if path.startswith("\\x") else path


@dataclass
class _File:
    """A file by its changes; the first `synced` of them are on the disk."""

    changes: list[Op] = field(default_factory=list)
    synced: int = 0

    def content(self, keep: list[Op]) -> bytes:
        found = bytearray()
        for op in keep:
            if op.kind == "truncate":
                del found[op.at :]
                found.extend(bytes((op.at or 0) - len(found)))
                continue
            at = len(found) if op.at is None else op.at
            found.extend(bytes(max(0, at - len(found))))
            found[at : at + len(op.data)] = op.data
        return bytes(found)


class Disk:
    """The files after some of the operations; folders are None."""

    def __init__(self) -> None:
        self.names: dict[str, _File | None] = {}
        self.synced: dict[str, _File | None] = {}

    def do(self, op: Op) -> None:
        """Does one of them."""
        names = self.names
        if op.kind == "create":
            file = names.setdefault(op.path, _File())
            assert file is not None
            if op.at == 0 and file.changes:
                file.changes.append(Op("truncate", op.path, at=0))
        elif op.kind in ("write", "truncate"):
            file = names.get(op.path) or _File()  # of one that is gone by now nothing is left
            file.changes.append(op)
        elif op.kind == "mkdir":
            names[op.path] = None
        elif op.kind in ("unlink", "rmdir"):
            names.pop(op.path, None)
        elif op.kind == "rename":
            names[op.other] = names.pop(op.path)
        elif op.kind == "link":
            names[op.other] = names[op.path]
        elif op.kind == "sync":
            file = names.get(op.path)
            if file is not None:
                file.synced = len(file.changes)
                return
            inside = {name for name in {**self.synced, **names} if str(Path(name).parent) == op.path}
            for name in inside:
                if name in names:
                    self.synced[name] = names[name]
                else:
                    self.synced.pop(name, None)

    def left(self, how: str, random: Random) -> dict[str, bytes | None]:
        """What is there after the power was lost: `all`, `synced`, or some of the rest as well, by `chance`."""
        names = self.names if how == "all" else dict(self.synced)
        if how == "chance":
            for name in {**self.synced, **self.names}:
                if random.random() < 0.5:
                    if name in self.names:
                        names[name] = self.names[name]
                    else:
                        names.pop(name, None)
        found: dict[str, bytes | None] = {}
        for name, file in sorted(names.items(), key=lambda each: each[0].count("/")):
            around = str(Path(name).parent)
            if around in self.names and around not in found:
                continue  # its folder is gone
            found[name] = None if file is None else file.content(_kept(file, how, random))
        return found


def _kept(file: _File, how: str, random: Random) -> list[Op]:
    if how == "all":
        return file.changes
    rest = [op for op in file.changes[file.synced :] if how == "chance" and random.random() < 0.5]
    return file.changes[: file.synced] + rest


def restore(folder: Path, files: dict[str, bytes | None]) -> None:
    """Makes a folder what a disk has."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, content in files.items():
        if content is None:
            Path(name).mkdir(exist_ok=True)
        else:
            Path(name).write_bytes(content)
