"""A folder of pictures that takes no more once they are paid for: they go to a second place, or it is told where they
are."""

from __future__ import annotations

import errno
import json
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from image_told import BOAT, GIF, JPEG, PNG, b64, order, serving, stream, told
from web_server import Web, response

from flowdsl import Environment, Limits, RunError, ServiceError, Storage
from flowdsl.image.store import ImageStore

LARGE = PNG + b"\0" * 200_000
FULL = {"full": errno.ENOSPC, "over its quota": errno.EDQUOT, "read only": errno.EROFS, "broken": errno.EIO}


class Disks:
    """Which folders take nothing, though they exist: what is written below them fails."""

    def __init__(self) -> None:
        self.full: list[Path] = []
        self.error = errno.ENOSPC
        self.after = 0
        """So many bytes of a file are taken."""

    def check(self, path: str, start: int = 0) -> None:
        if start >= self.after and any(Path(path).is_relative_to(folder) for folder in self.full):
            raise OSError(self.error, os.strerror(self.error))


@pytest.fixture
def disks(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Disks]:
    disks = Disks()
    write, link = os.write, os.link

    def written(descriptor: int, content: Any) -> int:
        try:
            path, start = str(Path(f"/proc/self/fd/{descriptor}").readlink()), os.lseek(descriptor, 0, os.SEEK_CUR)
        except OSError:
            return write(descriptor, content)  # no file
        disks.check(path, start)
        return write(descriptor, content[: disks.after - start] if start < disks.after else content)

    def linked(old: Any, new: Any, **more: Any) -> None:
        disks.check(str(new))
        link(old, new, **more)

    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr("flowdsl.image.spare_folder._MORE_PLACES", ())
    monkeypatch.setattr("os.write", written)
    monkeypatch.setattr("os.link", linked)
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.001)
    yield disks


def kept(folder: Path) -> list[Path]:
    """The pictures in the second place, by the names of their bytes."""
    return [path for path in (folder / "temporary").rglob("*") if len(path.stem) == 64]


@pytest.mark.parametrize("after", [0, 1, 100_000], ids=["at once", "after a byte", "in the middle"])
@pytest.mark.parametrize("error", FULL.values(), ids=FULL)
def test_a_paid_picture_that_its_folder_does_not_take_is_kept_and_told(
    error: int, after: int, disks: Disks, tmp_path: Path
) -> None:
    disks.full, disks.error, disks.after = [tmp_path / "out"], error, after
    with Web(order(b64(LARGE))) as web:
        found = told(tmp_path / "out", web, BOAT)
    (picture,) = kept(tmp_path)
    assert picture.read_bytes() == LARGE
    assert stat.S_IMODE(picture.parent.stat().st_mode) == 0o700
    assert isinstance(found.error, ServiceError)
    assert (found.error.code, found.error.charge_possible, found.error.attempts) == ("image-unwritable", True, 1)
    assert os.strerror(error) in str(found.error) and str(picture.parent) in str(found.error)
    assert found.made == [LARGE]
    (made,) = found.result.made
    assert Path(made.path) == picture.with_name("image-1.png")
    assert found.error.details["images"] == [made]
    assert any(made.path in text for code, text in found.result.notes if code == "picture-unnamed")
    assert [*(tmp_path / "out").rglob("*.part")] == []


