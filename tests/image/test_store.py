from __future__ import annotations

import base64
import copy
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from image_pictures import PICTURES, drawn

from flowdsl.errors import StepError
from flowdsl.image import part_file, store
from flowdsl.image.formats import image_size, media_type
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore


@pytest.mark.parametrize("name", PICTURES)
def test_type_and_size_are_read_from_the_first_bytes(name: str, tmp_path: Path) -> None:
    content, mime = PICTURES[name]
    image = ImageStore(tmp_path).add(content)
    assert (image.mime, image.width, image.height, image.bytes) == (mime, 61, 43, len(content))
    assert image.path == str(tmp_path / f"{hashlib.sha256(content).hexdigest()}.{name.rpartition('.')[2]}")
    assert Path(image.path).read_bytes() == content


@pytest.mark.parametrize("name", [name for name in PICTURES if "svg" not in name])
def test_a_header_that_is_cut_off_gives_no_size_and_no_crash(name: str) -> None:
    content, mime = PICTURES[name]
    for length in range(12, 40):
        size = image_size(mime, content[:length])
        assert size is None or size == (61, 43)
    assert media_type(content[:12]) == mime


def test_the_size_of_a_jpeg_is_found_behind_a_long_profile(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(drawn("JPEG", icc_profile=os.urandom(300_000)))
    assert (image.width, image.height) == (61, 43)


def test_an_svg_without_a_size_in_pixels_has_none(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(b'<svg width="100%" height="100%"/>')
    assert "width" not in image
    assert image.to_json() == {"path": image.path, "mime": "image/svg+xml", "sha256": image.sha256}


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"", "no bytes at all"),
        (b"<html><body>Sorry</body></html>", "31 bytes that begin with `<html><body>Sorry</body>`"),
        (b"\x00\x01\x02", "3 bytes that begin with `00 01 02`"),
    ],
)
def test_what_is_not_an_image_is_refused_and_leaves_nothing(content: bytes, shown: str, tmp_path: Path) -> None:
    with pytest.raises(StepError) as caught:
        ImageStore(tmp_path).add(content)
    assert str(caught.value) == f"what came is not an image: {shown}"
    assert list(tmp_path.iterdir()) == []


def test_the_same_bytes_are_stored_once(tmp_path: Path) -> None:
    store = ImageStore(tmp_path)
    first, second = store.add(PICTURES["png"][0]), store.add(PICTURES["png"][0])
    assert first == second
    assert hash(first) == hash(second)
    assert [path.name for path in tmp_path.iterdir()] == [Path(first.path).name]


def test_a_file_that_a_crash_cut_short_is_written_again(tmp_path: Path) -> None:
    store, content = ImageStore(tmp_path), PICTURES["png"][0]
    Path(store.add(content).path).write_bytes(b"")
    assert store.add(content).read() == content


def test_a_file_of_the_right_size_with_other_bytes_is_written_again(tmp_path: Path) -> None:
    store, content = ImageStore(tmp_path), PICTURES["png"][0]
    path = Path(store.add(content).path)
    for damaged in (bytes(len(content)), content[:-1] + bytes([content[-1] ^ 1])):
        path.write_bytes(damaged)
        assert store.add(content).read() == content


def test_a_large_folder_is_not_read_again_at_each_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scanned: list[object] = []
    scandir = os.scandir
    monkeypatch.setattr(part_file.os, "scandir", lambda folder: scanned.append(folder) or scandir(folder))
    for _ in range(5):
        ImageStore(tmp_path).add(PICTURES["png"][0])
    assert scanned == [tmp_path]
    monkeypatch.setattr(part_file, "_SWEPT_FOR_S", 0.0)
    ImageStore(tmp_path).add(PICTURES["png"][0])
    assert len(scanned) == 2


def test_an_aborted_writer_leaves_nothing(tmp_path: Path) -> None:
    writer = ImageStore(tmp_path).writer()
    writer.write(PICTURES["png"][0])
    assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []


def test_more_bytes_than_the_limit_are_refused(tmp_path: Path) -> None:
    with ImageStore(tmp_path).writer(limit=10) as writer, pytest.raises(StepError) as caught:
        writer.write(b"x" * 11)
    assert str(caught.value) == "the image is larger than the limit of 10 bytes"
    assert list(tmp_path.iterdir()) == []


