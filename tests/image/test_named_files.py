"""Pictures of runs have names for people, a manifest, and metadata that says how they were made."""

from __future__ import annotations

import hashlib
import io
import json
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import PIL.Image
import pytest
from image_pictures import PICTURES, drawn

from flowdsl import Environment, Host, OnEvent, Result, RunError, Storage
from flowdsl.cli.account import Account
from flowdsl.cli.simulated import overrides
from flowdsl.cli.summary import summary
from flowdsl.errors import UsageError
from flowdsl.image import named_file
from flowdsl.image.manifest import add_to_manifest
from flowdsl.image.metadata import packet
from flowdsl.image.named_file import as_given, counted, name_file, stem_of
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.simulator import Simulator

IMAGE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  quality: low\n  instruction: A harbour"
LOOP = """\
- step: FOR
  var: it
  items: {items}
  concurrency: 4
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      quality: low
      instruction: "A harbour {{{{ flowContext.it_index }}}}"
"""
NAMESPACES = {
    "iptc": "http://iptc.org/std/Iptc4xmpExt/2008-02-29/",
    "xmp": "http://ns.adobe.com/xap/1.0/",
    "own": "urn:flowdsl:xmp#",
}


def run(
    flow: str,
    folder: Path,
    *,
    observed: bool = True,
    faults: tuple[str, ...] = (),
    on_event: OnEvent = lambda event: None,
    **storage: Any,
) -> Result:
    """A run with the simulator, whose pictures are in `folder`."""
    with Simulator(faults=list(faults)) as simulator:
        environment = Environment(
            overrides=overrides(simulator.url, simulator.key),
            storage=Storage(images=folder, output=folder / "files", **storage),
            host=Host(secrets={"TOKEN": "tok-abcdef123"}.get),
        )
        loaded = environment.load(flow)
        return loaded.run(on_event=on_event if observed else None)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".png", ".jpg", ".webp"))


def manifest(folder: Path) -> list[dict[str, Any]]:
    found = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert found["version"] == 1
    images: list[dict[str, Any]] = found["images"]
    return images


def xmp_of(path: Path) -> ElementTree.Element | None:
    """The XMP packet of a file as Pillow finds it, read by another reader than ours."""
    with PIL.Image.open(path) as image:
        image.load()
        found = image.info.get("xmp") or image.info.get("XML:com.adobe.xmp")
    return ElementTree.fromstring(found) if found else None


def value(tree: ElementTree.Element, name: str) -> str | None:
    found = tree.find(f".//{name}", NAMESPACES)
    return None if found is None else found.text


def test_pictures_are_called_after_the_step_or_the_flow_and_a_number(tmp_path: Path) -> None:
    flow = f"id: coast\nflow:\n  {IMAGE.replace(chr(10), chr(10) + '  ')}\n    n: 2\n"
    hero = "  - step: OPENAI_IMAGE_GENERATION\n    id: hero\n    instruction: B\n    model: gpt-image-2\n"
    result = run(flow + hero, tmp_path)
    assert [Path(image.path).name for image in result.made] == ["coast-1.png", "coast-2.png", "hero-1.png"]


def test_pictures_that_no_key_of_the_flow_holds_are_named_all_the_same(tmp_path: Path) -> None:
    result = run(f"{IMAGE}\n  id: hero\n  outputs: [{{type: object, name: report}}]\n", tmp_path)
    assert result.outputs.keys() == {"report"}
    assert [Path(image.path).name for image in result.made] == ["hero-1.png"] == names(tmp_path)
    assert [line["file"] for line in manifest(tmp_path)] == ["hero-1.png"]


def test_a_second_run_takes_the_next_numbers_and_nothing_is_written_over(tmp_path: Path) -> None:
    (tmp_path / f"{'ab' * 32}.png").write_bytes(b"of an older version")
    before = Path(run(IMAGE + "\n", tmp_path).made[0].path).read_bytes()
    run(IMAGE + "\n", tmp_path)
    assert names(tmp_path) == [f"{'ab' * 32}.png", "image-1.png", "image-2.png"]
    assert (tmp_path / "image-1.png").read_bytes() == before
    assert (tmp_path / f"{'ab' * 32}.png").read_bytes() == b"of an older version"
    assert [line["file"] for line in manifest(tmp_path)] == ["image-1.png", "image-2.png"]


