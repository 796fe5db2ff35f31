"""Generated files: whole or not at all, left-overs of old ones found, and drift named."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from flowdsl import Step, StepContext, Verbatim, Written
from flowdsl.cli.generated import write_atomically, write_or_check
from flowdsl.errors import PluginError
from flowdsl.reference.docs import step_page
from flowdsl.reference.docstrings import documented, field_docs
from flowdsl.reference.index import index_text, literal
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


def test_an_index_holds_every_spec_and_imports_nothing() -> None:
    text = index_text("flowdsl_steps")
    tree = ast.parse(text)
    assert not [node for node in ast.walk(tree) if isinstance(node, (ast.Import, ast.ImportFrom, ast.Call))]
    space: dict[str, list[dict[str, object]]] = {}
    exec(text, space)  # noqa: S102  our own text, as Python will run it
    registry = Registry({str(entry["name"]): entry for entry in space["STEPS"]})
    for name in registry:
        spec, expected = registry.spec(name), documented(registry.step_class(name))
        assert isinstance(spec, StepSpec)
        assert spec.to_index() == expected.to_index()


@pytest.mark.parametrize(
    ("value", "source"),
    [
        ("a 'b'", "\"a 'b'\""),
        ('a "b"', "'a \"b\"'"),
        ("a\n\\\t\x00é", '"a\\n\\\\\\t\\x00é"'),
        (("a",), '("a",)'),
        ({"a": [1, None, True, -0.5]}, '{"a": [1, None, True, -0.5]}'),
        ((), "()"),
    ],
)
def test_a_literal_reads_back_as_itself(value: object, source: str) -> None:
    assert literal(value, 0) == source
    assert ast.literal_eval(source) == value


def test_a_long_literal_takes_a_line_for_each_item() -> None:
    value = {"names": ["x" * 60, "y" * 60], "n": 1}
    text = literal(value, 4)
    lines = ["{", '        "names": [', f'            "{"x" * 60}",', f'            "{"y" * 60}",', "        ],"]
    assert text == "\n".join([*lines, '        "n": 1,', "    }"])
    assert ast.literal_eval(text) == value


def test_an_index_cannot_hold_an_object() -> None:
    with pytest.raises(PluginError, match=r"an index holds plain values only, and Verbatim\(\) is a Verbatim"):
        literal([Verbatim()], 0)