def test_part_files_of_a_killed_process_are_removed_and_those_of_a_living_one_stay(tmp_path: Path) -> None:
    program = (
        "import os, sys; from flowdsl.image.store import ImageStore\n"
        "writer = ImageStore(sys.argv[1]).writer(); writer.write(b'half'); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=False).returncode == 9
    (abandoned,) = tmp_path.iterdir()
    living = ImageStore(tmp_path / "other" / "..").writer()
    assert not abandoned.exists()
    ImageStore(tmp_path).add(PICTURES["gif"][0])
    living.write(PICTURES["png"][0])
    assert living.commit().mime == "image/png"


def test_a_folder_that_cannot_be_written_is_said_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowdsl.image.spare_folder._places", lambda: iter(()))
    store = ImageStore(tmp_path)
    writer = store.writer()
    writer.write(PICTURES["png"][0])
    next(tmp_path.glob(".*.part")).unlink()
    with pytest.raises(StepError) as caught:
        writer.commit()
    assert str(caught.value) == f"the image cannot be stored in {tmp_path}: No such file or directory"


def test_a_folder_that_takes_nothing_is_said_so_where_another_thread_has_forgotten_it_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(folder: Path) -> tuple[Path, int]:
        part_file._TRIED.clear()  # as of a process with a thousand folders
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(part_file, "open_part", full)
    with pytest.raises(StepError, match="No space left on device"):
        ImageStore(tmp_path).prepare()


def test_an_image_is_a_mapping_over_what_is_known(tmp_path: Path) -> None:
    content = PICTURES["png"][0]
    with ImageStore(tmp_path).writer() as writer:
        writer.write(content)
        image = writer.commit(url="https://x/y", revised_prompt="A boat", url_expires_at=7)
    assert dict(image) == {
        "url": "https://x/y",
        "b64_json": base64.b64encode(content).decode(),
        "path": image.path,
        "mime": "image/png",
        "width": 61,
        "height": 43,
        "bytes": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "revised_prompt": "A boat",
        "url_expires_at": 7,
    }
    assert image["width"] == image.width == 61
    assert len(image) == 10
    assert copy.deepcopy(image) == image
    assert image != ImageStore(tmp_path).add(content)


def test_an_image_does_not_show_its_bytes(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(PICTURES["png"][0])
    assert repr(image) == f"<Image image/png 61x43 {image.bytes} bytes {image.path}>"
    assert "b64_json" not in image.to_json()


def test_a_key_that_is_not_known_is_absent(tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(PICTURES["png"][0])
    assert "url" not in image
    assert image.get("url") is None
    for key in ("url", "read", "_identity"):
        with pytest.raises(KeyError):
            image[key]


def test_an_image_whose_file_is_gone_says_so() -> None:
    image = Image(path="/nowhere/x.png", mime="image/png", bytes=1, sha256="00")
    with pytest.raises(StepError) as caught:
        _ = image.b64_json
    assert str(caught.value) == "the image /nowhere/x.png cannot be read: No such file or directory"


STORING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from flowdsl.image.store import ImageStore
folder, process, count, picture = sys.argv[1], sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
def store(number):
    return ImageStore(folder).add(picture + f"{process}-{number}".encode()).path
with ThreadPoolExecutor(16) as pool:
    paths = list(pool.map(store, range(count)))
whole = sum(Path(path).read_bytes().startswith(picture) for path in paths if Path(path).is_file())
print(whole, len(set(paths)))
"""


def store_side_by_side(folder: Path, count: int) -> list[str]:
    """What two processes of 16 threads say, each of which stored so many pictures in one folder."""
    command = [sys.executable, "-c", STORING, str(folder)]
    picture = PICTURES["png"][0].hex()
    running = [
        subprocess.Popen(
            [*command, name, str(count), picture], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        for name in ("a", "b")
    ]
    return [process.communicate()[0].strip() for process in running]


def test_two_processes_of_16_threads_lose_no_picture_in_one_folder(tmp_path: Path) -> None:
    count = int(os.environ.get("FLOWDSL_PICTURES", "2000")) // 2
    assert store_side_by_side(tmp_path, count) == [f"{count} {count}"] * 2
    assert len(list(tmp_path.iterdir())) == 2 * count


def test_a_part_file_that_a_sweep_has_locked_is_left_to_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[int] = []
    lock = part_file.lock

    def sweep_first(descriptor: int) -> bool | None:
        if not taken:  # a sweep opens the file between its making and its lock
            part = next(tmp_path.glob(".*.part"))
            taken.append(os.open(part, os.O_RDWR))
            assert lock(taken[0])
        return lock(descriptor)

    monkeypatch.setattr(part_file, "lock", sweep_first)
    writer = store.ImageWriter(tmp_path)
    (swept, own) = sorted(tmp_path.iterdir(), key=lambda path: path != Path(f"/proc/self/fd/{taken[0]}").resolve())
    swept.unlink()
    os.close(taken[0])
    writer.write(PICTURES["png"][0])
    assert own.exists()
    assert Path(writer.commit().path).is_file()
    assert len(list(tmp_path.iterdir())) == 1


def test_without_locks_only_part_files_of_yesterday_are_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(part_file, "fcntl", None)
    young, old = tmp_path / ".a.part", tmp_path / ".b.part"
    young.touch()
    old.touch()
    os.utime(old, (0, 0))
    ImageStore(tmp_path).prepare()
    assert [path.name for path in tmp_path.iterdir()] == [".a.part"]


@pytest.mark.parametrize(
    "inside",
    [
        "a" * 400_000,
        "a='" * 100_000,
        "a" + " " * 400_000 + "b",
        f"width='{'9' * 400_000}' height='5'",
        f"width='5' height='{'9' * 400_000}x'",
        f"width='5' height='.{'9' * 400_000}x'",
        f"width='5' height='{' ' * 400_000}x'",
        f"viewBox='0 0 {'9' * 400_000} 5'",
        f"viewBox='0 0 5 5{' ' * 400_000}'",
    ],
    ids=[
        "one name",
        "open quotes",
        "blanks",
        "long width",
        "long height and more",
        "long fraction",
        "blank height",
        "long box",
        "blanks behind the box",
    ],
)
def test_a_paid_svg_with_an_endless_attribute_is_stored_at_once(inside: str, tmp_path: Path) -> None:
    image = ImageStore(tmp_path).add(f"<svg {inside}></svg>".encode())  # squared, one takes hours
    assert Path(image.path).exists()
    assert image.width is None or image.width <= 999_999_999


@pytest.mark.parametrize(
    ("inside", "size"),
    [
        ("width='5' height=\"6\"", (5, 6)),
        ("width=' 5.4px ' height = '.6'", (5, 1)),
        ("xlink:href='x=y' width='12' height='7px' viewBox='0 0 1 1'", (12, 7)),
        ("viewBox='0 0 40.25,30'", (40, 30)),
        ("width='5.' height='6'", None),
        ("width='.' height='6'", None),
        ("width='9999999999' height='6'", None),
    ],
)
def test_the_size_of_an_svg_is_read_as_it_is_written(inside: str, size: tuple[int, int] | None) -> None:
    assert image_size("image/svg+xml", f"<svg {inside}>".encode()) == size


def test_a_jpeg_of_nothing_but_markers_is_given_up_soon() -> None:
    class Counted(bytes):
        asked = 0

        def __getitem__(self, key: object) -> object:  # type: ignore[override]
            Counted.asked += 1
            return super().__getitem__(key)  # type: ignore[index]

    assert image_size("image/jpeg", Counted(b"\xff\xd8\xff" + b"\xff\x01" * 400_000)) is None
    assert Counted.asked < 100_000


def test_a_file_of_another_format_whose_folder_is_gone_is_a_failure_of_the_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowdsl.image.spare_folder._places", lambda: iter(()))
    writer = ImageStore(tmp_path / "images").writer()
    writer.write(b"II*\0" + b"a" * 100)
    shutil.rmtree(tmp_path / "images")
    with pytest.raises(StepError) as caught:
        writer.commit()
    assert caught.value.code == "image-unwritable"
