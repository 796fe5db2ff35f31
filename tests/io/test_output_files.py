"""SAVE_IMAGES and DOWNLOAD: names, places, and what is left when something goes wrong."""

from __future__ import annotations

import asyncio
import base64
import os
import threading
from pathlib import Path
from typing import Any

import pytest
from privileges import permissions_respected

import flowdsl
from flowdsl.events import Event, FlowFinished
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.io.file_name import MAX_BYTES, file_name
from flowdsl_steps.io.output_files import OutputFile, write_files

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
GIF = b"GIF89a\x02\x00\x03\x00" + b"\x00" * 20


@pytest.fixture
def pictures(tmp_path: Path) -> list[flowdsl.Image]:
    """A PNG and a GIF."""
    store = ImageStore(tmp_path / "images")
    return [store.add(PNG), store.add(GIF)]


def failure(host: Any, flow: str, inputs: dict[str, Any]) -> flowdsl.RunError:
    with pytest.raises(flowdsl.RunError) as caught:
        host(flow, inputs)
    return caught.value


def files(tmp_path: Path) -> list[str]:
    """Everything below the output folder."""
    output = tmp_path / "output"
    return sorted(str(path.relative_to(output)) for path in output.rglob("*") if not path.is_dir())


def test_pictures_without_a_name_are_written_in_order_and_numbered_from_one(
    host: Any, tmp_path: Path, pictures: Any
) -> None:
    result = host("- step: SAVE_IMAGES\n", {"imageList": pictures})
    output = tmp_path / "output"
    assert result.context["list"] == [str(output / "image-1.png"), str(output / "image-2.gif")]
    assert [Path(path).read_bytes() for path in result.context["list"]] == [PNG, GIF]
    assert files(tmp_path) == ["image-1.png", "image-2.gif"]


def test_a_filename_reads_the_facts_of_each_picture(host: Any, tmp_path: Path, pictures: Any) -> None:
    flow = """
- step: SET
  title: Harbour
- step: SAVE_IMAGES
  in: imageList
  directory: "posters/{{ flowContext.title }}"
  filename: "{{ index }} of {{ count }} {{ width }}x{{ height }} {{ image.mime }} {{ sha256[0] }}.{{ extension }}"
"""
    host(flow, {"imageList": pictures})
    first, second = (picture.sha256[0] for picture in pictures)
    assert files(tmp_path) == [
        f"posters/Harbour/1 of 2 1x1 image_png {first}.png",
        f"posters/Harbour/2 of 2 2x3 image_gif {second}.gif",
    ]


def test_one_picture_and_a_path_to_one_do_too(host: Any, tmp_path: Path, pictures: Any) -> None:
    flow = "- step: SAVE_IMAGES\n  in: {}\n  filename: {}\n"
    host(flow.format("imageList.1", "a"), {"imageList": pictures})
    host(flow.format("'{{ flowContext.imageList[0] }}'", "b.PNG"), {"imageList": pictures})
    assert files(tmp_path) == ["a.gif", "b.PNG"]


def test_an_empty_list_writes_nothing(host: Any, tmp_path: Path) -> None:
    assert host("- step: SAVE_IMAGES\n", {"imageList": []}).context["list"] == []
    assert files(tmp_path) == []


@pytest.mark.parametrize(
    ("item", "found"),
    [("dawn", "a text"), ({"url": "x"}, "a map"), (None, "nothing"), (5, "5"), (flowdsl.Blob(b"x", "a/b"), "a blob")],
)
def test_only_images_are_saved(host: Any, tmp_path: Path, pictures: Any, item: Any, found: str) -> None:
    error = failure(host, "- step: SAVE_IMAGES\n", {"imageList": [pictures[0], item]})
    assert (error.code, str(error)) == ("wrong-type", f"SAVE_IMAGES writes images, and item 2 is {found}")
    assert files(tmp_path) == []


def test_two_pictures_of_one_name_are_told_apart_by_a_number(host: Any, tmp_path: Path, pictures: Any) -> None:
    flow = "- step: SAVE_IMAGES\n  filename: \"{{ 'A' if index == 1 else 'a' }}.x\"\n"
    for overwrite in ("", "  overwrite: true\n"):
        host(flow + overwrite, {"imageList": [pictures[0], pictures[0]]})
        assert files(tmp_path) == ["A.x.png", "a.x-2.png"]


