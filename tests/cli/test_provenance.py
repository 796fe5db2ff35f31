"""`flowdsl provenance`: what is proved of a picture, what is only claimed, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

import PIL.Image
import pytest

from flowdsl.cli import main

FLOW = """\
- step: OPENAI_IMAGE_GENERATION
  id: boat
  model: gpt-image-2
  instruction: A paper boat
  size: 1024x1024
  quality: low
"""


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("boat.flow.yaml").write_text(FLOW)
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet", "--out", "pictures"]) == 0
    capsys.readouterr()
    return Path("pictures/boat-1.png")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, list[str]]:
    code = main(["provenance", *arguments])
    return code, capsys.readouterr().out.splitlines()


def test_a_picture_as_it_was_made_is_proved_by_manifest_journal_and_flow(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, lines = said(capsys, str(picture), "boat.flow.yaml")
    proved = [line for line in lines if line.startswith("proved")]
    assert code == 0
    assert not [line for line in lines if line.startswith("differs")]
    assert any("its bytes are those that the run wrote" in line for line in proved)
    assert any(
        "the journal has the request that made it, simulated, would cost $0.0059: a simulator" in line
        for line in proved
    )
    assert any("the file and the manifest name the same model" in line for line in proved)
    assert proved[-1].endswith("boat.flow.yaml is the flow of that run, byte for byte")


def test_the_bytes_as_they_came_are_known_too(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (original,) = (picture.parent / ".originals").glob("*.png")
    code, lines = said(capsys, str(original))
    assert code == 0
    assert "its bytes are those that the service sent" in lines[0]


def test_a_file_that_was_changed_or_another_flow_does_not_fit(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content = bytearray(picture.read_bytes())
    content[-20] ^= 1
    picture.write_bytes(content)
    Path("boat.flow.yaml").write_text(FLOW.replace("boat", "ship"))
    code, lines = said(capsys, str(picture), "boat.flow.yaml")
    assert code == 1
    assert [line[10:] for line in lines if line.startswith("differs")] == [
        "its bytes are not those of the manifest: the file was changed after the run",
        "boat.flow.yaml is not the flow of that run: another file, or changed since",
    ]


def test_a_manifest_that_was_changed_does_not_fit_the_journal(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = picture.parent / "manifest.json"
    manifest.write_text(manifest.read_text().replace("A paper boat", "A steel ship"))
    code, lines = said(capsys, str(picture))
    assert code == 1
    assert "differs   the manifest has prompt A steel ship, and the journal A paper boat" in lines


def without_journal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(Path("elsewhere").absolute()))


def test_what_a_file_says_of_itself_proves_nothing(
    picture: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    without_journal(monkeypatch)
    alone = Path("alone.png")
    alone.write_bytes(picture.read_bytes())
    code, lines = said(capsys, "alone.png")
    assert code == 1
    assert {line.split()[0] for line in lines} == {"claimed"}
    code, lines = said(capsys, "alone.png", "boat.flow.yaml")
    assert lines[-1] == (
        "differs   no manifest lists the picture, and the journal does not have it: nothing ties it to the flow"
    )


@pytest.mark.parametrize("kind", ["png", "jpeg", "webp"])
def test_a_copy_far_from_its_manifest_is_found_in_the_journal_by_its_bytes_without_metadata(
    kind: str, picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("boat.flow.yaml").write_text(FLOW + f"  output_format: {kind}\n")
    assert main(["run", "boat.flow.yaml", "--simulate", "--quiet", "--out", "others"]) == 0
    capsys.readouterr()
    (other,) = Path("others").glob("boat-1.*")
    alone = other.rename(other.name)
    code, lines = said(capsys, str(alone), "boat.flow.yaml")
    assert code == 0
    assert [line for line in lines if line.startswith("proved    the journal has the request that made it")]
    assert [line for line in lines if line.startswith("proved    the file and the journal name the same request: req_")]
    assert lines[-1] == "proved    boat.flow.yaml is the flow of that run, byte for byte"


def test_a_file_that_was_written_anew_has_its_pixels_and_no_metadata(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with PIL.Image.open(picture) as image:
        pixels = image.copy()
    pixels.info.clear()
    pixels.save(picture)
    code, lines = said(capsys, str(picture))
    assert code == 1
    assert lines[:2] == [
        "proved    its pixels are those that the service sent",
        "differs   the file was written anew after the run, and its metadata are gone",
    ]
    pixels.putpixel((0, 0), (1, 2, 3))
    pixels.save(picture)
    code, lines = said(capsys, str(picture))
    assert code == 1
    assert lines[0].startswith("differs   its bytes are not those of the manifest")
    (line,) = (line for line in lines if "the journal has" in line)
    assert line.startswith("claimed") and line.endswith("but the file is not what came then")


def test_metadata_that_were_changed_do_not_fit(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    content = picture.read_bytes()
    picture.write_bytes(content.replace(b"gpt-image-2<", b"gpt-image-9<"))
    code, lines = said(capsys, str(picture))
    assert code == 1
    assert lines[:2] == [
        "proved    without its metadata its bytes are those that the service sent",
        "differs   its metadata are not those that the run wrote: they were changed after it",
    ]
    assert "differs   the file says model gpt-image-9, and the manifest gpt-image-2" in lines


def test_a_manifest_that_was_cut_off_is_read_as_far_as_it_goes(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = picture.parent / "manifest.json"
    manifest.write_text(manifest.read_text().removesuffix("\n]}\n") + ',\n{"file": "boat-')
    code, lines = said(capsys, str(picture))
    assert (code, lines[0]) == (
        0,
        "proved    its bytes are those that the run wrote, with metadata, as the manifest has them",
    )


def test_what_is_no_picture_is_refused(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["provenance", "boat.flow.yaml"]) == 2
    assert "boat.flow.yaml is no picture" in capsys.readouterr().err


def test_a_picture_of_somebody_else_is_not_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("x.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    code, lines = said(capsys, "x.png")
    assert (code, lines) == (
        1,
        ["nothing is known of x.png: no manifest lists it, and it says nothing of itself"],
    )
    code, lines = said(capsys, "x.png", "--json")
    assert (code, json.loads("\n".join(lines))) == (1, [])
    assert main(["provenance", "none.png"]) == 2
    assert "none.png cannot be read: No such file or directory" in capsys.readouterr().err


@pytest.mark.long
def test_a_picture_that_edits_another_is_known_as_itself_under_any_name(
    picture: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit = FLOW.replace("GENERATION", "EDIT").replace("id: boat", "id: frame").replace("A paper boat", "A golden frame")
    Path("framed.flow.yaml").write_text(FLOW + edit)
    assert main(["run", "framed.flow.yaml", "--simulate", "--quiet", "--out", "pictures"]) == 0
    capsys.readouterr()
    code, lines = said(capsys, "pictures/frame-1.png", "framed.flow.yaml")
    (prompt,) = [line for line in lines if "has the prompt" in line]
    (bought,) = [line for line in lines if "the request that made it" in line]
    assert (code, prompt.partition(": ")[2]) == (0, "A golden frame")
    Path("pictures/frame-1.png").rename("mine.png")
    code, lines = said(capsys, "mine.png", "framed.flow.yaml")
    assert (code, bought in lines) == (0, True)
    assert not [line for line in lines if line.startswith("differs")]


@pytest.mark.long
def test_a_picture_of_a_batch_is_that_of_its_record(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.flow.yaml").write_text(FLOW.replace("A paper boat", "'A boat called {{ flowContext.name }}'"))
    Path("a.csv").write_text("name\nAda\nBo\n")
    assert main(["batch", "b.flow.yaml", "--over", "a.csv", "--simulate", "--quiet", "--out", "cards"]) == 0
    results = [json.loads(line) for line in Path("cards/results.jsonl").read_text().splitlines()]
    capsys.readouterr()
    for result in results:
        code, lines = said(capsys, result["images"][0]["path"], "b.flow.yaml")
        assert code == 0
        assert any(line.startswith("proved") and f"run {result['run']}" in line for line in lines)
        assert any(f"A boat called {('Ada', 'Bo')[result['record']]}" in line for line in lines)
