"""Generated files: whole or not at all, left-overs of old ones found, and drift named."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from flowdsl import Step, StepContext, Verbatim, Written
from flowdsl.cli.generated import write_atomically, write_or_check
from flowdsl.errors import PluginError, UsageError
from flowdsl.reference.docs import step_page
from flowdsl.reference.docstrings import documented, field_docs
from flowdsl.reference.index import index_text, plain_json
from flowdsl.step.index import parse_entry, parse_index
from flowdsl.step.registry import Registry
from flowdsl.step.rules import Conflicts, RequiredWhen
from flowdsl.step.spec import StepSpec
from flowdsl.step.step import spec_of

FILES = {"a.md": "<!-- made by us -->\none\n", "sub/b.md": "<!-- made by us -->\ntwo\n"}


def write(folder: Path, files: dict[str, str], *, check: bool = False) -> int:
    return write_or_check(folder, files, mark="made by us", check=check, again="make files")


def test_files_are_written_once_and_then_up_to_date(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    codes = [write(tmp_path / "out", FILES), write(tmp_path / "out", FILES), write(tmp_path / "out", FILES, check=True)]
    assert codes == [0, 0, 0]
    assert capsys.readouterr().out == (
        f"2 files in {tmp_path}/out, 2 written, 0 removed\n"
        f"2 files in {tmp_path}/out, 0 written, 0 removed\n"
        f"2 files in {tmp_path}/out up to date\n"
    )


def test_a_check_names_what_drifted_and_changes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, {**FILES, "old.md": "<!-- made by us -->\n"})
    (tmp_path / "a.md").write_text("by hand", encoding="utf-8")
    (tmp_path / "notes.md").write_text("somebody's own", encoding="utf-8")
    capsys.readouterr()
    code = write(tmp_path, FILES, check=True)
    assert code == 1
    assert capsys.readouterr().err == (
        f"{tmp_path}/a.md differs\n{tmp_path}/old.md is left over\nrun `make files` to write them again\n"
    )
    assert (tmp_path / "a.md").read_text(encoding="utf-8") == "by hand"


def test_left_overs_of_ours_are_removed_and_nobody_elses(tmp_path: Path) -> None:
    write(tmp_path, {**FILES, "old.md": "<!-- made by us -->\n"})
    (tmp_path / "notes.md").write_text("somebody's own", encoding="utf-8")
    write(tmp_path, FILES)
    assert sorted(path.name for path in tmp_path.rglob("*.md")) == ["a.md", "b.md", "notes.md"]


@pytest.mark.parametrize("content", [b"my own page\n", b"\xff\xfe"])
def test_no_file_of_somebody_is_taken_for_a_generated_one(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "sub").mkdir()
    own = tmp_path / "sub" / "b.md"
    own.write_bytes(content)
    with pytest.raises(UsageError, match=r"b\.md is there and was not generated: it stays as it is; move it away"):
        write(tmp_path, FILES)
    assert own.read_bytes() == content
    assert not (tmp_path / "a.md").exists()


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "a.md").mkdir()
    with pytest.raises(OSError, match="directory"):
        write_atomically(tmp_path / "a.md", "text")
    assert [path.name for path in tmp_path.iterdir()] == ["a.md"]


class Frame(Step, name="FRAME", category="Test", examples=("- step: FRAME\n",)):
    """Puts a frame around something.

    More of it.
    """

    width: int = 1
    """How wide it is | in
    pixels."""
    text: str | None = None
    "A text."
    bare: int = 0

    def run(self, ctx: StepContext) -> Written:
        return None


class Carved(
    Frame,
    name="CARVED",
    rules=(Conflicts("width", "text", "bare"), RequiredWhen("text", "mode", "upload")),
):
    """Carves."""

    text: str | None = None
    """A carved text."""
    mode: str | None = None
    """The mode."""


def test_the_docstrings_under_fields_are_found_and_inherited() -> None:
    assert field_docs(Frame) == {"width": "How wide it is | in pixels.", "text": "A text."}
    assert field_docs(Carved) == {
        "width": "How wide it is | in pixels.",
        "text": "A carved text.",
        "mode": "The mode.",
    }


def test_a_class_without_source_has_no_docstrings_and_no_trouble() -> None:
    space: dict[str, object] = {"Step": Step, "__name__": "made"}
    exec("class Made(Step, name='MADE'):\n    x: int = 1\n    'Some x.'\n    def run(self, ctx): ...", space)  # noqa: S102  a class with no file
    made = space["Made"]
    assert isinstance(made, type)
    assert field_docs(made) == {}


def test_a_documented_spec_leaves_the_steps_own_alone() -> None:
    assert documented(Frame).keys["width"].summary == "How wide it is | in pixels."
    assert spec_of(Frame).keys["width"].summary == ""


def test_a_page_escapes_bars_and_shows_rules_from_the_side_of_each_key() -> None:
    page = step_page(documented(Carved))
    assert (
        "| `width` | How wide it is \\| in pixels. | `1` | no | yes | integer | Conflicts: text, bare |\n"
        "| `text` | A carved text. | none | no | yes | text | Conflicts: width; Required when mode = upload |\n"
        "| `bare` |  | `0` | no | yes | integer | Conflicts: width |\n"
        "| `mode` | The mode. | none | no | yes | text | none |\n"
    ) in page


def test_an_index_holds_every_spec_one_on_each_line() -> None:
    text = index_text("flowdsl_steps")
    index = parse_index(text)
    registry = Registry(index)
    assert len(text.splitlines()) == len(index.entries) + 2 > 20
    assert set(json.loads(text)["steps"]) == set(index.entries) == set(registry)
    for name in registry:
        spec, expected = registry.spec(name), documented(registry.step_class(name))
        assert isinstance(spec, StepSpec)
        assert spec.to_index() == expected.to_index()


@pytest.mark.parametrize("layout", ["indented", "one-line", "windows"])
def test_an_index_that_a_formatter_laid_out_anew_says_the_same(layout: str) -> None:
    text = index_text("flowdsl_steps")
    other = {
        "indented": json.dumps(json.loads(text), indent=2),
        "one-line": json.dumps(json.loads(text)),
        "windows": text.replace("\n", "\r\n"),
    }[layout]
    found, expected = parse_index(other), parse_index(text)
    assert found.aliases == expected.aliases
    assert {name: parse_entry(entry) for name, entry in found.entries.items()} == {
        name: parse_entry(entry) for name, entry in expected.entries.items()
    }


def test_an_entry_is_read_with_tuples_and_a_default_as_it_was() -> None:
    entry = parse_entry('{"aliases": ["A"], "keys": [{"name": "a", "default": ["x"], "choices": [1, [2]]}]}')
    assert entry == {"aliases": ("A",), "keys": ({"name": "a", "default": ["x"], "choices": (1, (2,))},)}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param([Verbatim()], "Verbatim() is a Verbatim", id="object"),
        pytest.param({"a": (1, {2})}, "{2} is a set", id="set"),
        pytest.param({1: 2}, "the key 1 is not a text", id="number as a key"),
        pytest.param([float("inf")], "inf is not a finite number", id="infinite number"),
    ],
)
def test_an_index_holds_plain_values_only(value: object, reason: str) -> None:
    with pytest.raises(PluginError) as raised:
        plain_json(value)
    assert str(raised.value) == f"an index holds plain values only, and {reason}"
