"""`flowdsl provenance`: what is proved of a picture, what is only claimed, and what does not fit."""

from __future__ import annotations

import json
from pathlib import Path

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
    assert any("the journal has the request that bought it for $0.0059: a simulator" in line for line in proved)
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


def test_what_a_file_says_of_itself_proves_nothing(picture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = Path("alone.png")
    alone.write_bytes(picture.read_bytes())
    code, lines = said(capsys, "alone.png")
    assert code == 1
    assert {line.split()[0] for line in lines} == {"claimed"}
    code, lines = said(capsys, "alone.png", "boat.flow.yaml")
    assert lines[-1] == "differs   no manifest lists the picture, so nothing ties it to the flow"


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