def test_a_second_run_does_not_fail_after_paying_because_its_file_exists(
    host: Any, tmp_path: Path, pictures: Any
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "image-2.gif").write_bytes(b"mine")
    for _ in range(2):
        host("- step: SAVE_IMAGES\n", {"imageList": pictures})
    assert files(tmp_path) == ["image-1.png", "image-2.gif", "image-2.png", "image-3.gif", "image-4.gif"]
    assert (tmp_path / "output" / "image-2.gif").read_bytes() == b"mine"


def test_a_filename_that_reads_nothing_of_its_loop_loses_no_picture(host: Any, tmp_path: Path, pictures: Any) -> None:
    flow = "- step: FOR\n  var: i\n  items: [1, 2, 3]\n  do:\n    - {step: SAVE_IMAGES, filename: poster}\n"
    host(flow, {"imageList": pictures[:1]})
    assert files(tmp_path) == ["poster-2.png", "poster-3.png", "poster.png"]


def test_a_folder_that_becomes_a_link_after_the_check_is_not_followed(
    host: Any, tmp_path: Path, pictures: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    door = tmp_path / "output" / "door"
    mkdir = os.mkdir

    def swapped(path: Any, *arguments: Any, **options: Any) -> None:
        mkdir(path, *arguments, **options)
        if path == "door":
            door.rename(tmp_path / "was")
            door.symlink_to(outside)

    monkeypatch.setattr(os, "mkdir", swapped)
    assert failure(host, "- step: SAVE_IMAGES\n  directory: door\n", {"imageList": pictures}).code == "outside-output"
    assert list(outside.iterdir()) == []


def test_a_folder_that_becomes_a_link_while_files_are_written_is_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    door = tmp_path / "root" / "door"

    def swapped() -> bytes:
        door.rename(tmp_path / "was")
        door.symlink_to(outside)
        return b"A"

    write_files(tmp_path / "root", "door", [OutputFile("a", swapped)], overwrite=False)
    assert list(outside.iterdir()) == []
    assert (tmp_path / "was" / "a").read_bytes() == b"A"


def test_a_file_is_replaced_where_that_is_asked_for(host: Any, tmp_path: Path, pictures: Any) -> None:
    for _ in range(2):
        host("- step: SAVE_IMAGES\n  overwrite: true\n", {"imageList": pictures})
    assert files(tmp_path) == ["image-1.png", "image-2.gif"]


def test_overwriting_replaces_a_link_and_not_what_it_leads_to(host: Any, tmp_path: Path, pictures: Any) -> None:
    outside = tmp_path / "precious"
    outside.write_bytes(b"keep")
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "image-1.png").symlink_to(outside)
    host("- step: SAVE_IMAGES\n  overwrite: true\n", {"imageList": pictures[:1]})
    assert outside.read_bytes() == b"keep"
    assert (tmp_path / "output" / "image-1.png").read_bytes() == PNG


@pytest.mark.parametrize(
    "directory", ["..", "a/../../b", "/tmp/x", "C:\\x", "a\\..\\..\\b", "\\\\server\\share", "~/../.."]
)
def test_a_directory_cannot_leave_the_output_folder(host: Any, tmp_path: Path, pictures: Any, directory: str) -> None:
    given = {"imageList": pictures, "d": directory}
    error = failure(host, "- step: SAVE_IMAGES\n  directory: '{{ flowContext.d }}'\n", given)
    assert (error.code, str(error)) == ("outside-output", f"`directory` leaves the output folder: {directory}")
    found = flowdsl.check(f"- step: SAVE_IMAGES\n  directory: '{directory}'\n", declare=["imageList"])
    assert [finding.code for finding in found if finding.severity == "error"] == ["outside-output"]
    assert files(tmp_path) == []


def test_a_link_does_not_lead_out_of_the_output_folder(host: Any, tmp_path: Path, pictures: Any) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "door").symlink_to(outside)
    error = failure(host, "- step: SAVE_IMAGES\n  directory: door/in\n", {"imageList": pictures})
    assert (error.code, str(error)) == (
        "outside-output",
        f"`directory` leaves the output folder: {tmp_path}/output/door is a link to {outside}",
    )
    assert list(outside.iterdir()) == []


