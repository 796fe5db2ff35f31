"""Folders of pictures in which somebody has put something else: what is paid for is named, listed and never lost."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.image import named_file
from flowdsl.image.manifest import add_to_manifest
from flowdsl.image.metadata import packet
from flowdsl.image.named_file import counted, name_file
from flowdsl.image.store import ImageStore
from tests.image.test_named_files import drawn, value, xmp_of


def _pipe(path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("there are no pipes with names here")
    os.mkfifo(path)


def _holds(text: str) -> Callable[[Path], None]:
    return lambda path: void(path.write_text(text, encoding="utf-8"))


def void(_: object) -> None:
    """Nothing, of something."""


FOREIGN: dict[str, Callable[[Path], None]] = {
    "a folder": lambda path: path.mkdir(),
    "a pipe": _pipe,
    "a link to itself": lambda path: path.symlink_to(path),
    "a link to nothing": lambda path: path.symlink_to("/nowhere/manifest.json"),
    "an endless file": lambda path: path.symlink_to("/dev/zero"),
    "lists without an end": _holds('{"version": 1, "images": ' + "[" * 200_000),
    "a number of images": _holds('{"version": 1, "images": 5}'),
    "a text of images": _holds('{"version": 1, "images": "abc"}'),
    "a map of images": _holds('{"version": 1, "images": {"a": 1}}'),
    "half a character": _holds('{"version": 1, "images": ["\\ud800"]}'),
    "a key of its own": _holds('{"version": 1, "images": [1], "mine": 2}'),
}


@pytest.mark.parametrize("what", FOREIGN)
def test_whatever_is_called_manifest_json_a_run_lists_its_pictures_beside_it(what: str, tmp_path: Path) -> None:
    there = tmp_path / "manifest.json"
    FOREIGN[what](there)
    before = os.lstat(there)
    path = add_to_manifest(tmp_path, tmp_path / ".lock", "r", [{"file": "a"}])
    assert path.name == "manifest-r.json"
    assert json.loads(path.read_text(encoding="utf-8"))["images"] == [{"file": "a"}]
    after = os.lstat(there)
    assert (after.st_ino, after.st_size, after.st_mode) == (before.st_ino, before.st_size, before.st_mode)
    assert not list(tmp_path.glob(".*.part"))


def test_runs_of_one_id_lose_no_line_beside_a_manifest_of_somebody_else(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("mine", encoding="utf-8")
    for name in ("a", "b"):
        path = add_to_manifest(tmp_path, tmp_path / ".lock", "r", [{"file": name}])
    assert json.loads(path.read_text(encoding="utf-8"))["images"] == [{"file": "a"}, {"file": "b"}]
    path.write_text("mine", encoding="utf-8")
    with pytest.raises(FileExistsError):
        add_to_manifest(tmp_path, tmp_path / ".lock", "r", [{"file": "c"}])
    assert path.read_text(encoding="utf-8") == "mine"


@pytest.mark.parametrize("sign", ["&", "<", "x", "\U0001f600"])
def test_no_metadata_is_too_long_for_a_segment(sign: str, tmp_path: Path) -> None:
    image = ImageStore(tmp_path / "o").add(drawn("JPEG"))
    facts = {"Iptc4xmpExt:AISystemUsed": "m" * 50_000, "Iptc4xmpExt:AIPromptInformation": sign * 50_000}
    name_file(tmp_path, counted("a"), image, packet(facts))
    tree = xmp_of(Path(image.path))
    assert tree is not None
    assert set(value(tree, "iptc:AIPromptInformation") or "") == {sign}


@pytest.mark.skipif(os.name == "nt", reason="Windows moves files between disks by copying them")
@pytest.mark.parametrize("xmp", [packet({}), None], ids=["with metadata", "without"])
def test_a_picture_on_another_disk_is_copied_under_its_name(
    xmp: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`.originals` is a link to another disk: there is no link and no renaming from there."""
    link, replace = os.link, Path.replace

    def apart(old: Path, new: Path) -> None:
        if Path(old).parent != Path(new).parent:
            raise OSError(errno.EXDEV, "Invalid cross-device link")

    def linked(old: Path, new: Path) -> None:
        apart(old, new)
        link(old, new)

    def replaced(old: Path, new: Path) -> Path:
        apart(old, new)
        return replace(old, new)

    monkeypatch.setattr(named_file.os, "link", linked)
    monkeypatch.setattr(Path, "replace", replaced)
    image = ImageStore(tmp_path / "disk").add(drawn("PNG"))
    folder = tmp_path / "pictures"
    folder.mkdir()
    name_file(folder, counted("a"), image, xmp)
    assert [path.name for path in folder.iterdir()] == ["a-1.png"]
    assert len(Path(image.path).read_bytes()) == image.bytes + (0 if xmp is None else 12 + 22 + len(xmp))
    assert [path.name for path in (tmp_path / "disk").iterdir()] == [Path(image.original).name]


def test_a_name_that_cannot_be_filled_is_not_left_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    part = tmp_path / "a.part"
    part.write_bytes(b"picture")
    monkeypatch.setattr(named_file.os, "link", refused)
    monkeypatch.setattr(Path, "replace", refused)
    with pytest.raises(OSError, match="not permitted"):
        named_file.claim(part, tmp_path / "a-1.png")
    assert [path.name for path in tmp_path.iterdir()] == ["a.part"]