@pytest.mark.parametrize("observed", [True, False], ids=["observed", "alone"])
def test_pictures_of_a_loop_bear_their_item_and_are_in_its_order(observed: bool, tmp_path: Path) -> None:
    items = "[{title: A b/c}, {sku: X-7, price: 3}, {price: 4}, Zoë's, 5]"
    result = run(LOOP.format(items=items), tmp_path, observed=observed)
    expected = ["image-A-b-c-1.png", "image-X-7-1.png", "image-3-1.png", "image-Zoë-s-1.png", "image-5-1.png"]
    found = [Path(image.path).name for image in result.made]
    assert (found if observed else sorted(found)) == (expected if observed else sorted(expected))
    assert sorted(line["iteration"] for line in manifest(tmp_path)) == [[0], [1], [2], [3], [4]]


def test_every_picture_of_a_loop_without_collect_is_made_and_in_the_manifest(tmp_path: Path) -> None:
    result = run(LOOP.format(items="[a, b, c]"), tmp_path)
    assert (len(result.images), len(result.made), len(manifest(tmp_path))) == (1, 3, 3)


def test_a_step_after_a_loop_is_not_called_after_its_item(tmp_path: Path) -> None:
    result = run(LOOP.format(items="[a]") + IMAGE + "\n", tmp_path)
    assert [Path(image.path).name for image in result.made] == ["image-a-1.png", "image-1.png"]


def test_bytes_are_the_vendors_and_the_named_file_has_its_own_digest(tmp_path: Path) -> None:
    (image,) = run(IMAGE + "\n", tmp_path).made
    (line,) = manifest(tmp_path)
    assert hashlib.sha256(image.read()).hexdigest() == image.sha256 == line["sha256"]
    assert (tmp_path / line["original"]).read_bytes() == image.read()
    assert hashlib.sha256(Path(image.path).read_bytes()).hexdigest() == line["file_sha256"] != image.sha256
    facts = {name: line[name] for name in ("file", "prompt", "model", "size", "step", "at")}
    assert facts == {
        "file": "image-1.png",
        "prompt": "A harbour",
        "model": "gpt-image-2",
        "size": "1024x1024",
        "step": "OPENAI_IMAGE_GENERATION",
        "at": "<text>:1",
    }
    assert line["cost_usd"] > 0
    assert line["request_id"].startswith("req_")


def test_without_metadata_the_named_file_is_a_link_to_the_bytes(tmp_path: Path) -> None:
    (image,) = run(IMAGE + "\n", tmp_path, metadata="none").made
    assert Path(image.path).samefile(image.original)
    assert manifest(tmp_path)[0]["file_sha256"] == image.sha256


@pytest.mark.long
@pytest.mark.parametrize("level", ["basic", "full"])
@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_metadata_is_in_the_named_file_and_the_pixels_are_the_same(kind: str, level: str, tmp_path: Path) -> None:
    (image,) = run(f"{IMAGE}\n  output_format: {kind}\n", tmp_path, metadata=level).made
    with PIL.Image.open(image.path) as named, PIL.Image.open(image.original) as original:
        assert (named.mode, named.size, named.tobytes()) == (original.mode, original.size, original.tobytes())
    assert xmp_of(Path(image.original)) is None
    tree = xmp_of(Path(image.path))
    assert tree is not None
    assert value(tree, "iptc:DigitalSourceType") == (
        "http://cv.iptc.org/newscodes/digitalsourcetype/trainedAlgorithmicMedia"
    )
    assert (value(tree, "iptc:AISystemUsed"), value(tree, "own:size")) == ("gpt-image-2", "1024x1024")
    assert (value(tree, "own:flow"), value(tree, "own:step")) == ("image", "OPENAI_IMAGE_GENERATION <text>:1")
    assert (value(tree, "own:requestId") or "").startswith("req_")
    assert value(tree, "iptc:AIPromptInformation") == ("A harbour" if level == "full" else None)


@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "lossless", "transparent"])
def test_pictures_of_every_format_take_a_packet_and_keep_their_pixels(format: str, tmp_path: Path) -> None:
    picture = PIL.Image.effect_noise((61, 43), 90).convert("RGBA" if format == "transparent" else "RGB")
    if format == "transparent":
        picture.putalpha(90)
    content = io.BytesIO()
    exif = b"Exif\0\0x" if format == "JPEG" else b""
    kind, lossless = ("WEBP", True) if format.islower() else (format, False)
    picture.save(content, kind, lossless=lossless, exif=exif)
    image = ImageStore(tmp_path / "o").add(content.getvalue())
    name_file(tmp_path, counted("a"), image, packet({"xmp:CreateDate": "now & <then>"}))
    with PIL.Image.open(image.path) as named, PIL.Image.open(image.original) as original:
        assert (named.mode, named.size, named.tobytes()) == (original.mode, original.size, original.tobytes())
    tree = xmp_of(Path(image.path))
    assert tree is not None
    assert value(tree, "xmp:CreateDate") == "now & <then>"


