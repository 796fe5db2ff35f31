"""Arguments and settings files that nobody means: a short and clear error for each, no traceback and no waiting."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = "inputs:\n  x: {default: 1}\nflow:\n  - {step: SET, y: 1}\n"
IMAGE = "- step: OPENAI_IMAGE_GENERATION\n  id: paint\n  model: gpt-image-2\n  instruction: A boat\n"
BIG = "x" * 100_000


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.flow.yaml").write_text(FLOW)
    (tmp_path / "image.flow.yaml").write_text(IMAGE)
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    code = main(arguments)
    captured = capsys.readouterr()
    assert (code, captured.out) == (2, "")
    assert len(captured.err) < 2000
    assert "\x1b" not in captured.err
    assert "Traceback" not in captured.err
    return captured.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--out", ""], "argument --out: the name is empty"),
        (["--out", BIG], "argument --out: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is longer than a path can be"),
        (["--inputs", ""], "argument --inputs: the name is empty"),
        (["--inputs", BIG], "is longer than a path can be"),
        (["-i", f"{BIG}=1"], "is longer than a name can be"),
        (["-i", f"x=@{BIG}"], "-i x: there is no file `xxx"),
        (["--out", "a\0b"], "an argument holds a NUL character"),
        (["-i", "x=@a\0b"], "an argument holds a NUL character"),
        (["--env", "A\0"], "an argument holds a NUL character"),
        (["--max-requests", "9" * 5000], "9` is more than is counted here: write at most 18 digits"),
        (["--max-usd", "1e-300"], "`1e-300` is less than anything costs: write 0.000001 or more"),
        (["--max-usd", "٣"], "is not a sum in USD, such as 2.50"),
        (["--timeout", "٣"], "is not a time in seconds, such as 90"),
        (["--allow-endpoint", "http://[::1"], "is not a web address"),
        (["--allow-endpoint", "https://a b"], "is not a web address"),
        (["--allow-endpoint", "https://a\x1b[31m"], "is not a web address"),
        (["--fault", f"paint={BIG}"], "--fault goes with --simulate"),
    ],
    ids=[
        "no folder",
        "a folder as long as a book",
        "no file of inputs",
        "a long file of inputs",
        "a long input",
        "a long file of one input",
        "NUL in a folder",
        "NUL in a file",
        "NUL in a variable",
        "a long number",
        "next to nothing",
        "a sum in other digits",
        "a time in other digits",
        "half an address",
        "an address with a blank",
        "an address with an escape",
        "a fault without a simulator",
    ],
)
def test_an_argument_that_makes_no_sense_is_refused_in_a_few_words(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said in refused(capsys, "run", "a.flow.yaml", *arguments)


@pytest.mark.parametrize(
    "name",
    ["", "/", "folder", "folder/", "loop", "file/x.yaml", BIG, "x" * 300],
    ids=["none", "the root", "a folder", "a folder with a slash", "a loop", "below a file", "a book", "a long name"],
)
def test_standard_input_goes_by_no_name_that_a_file_cannot_have(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "is not a name that a file can have" in refused(capsys, "run", "-", "--stdin-filename", name)


@pytest.mark.parametrize(
    "fault",
    [BIG, "\x1b[31m", "rate_limit:0", f"rate_limit:{'9' * 5000}", "rate_limit:nan", "a=b:c"],
    ids=["a long kind", "an escape", "no time", "more times than numbers", "no number of times", "two signs"],
)
def test_a_fault_that_there_is_not_is_refused_in_a_few_words(fault: str, capsys: pytest.CaptureFixture[str]) -> None:
    refused(capsys, "run", "image.flow.yaml", "--simulate", "--fault", f"paint={fault}")
    refused(capsys, "run", "image.flow.yaml", "--simulate", "--fault", f"{fault}=rate_limit")


def test_a_fault_called_timeout_may_be_either_of_two(capsys: pytest.CaptureFixture[str]) -> None:
    said = refused(capsys, "run", "image.flow.yaml", "--simulate", "--fault", "paint=timeout")
    assert "'hang' (no response until the client leaves or the server stops)" in said
    assert "'timeout408' (408, the service says that it took too long)" in said


@pytest.mark.parametrize("file", ["flowdsl.toml", "pyproject.toml", "config/flowdsl/config.toml"])
@pytest.mark.parametrize("kind", ["pipe", "loop", "nowhere", "folder", "device", "deep", "binary", "digits"])
def test_a_settings_file_that_cannot_be_read_is_not_passed_over(
    kind: str, file: str, place: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(place / "config"))
    path = place / file
    path.parent.mkdir(parents=True, exist_ok=True)
    head = b"[tool.flowdsl]\n" if file == "pyproject.toml" else b""
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind in ("loop", "nowhere", "device"):
        path.symlink_to({"loop": path.name, "nowhere": "not-there", "device": "/dev/zero"}[kind])
    else:
        contents = {"deep": b"a = " + b"[" * 20_000, "binary": b"\xff", "digits": b"max_requests = " + b"9" * 5000}
        path.write_bytes(head + contents[kind])
    said = refused(capsys, "run", "a.flow.yaml")
    assert said.startswith(f"flowdsl: {path}: ")
    wanted = {
        "pipe": "it is no regular file",
        "loop": "Too many levels of symbolic links",
        "nowhere": "No such file or directory",
        "folder": "Is a directory",
        "device": "it is no regular file",
        "deep": "lists and maps stand too deep in one another",
        "binary": "it is not UTF-8: byte 0xff",
        "digits": "a number has more digits than are read",
    }
    assert wanted[kind] in said


@pytest.mark.parametrize(
    "text", ["[tool]\nflowdsl = 1\n#[tool.flowdsl", "[[tool.flowdsl]]\na = 1\n"], ids=["number", "list"]
)
def test_settings_that_are_no_table_are_refused(text: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "pyproject.toml").write_text(text)
    assert "tool.flowdsl must be a table" in refused(capsys, "run", "a.flow.yaml")


def test_a_number_that_is_none_is_out_of_range(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (place / "nan.flow.yaml").write_text("services:\n  X: {rateLimit: .nan}\nflow:\n  - {step: SLEEP, seconds: .nan}\n")
    assert main(["validate", "nan.flow.yaml"]) == 1
    assert capsys.readouterr().out.count("[out-of-range]") >= 1
    (place / "flowdsl.toml").write_text("[services.X]\nrateLimit = nan\n")
    assert "`rateLimit` is nan" in refused(capsys, "run", "a.flow.yaml")


def test_inputs_from_an_empty_standard_input_are_not_told_what_a_flow_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments in (["-i", "x=@-"], ["--inputs", "-"]):
        with open("/dev/null", encoding="utf-8") as empty:  # noqa: PTH123  as a shell opens it
            monkeypatch.setattr("sys.stdin", empty)
            assert main(["run", "a.flow.yaml", *arguments]) == 1
        said = capsys.readouterr().err
        assert "the file is empty" in said
        assert "a flow is a list of steps" not in said


def test_files_that_cannot_be_read_are_not_counted_as_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "pipe"]) == 2
    assert capsys.readouterr() == ("", "flowdsl: pipe: it is no regular file\n")
    assert main(["validate", "pipe", "a.flow.yaml"]) == 2
    assert capsys.readouterr().out == "1 file, no findings\n"