def test_the_output_folder_itself_may_be_a_link(host: Any, tmp_path: Path, pictures: Any) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "output").symlink_to(tmp_path / "real")
    result = host("- step: SAVE_IMAGES\n  directory: a\n", {"imageList": pictures[:1]})
    assert result.context["list"] == [str(tmp_path / "real" / "a" / "image-1.png")]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("dawn", "dawn.png"),
        ("dawn.png", "dawn.png"),
        ("dawn.PNG", "dawn.PNG"),
        ("dawn.v2", "dawn.v2.png"),
        ('a/b\\c:d*e?f"g<h>i|j', "a_b_c_d_e_f_g_h_i_j.png"),
        ("../../etc/passwd", "_.._etc_passwd.png"),
        ("..", ""),
        (" . ", ""),
        ("", ""),
        (".htaccess", "htaccess.png"),
        ("trailing. . ", "trailing.png"),
        ("con", "con.png"),
        ("a\x00b\nc\ud800", "a_b_c_.png"),
        ("e\u0301", "é.png"),
        ("\u202egnp", "\u202egnp.png"),
    ],
)
def test_a_text_becomes_a_name_that_every_system_takes(text: str, name: str) -> None:
    expected = f"_{name}" if name == "con.png" else name
    assert file_name(text, "png") == expected


@pytest.mark.parametrize("text", ["x" * 1000, "ü" * 1000, "🚢" * 300, "x" * 254 + ".", "a." + "b" * 500])
def test_a_long_text_is_cut_in_front_of_its_extension(text: str) -> None:
    name = file_name(text, "png")
    assert name.endswith(".png")
    assert len(name.encode()) <= MAX_BYTES
    assert len(name.encode()) > MAX_BYTES - 4


@pytest.mark.parametrize("text", ["CON", "nul.txt", "Aux", "com1", "lpt9.tar.gz", "COM¹"])
def test_names_that_windows_keeps_for_itself_are_changed(text: str) -> None:
    assert file_name(text) == f"_{text}"


def test_a_jpeg_may_be_called_jpeg() -> None:
    assert [file_name(name, "jpg") for name in ("a.jpeg", "a.jpg", "a.JPEG", "a.png")] == [
        "a.jpeg",
        "a.jpg",
        "a.JPEG",
        "a.png.jpg",
    ]


def test_nothing_is_left_when_a_picture_is_gone(host: Any, tmp_path: Path, pictures: Any) -> None:
    Path(pictures[1].path).unlink()
    error = failure(host, "- step: SAVE_IMAGES\n", {"imageList": pictures})
    assert error.code == "image-unreadable"
    assert files(tmp_path) == []


def test_a_name_that_somebody_takes_meanwhile_is_left_to_them(tmp_path: Path) -> None:
    taken = tmp_path / "b"

    def late() -> bytes:
        taken.write_bytes(b"other")  # somebody else takes the name while the files are written
        return b"B"

    found = write_files(tmp_path, None, [OutputFile("a", lambda: b"A"), OutputFile("b", late)], overwrite=False)
    assert [path.name for path in found] == ["a", "b-2"]
    assert taken.read_bytes() == b"other"


def test_an_interruption_leaves_no_part_file(tmp_path: Path) -> None:
    def interrupted() -> bytes:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_files(tmp_path, None, [OutputFile("a", lambda: b"A"), OutputFile("b", interrupted)], overwrite=False)
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_links_keeps_no_empty_file_where_a_name_cannot_be_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*args: Any, **options: Any) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", none)
    monkeypatch.setattr(os, "replace", none)
    with pytest.raises(flowdsl.StepError, match="Operation not supported"):
        write_files(tmp_path, None, [OutputFile("a.png", lambda: b"A")], overwrite=False)
    assert files(tmp_path) == list(tmp_path.iterdir()) == []


def test_others_go_on_while_files_are_written(tmp_path: Path, pictures: Any) -> None:
    met = threading.Barrier(2, timeout=20)
    read = flowdsl.Image.read

    def met_by_another(image: flowdsl.Image) -> bytes:
        met.wait()
        return read(image)

    async def run() -> list[str]:
        flow = flowdsl.load("- step: SAVE_IMAGES\n", declare=["imageList"])
        saving = asyncio.create_task(flow.arun({"imageList": pictures[:1]}))
        await asyncio.to_thread(met.wait)  # which comes to its turn only while the loop is free
        return list((await saving).context["list"])

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        patch.setattr(flowdsl.Image, "read", met_by_another)
        assert [Path(path).name for path in asyncio.run(run())] == ["image-1.png"]


def test_a_folder_in_the_place_of_a_file_is_an_error(host: Any, tmp_path: Path, pictures: Any) -> None:
    (tmp_path / "output" / "image-1.png").mkdir(parents=True)
    error = failure(host, "- step: SAVE_IMAGES\n  overwrite: true\n", {"imageList": pictures[:1]})
    assert str(error) == f"{tmp_path}/output/image-1.png is a folder"