def with_chunk(kind: bytes) -> bytes:
    content = PICTURES["png"][0]
    chunk = struct.pack(">I", 4) + kind + b"jumb" + struct.pack(">I", zlib.crc32(kind + b"jumb"))
    return content[:33] + chunk + content[33:]


@pytest.mark.parametrize(
    "content",
    [
        with_chunk(b"caBX"),
        drawn("JPEG")[:2] + b"\xff\xeb\x00\x06JP\x00\x01" + drawn("JPEG")[2:],
        PICTURES["gif"][0],
        PICTURES["svg"][0] if "svg" in PICTURES else b"<svg width='1' height='1'/>",
    ],
    ids=["signed PNG", "signed JPEG", "GIF", "SVG"],
)
def test_a_signed_picture_and_other_formats_are_left_alone(content: bytes, tmp_path: Path) -> None:
    image = ImageStore(tmp_path / "o").add(content)
    assert name_file(tmp_path, counted("a"), image, packet({})) == image.sha256
    assert Path(image.path).samefile(image.original)


def test_a_very_long_prompt_fits_into_a_segment_and_controls_do_not_break_the_packet(tmp_path: Path) -> None:
    image = ImageStore(tmp_path / "o").add(drawn("JPEG"))
    name_file(tmp_path, counted("a"), image, packet({"Iptc4xmpExt:AIPromptInformation": "a\0\ud800" + "日" * 30_000}))
    tree = xmp_of(Path(image.path))
    assert tree is not None
    assert (value(tree, "iptc:AIPromptInformation") or "").startswith("a\ufffd\ufffd日日")


def test_no_secret_is_in_names_manifest_or_metadata(tmp_path: Path) -> None:
    flow = """\
- step: FOR
  var: it
  items: ["{{ secret('TOKEN') }}"]
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      quality: low
      instruction: "A harbour {{ secret('TOKEN') }}"
"""
    (image,) = run(flow, tmp_path, metadata="full").made
    assert Path(image.path).name == "image-1.png"
    assert manifest(tmp_path)[0]["prompt"] == "***"
    for path in tmp_path.iterdir():
        assert path.is_dir() or b"tok-abcdef123" not in path.read_bytes()


def test_a_failed_run_names_what_it_made_and_writes_its_manifest(tmp_path: Path) -> None:
    with pytest.raises(RunError) as raised:
        run(f"{IMAGE}\n- step: RAISE\n  message: no\n", tmp_path)
    assert raised.value.result is not None
    assert [Path(image.path).name for image in raised.value.result.made] == ["image-1.png"]
    assert manifest(tmp_path)[0]["file"] == "image-1.png"


def test_pictures_that_came_before_a_break_are_named_with_what_is_known(tmp_path: Path) -> None:
    with pytest.raises(RunError):
        run(f"{IMAGE}\n  n: 2\n", tmp_path, faults=("truncated_json",))
    for line in manifest(tmp_path) if (tmp_path / "manifest.json").exists() else []:
        assert line["prompt"] == "A harbour"


def test_a_folder_that_takes_no_name_costs_no_picture_and_the_run_says_where_it_is_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("flowdsl.image.shelf.name_file", full)
    account = Account(simulated=False)
    with pytest.raises(RunError) as raised:
        run(f"{IMAGE}\n- step: RAISE\n  message: no\n", tmp_path, on_event=account.hearing(lambda event: None))
    assert raised.value.result is not None
    (image,) = raised.value.result.made
    assert image.path == image.original
    assert image.read()
    ((code, text),) = raised.value.result.notes
    assert code == "picture-unnamed"
    assert text == (
        f"there is no file `image-…` in {tmp_path} of a picture, as it takes none: No space left on device. "
        f"The picture is whole, and called by its SHA-256: {image.path}"
    )
    assert f"warning: {text}\n" in account.text(raised.value)
    assert f"warning: {text}" in summary(raised.value.result, simulated=False, inner=())