def test_what_is_kept_in_a_second_place_is_in_the_manifest(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out" / ".originals"]
    with Web(order(b64(PNG))) as web:
        told(tmp_path / "out", web, BOAT)
    (line,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["images"]
    assert Path(line["original"]) == kept(tmp_path)[0]
    assert Path(line["file"]).read_bytes()[:8] == PNG[:8]


def test_the_manifest_of_a_full_disk_is_in_the_second_place(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disks.full = [tmp_path / "out" / ".originals"]
    write = Path.write_bytes

    def written(path: Path, content: bytes) -> int:
        if path.parent == tmp_path / "out":
            raise OSError(errno.ENOSPC, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", written)
    with Web(order(b64(PNG))) as web:
        found = told(tmp_path / "out", web, BOAT)
    picture = kept(tmp_path)[0]
    listed = json.loads(picture.with_name("manifest.json").read_text())["images"]
    assert [line["original"] for line in listed] == [str(picture)]
    assert any(str(picture.with_name("manifest.json")) in text for _, text in found.result.notes)


def test_nothing_more_is_bought_when_a_picture_is_in_the_second_place(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out"]
    with Web(order(b64(PNG)), order(b64(JPEG))) as web:
        found = told(tmp_path / "out", web, BOAT + BOAT)
    assert (found.error and found.error.code, found.orders) == ("image-unwritable", 1)
    assert found.result.cost_usd is not None or found.result.in_doubt == ()


def test_a_catch_has_the_pictures_of_the_second_place(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out"]
    flow = f"- step: TRY\n  retry: {{max: 2}}\n  try:\n{indented(BOAT)}  catch:\n    - step: SET\n      ours: "
    flow += '"{{ flowContext.error.images[0].path }}"\n'
    with Web(order(b64(PNG))) as web:
        found = told(tmp_path / "out", web, flow)
    assert (found.error, found.orders) == (None, 1)
    assert Path(found.result.context["ours"]).parent == kept(tmp_path)[0].parent


def indented(flow: str) -> str:
    return "".join(f"    {line}\n" for line in flow.splitlines())


def test_all_pictures_of_a_response_go_to_the_second_place(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out"]
    with Web() as web:
        links = order(b64(PNG), {"url": "http://HERE/i"}, b64(LARGE))
        found = told(tmp_path / "out", serving(web, [links], i=response(GIF)), BOAT + "  n: 3\n")
    assert {*found.made} == {PNG, GIF, LARGE}
    assert {path.read_bytes() for path in kept(tmp_path)} == {PNG, GIF, LARGE}
    assert "3 pictures are kept" in str(found.error)


def test_pictures_of_a_stream_go_to_the_second_place(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out"]
    events = [
        {"type": "image_generation.partial_image", "partial_image_index": 0, **b64(GIF)},
        {"type": "image_generation.completed", **b64(PNG)},
        {"type": "image_generation.completed", **b64(LARGE)},
    ]
    whole = stream(*events).partition(b"\r\n\r\n")[2]
    with Web(response(whole, headers="content-type: text/event-stream\r\n")) as web:
        found = told(tmp_path / "out", web, BOAT + "  stream: true\n  n: 2\n")
    assert found.made == [PNG, LARGE]
    assert {path.read_bytes() for path in kept(tmp_path)} == {GIF, PNG, LARGE}


def test_a_file_of_another_format_goes_to_the_second_place(disks: Disks, tmp_path: Path) -> None:
    disks.full = [tmp_path / "out"]
    tiff = b"II*\0" + b"a" * 5000
    with Web(order(b64(tiff))) as web:
        found = told(tmp_path / "out", web, BOAT)
    (path,) = kept(tmp_path)
    assert path.read_bytes() == tiff
    assert str(path) in str(found.error)


@pytest.mark.parametrize("behind", [False, True], ids=["links before it", "links behind it"])
@pytest.mark.parametrize("streamed", [False, True], ids=["one document", "a stream"])
def test_without_a_second_place_the_links_beside_a_picture_are_told(
    streamed: bool, behind: bool, disks: Disks, tmp_path: Path
) -> None:
    disks.full = [tmp_path / "out", tmp_path / "temporary"]
    items = [b64(LARGE), {"url": "http://HERE/i"}]
    items = items if behind else items[::-1]
    with Web() as web:
        if streamed:
            events = [{"type": "image_generation.completed", **item} for item in items]
            whole = stream(*events).partition(b"\r\n\r\n")[2].replace(b"HERE", web.url[7:].encode())
            web.responses.append(response(whole, headers="content-type: text/event-stream\r\n"))
        else:
            serving(web, [order(*items)])
        found = told(tmp_path / "out", web, BOAT + "  n: 2\n" + ("  stream: true\n" if streamed else ""))
    assert found.error is not None
    assert (found.error.code, found.error.charge_possible) == ("image-unwritable", True)
    assert found.left == ["/i"]
    assert kept(tmp_path) == [] and [*(tmp_path / "temporary").iterdir()] == []


def test_a_small_picture_behind_one_that_no_disk_takes_is_kept(disks: Disks, tmp_path: Path) -> None:
    disks.full, disks.after = [tmp_path / "out", tmp_path / "temporary"], 100_000
    with Web(order(b64(LARGE), b64(JPEG))) as web:
        found = told(tmp_path / "out", web, BOAT + "  n: 2\n")
    assert (found.error and found.error.code, found.made) == ("image-unwritable", [JPEG])


def test_a_folder_that_is_removed_while_a_picture_comes_does_not_lose_it(disks: Disks, tmp_path: Path) -> None:
    import shutil

    store = ImageStore(tmp_path / "images")
    with store.writer() as writer:
        writer.write(PNG)
        shutil.rmtree(tmp_path / "images")
        image = writer.commit()
    assert store.spare.holds(image) and image.read() == PNG


def test_a_store_of_the_host_has_what_its_temporary_folder_does_not_take(
    disks: Disks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Shop:
        def __init__(self) -> None:
            self.files: dict[str, bytes] = {}

        def exists(self, name: str) -> bool:
            return name in self.files

        def save(self, name: str, file: Any) -> str:
            self.files[name] = file.read()
            return f"shop:{name}"

        def read(self, name: str) -> bytes:
            return self.files[name]

    shop = Shop()
    (tmp_path / "more").mkdir()
    monkeypatch.setattr("flowdsl.image.spare_folder._MORE_PLACES", (str(tmp_path / "more"),))
    disks.full = [tmp_path / "temporary"]
    with Web(order(b64(PNG))) as web:
        entry = {"endpoint": f"{web.url}/v1", "apiKey": "sk-0123456789"}
        environment = Environment(
            services={"OPENAI_IMAGE_GENERATION": entry},
            storage=Storage(images=shop, metadata="none"),
            limits=Limits(private_addresses=True),
        )
        try:
            result = environment.load(BOAT).run()
        except RunError as error:
            pytest.fail(str(error))
    assert [image.path for image in result.images] == ["shop:image-1.png"]
    assert shop.files["image-1.png"] == PNG
    assert [*(tmp_path / "temporary").iterdir(), *(tmp_path / "more").iterdir()] == []