def test_a_file_in_the_place_of_a_folder_is_an_error(host: Any, tmp_path: Path, pictures: Any) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "a").write_text("x")
    error = failure(host, "- step: SAVE_IMAGES\n  directory: a/b\n", {"imageList": pictures[:1]})
    assert str(error) == f"`directory` cannot be {tmp_path}/output/a, which is a file"


def test_a_folder_that_cannot_be_written_to_is_an_error(host: Any, tmp_path: Path, pictures: Any) -> None:
    (tmp_path / "output").mkdir(mode=0o500)
    with permissions_respected():
        error = failure(host, "- step: SAVE_IMAGES\n", {"imageList": pictures})
    assert str(error) == f"the output folder {tmp_path}/output cannot be written to: Permission denied"


def test_an_output_folder_below_a_file_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    environment = flowdsl.Environment(storage=flowdsl.Storage(output=tmp_path / "file" / "output"))
    with pytest.raises(flowdsl.StepError) as caught:
        environment.run("- step: SAVE_IMAGES\n", {"imageList": []})
    assert str(caught.value).endswith(f"/file/output cannot be written to: {tmp_path}/file is a file")


def test_an_output_folder_that_is_a_file_is_an_error(host: Any, tmp_path: Path, pictures: Any) -> None:
    (tmp_path / "output").write_text("x")
    error = failure(host, "- step: SAVE_IMAGES\n", {"imageList": pictures})
    assert (error.code, str(error)) == (
        "output-unwritable",
        f"the output folder {tmp_path}/output cannot be written to: it is a file",
    )


@pytest.mark.parametrize(
    ("value", "filename", "name", "content"),
    [
        ("# Größe", "a.md", "a.md", "# Größe".encode()),
        ("plain", "a", "a.txt", b"plain"),
        (5, "a.txt", "a.txt", b"5"),
        ({"a": [1]}, "a", "a.json", b'{\n  "a": [\n    1\n  ]\n}\n'),
        (flowdsl.Blob(b"\x00\xff", "application/pdf"), "a", "a.pdf", b"\x00\xff"),
        ("half \ud800", "a.txt", "a.txt", b"half ?"),
    ],
)
def test_a_value_is_downloaded_by_its_kind(
    host: Any, tmp_path: Path, value: Any, filename: str, name: str, content: bytes
) -> None:
    flow = f"- step: DOWNLOAD\n  filename: {filename}\n  in: given\n"
    assert host(flow, {"given": value}).context == {"given": value}
    assert (tmp_path / "output" / name).read_bytes() == content


def test_the_path_of_a_download_is_written_where_it_is_listed(host: Any, tmp_path: Path) -> None:
    flow = "- step: DOWNLOAD\n  filename: '{{ flowContext.text }}.txt'\n  outputs: [{type: path, name: file}]\n"
    assert host(flow, {"text": "a/b"}).context == {"text": "a/b", "file": str(tmp_path / "output" / "a_b.txt")}


@pytest.mark.parametrize(
    ("options", "content"),
    [
        ("", b"bytes"),
        ("  contentType: text/plain\n", b"words"),
        ("  inputs: [{type: text, name: text}]\n", b"words"),
        ("  inputs: [{type: blob, name: blob}]\n", b"bytes"),
        ("  in: text\n", b"words"),
    ],
)
def test_a_blob_is_downloaded_unless_the_text_is_asked_for(
    host: Any, tmp_path: Path, options: str, content: bytes
) -> None:
    given = {"text": "words", "blob": flowdsl.Blob(b"bytes", "a/b")}
    host(f"- step: DOWNLOAD\n  filename: a.x\n{options}", given)
    assert (tmp_path / "output" / "a.x").read_bytes() == content


def test_a_download_without_anything_to_write_says_so() -> None:
    found = flowdsl.check("- step: DOWNLOAD\n  filename: a\n")
    assert [finding.message for finding in found] == [
        "DOWNLOAD has nothing to work on: no `in`, and no step before it sets `blob` or `text`"
    ]


@pytest.mark.parametrize("step", ["SAVE_IMAGES", "DOWNLOAD"])
def test_folders_in_a_filename_are_warned_about(step: str) -> None:
    found = flowdsl.check(f"- step: {step}\n  filename: a/b.png\n  in: x\n", declare=["x"])
    assert [(finding.severity, finding.code, finding.message, finding.hint) for finding in found] == [
        (
            "warning",
            "not-a-file-name",
            "`filename` is the name of a file: the separator of folders in it becomes `_`",
            "put folders in `directory`",
        )
    ]