def test_a_disk_that_has_no_room_for_a_copy_has_the_picture_under_its_name_nevertheless(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(named_file, "_copied", full)
    result = run(IMAGE + "\n", tmp_path)
    (image,) = result.made
    assert Path(image.path) == tmp_path / "image-1.png"
    assert Path(image.path).samefile(image.original)
    assert manifest(tmp_path)[0]["file_sha256"] == image.sha256
    text = f"{image.path} says nothing of how it was made: No space left on device"
    assert result.notes == (("picture-unnamed", text),)


def test_a_file_system_without_links_has_names_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", none)
    store = ImageStore(tmp_path / "o")
    images = [store.add(PICTURES["png"][0]) for _ in range(2)]
    assert [
        name_file(tmp_path, counted("a"), image, xmp) for image, xmp in zip(images, (None, packet({})), strict=True)
    ]
    assert names(tmp_path) == ["a-1.png", "a-2.png"]
    assert (tmp_path / "a-1.png").read_bytes() == images[0].read()
    assert len(list((tmp_path / "o").iterdir())) == 1


NAMING = """
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from flowdsl.image.manifest import add_to_manifest
from flowdsl.image.metadata import packet
from flowdsl.image.named_file import counted, name_file
from flowdsl.image.store import ImageStore
folder, process, count, picture = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), bytes.fromhex(sys.argv[4])
def name(number):
    image = ImageStore(folder / "o").add(picture + f"{process}-{number}".encode())
    name_file(folder, counted("a"), image, packet({}) if number % 2 else None)
    file = Path(image.path).name
    add_to_manifest(folder, folder / "o" / ".lock", f"{process}{number}", [{"file": file}])
    return file
with ThreadPoolExecutor(8) as pool:
    print("\\n".join(pool.map(name, range(count))))
"""


@pytest.mark.long
def test_two_processes_of_eight_threads_claim_each_name_once_and_lose_no_line(tmp_path: Path) -> None:
    count = 150
    running = [
        subprocess.Popen(
            [sys.executable, "-c", NAMING, str(tmp_path), name, str(count), PICTURES["png"][0].hex()],
            stdout=subprocess.PIPE,
            text=True,
        )
        for name in ("a", "b")
    ]
    found = [name for process in running for name in process.communicate(timeout=60)[0].split()]
    assert len(set(found)) == len(found) == 2 * count
    assert all((tmp_path / name).stat().st_size for name in found)
    assert sorted(line["file"] for line in manifest(tmp_path)) == sorted(found)


def test_a_manifest_of_somebody_else_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text('{"name": "my web app"}', encoding="utf-8")
    run(IMAGE + "\n", tmp_path)
    assert (tmp_path / "manifest.json").read_text(encoding="utf-8") == '{"name": "my web app"}'
    (own,) = tmp_path.glob("manifest-*.json")
    assert json.loads(own.read_text(encoding="utf-8"))["images"][0]["file"] == "image-1.png"


def test_a_manifest_that_somebody_has_formatted_is_gone_on_with(tmp_path: Path) -> None:
    path = add_to_manifest(tmp_path, tmp_path / ".lock", "r", [{"file": "a"}])
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")), indent=4), encoding="utf-8")
    add_to_manifest(tmp_path, tmp_path / ".lock", "s", [{"file": "b"}])
    assert [line["file"] for line in manifest(tmp_path)] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "stem"),
    [
        (["a", "../../etc/passwd"], "a-etc-passwd"),
        (["  ", "***"], ""),
        (["日本 語"], "日本-語"),
        (["x" * 300, "y"], f"{'x' * 60}-y"),
        (["con", "a\x00b\u202e"], "con-a-b"),
        (["con.png"], "con-png"),
        (["COM1.x", "nul.y"], "COM1-x-nul.y"),
    ],
)
def test_names_are_what_every_file_system_takes(words: list[str], stem: str) -> None:
    assert stem_of(words) == stem


@pytest.mark.parametrize(
    ("name", "files"),
    [
        ("cat", ["cat", "cat-2", "cat-3"]),
        ("../cat", ["cat", "cat-2", "cat-3"]),
        ("..", ["image", "image-2", "image-3"]),
        ("日" * 100, ["日" * 60, "日" * 60 + "-2", "日" * 60 + "-3"]),
    ],
    ids=["plain", "upwards", "no name", "long"],
)
def test_a_name_that_the_author_gave_has_a_number_from_the_second_file_on(name: str, files: list[str]) -> None:
    assert [as_given(name)(number) for number in (1, 2, 3)] == files


def test_a_free_number_is_found_in_few_questions() -> None:
    asked: list[int] = []

    def is_taken(number: int) -> bool:
        asked.append(number)
        return number <= 10_000

    assert named_file.first_free(is_taken) == 10_001
    assert len(asked) < 32


def test_a_level_of_metadata_that_does_not_exist_is_refused() -> None:
    with pytest.raises(UsageError, match="metadata is one of none, basic, full, not 'all'"):
        Storage(metadata="all")