def test_a_filename_that_names_nothing_is_an_error_before_the_run() -> None:
    found = flowdsl.check("- step: DOWNLOAD\n  filename: '..'\n  in: x\n")
    assert [(finding.severity, finding.message) for finding in found] == [
        ("error", "`filename` is '..', which names no file")
    ]


def test_a_download_keeps_a_file_that_exists(host: Any, tmp_path: Path) -> None:
    flow = "- step: DOWNLOAD\n  filename: a.txt\n"
    host(flow, {"text": "one"})
    host(flow, {"text": "two"})
    assert files(tmp_path) == ["a-2.txt", "a.txt"]
    host(flow + "  overwrite: true\n", {"text": "three"})
    assert (tmp_path / "output" / "a.txt").read_text() == "three"


def test_a_run_that_finds_its_folder_wrong_ends_for_listeners_too(tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file", encoding="utf-8")
    environment = flowdsl.Environment(storage=flowdsl.Storage(output=tmp_path / "output"))
    heard: list[Event] = []
    with pytest.raises(flowdsl.StepError) as caught:
        environment.run("- step: DOWNLOAD\n  filename: a\n", {"text": "one"}, on_event=heard.append)
    (end,) = heard
    assert isinstance(end, FlowFinished)
    assert (end.status, end.error) == ("failed", caught.value)


@pytest.mark.parametrize("step", ["SAVE_IMAGES", "DOWNLOAD\n  filename: a"])
def test_a_folder_that_cannot_be_written_is_found_before_anything_is_paid(step: str, tmp_path: Path) -> None:
    (tmp_path / "output").write_text("a file", encoding="utf-8")
    image = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A boat\n  outputKey: text\n"
    with Simulator() as simulator:
        environment = flowdsl.Environment(
            overrides={"openai": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}},
            storage=flowdsl.Storage(images=tmp_path / "images", output=tmp_path / "output"),
        )
        with pytest.raises(flowdsl.StepError) as caught:
            environment.run(f"{image}- step: {step}\n", {"imageList": []})
        assert simulator.request_count == 0
    assert str(caught.value) == f"the output folder {tmp_path}/output cannot be written to: it is a file"
    assert not caught.value.charge_possible


@pytest.mark.parametrize(
    "options, where",
    [
        ("in: key, filename: a.txt", "a file"),
        ('in: "x {{ flowContext.key }}", filename: a.txt', "a file"),
        ('in: x, filename: "{{ flowContext.key }}.txt"', "the name of a file"),
        ('in: x, filename: a.txt, directory: "d/{{ flowContext.key }}"', "the name of a folder"),
    ],
    ids=["path", "text", "name", "folder"],
)
def test_a_secret_in_a_file_or_its_name_is_found_before_the_run(options: str, where: str) -> None:
    flow = f"""\
- step: SET
  key: "{{{{ secret('MY_KEY') }}}}"
- {{step: DOWNLOAD, {options}}}
"""
    assert [(found.code, found.message) for found in flowdsl.check(flow)] == [
        ("secret-leak", f"a secret can reach {where}")
    ]


def test_a_secret_that_a_download_takes_without_a_key_is_found() -> None:
    flow = "- step: SET\n  text: \"{{ secret('MY_KEY') }}\"\n- {step: DOWNLOAD, filename: a.txt}\n"
    assert [found.code for found in flowdsl.check(flow)] == ["secret-leak"]


@pytest.mark.parametrize(
    "filename, noted",
    [
        ("boat", True),
        ("boat-{{ index }}", True),
        ("boat-{{ inputs.city }}", True),
        ("boat-{{ flowContext.boat }}", False),
        ("boat-{{ flowContext.boat_index }}", False),
        ("boat-{{ flowContext.nick }}", False),
        ("boat-{{ sha256 }}", False),
        ("boat-{{ random(9) }}", False),
    ],
    ids=["plain", "picture number", "input", "item", "number", "set in the loop", "hash", "function"],
)
def test_a_file_name_that_is_the_same_in_each_iteration_is_noted(filename: str, noted: bool) -> None:
    flow = f"""\
inputs: {{city: {{type: string, default: Lisbon}}}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    instruction: A boat
  - step: FOR
    items: [red, blue]
    var: boat
    do:
      - step: SET
        nick: "{{{{ flowContext.boat }}}}"
      - step: SAVE_IMAGES
        filename: "{filename}"
"""
    found = [each.severity for each in flowdsl.check(flow) if each.code == "same-file-name"]
    assert found == ["note"] * noted
