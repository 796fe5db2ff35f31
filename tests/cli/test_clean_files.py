"""Files that were clean are not checked again, unless anything has changed that their check looked at."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowdsl import entry_points
from flowdsl.cli import checks, clean, main
from flowdsl.environment.environment import Environment

FLOW = """imports:
  - {{from: ./shared.module.yaml, as: shared}}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: {model}
    instruction: "{{{{ imports.shared.constants.{name} }}}} of a lighthouse"
"""
MODULE = "blocks:\n  constants:\n    {name}: A watercolour\n"
SETTINGS = "[services.OPENAI_IMAGE_GENERATION]\n{setting} = {value}\n"
CHOICES = {
    "flow.flow.yaml": [
        FLOW.format(model=model, name=name) for model in ("gpt-image-2", "gpt-imige-2") for name in "ab"
    ],
    "shared.module.yaml": [None, MODULE.format(name="a"), MODULE.format(name="b"), "blocks: [\n"],
    "flowdsl.toml": [None, SETTINGS.format(setting="maxRetries", value=1), '[severity]\n"unknown-model" = "error"\n'],
    "pyproject.toml": [None, "[project]\nname = 'x'\n", SETTINGS.format(setting="maxRetries", value=99)],
}
EDITS = [(name, content) for name, contents in CHOICES.items() for content in contents]
VARIABLES = [("OPENAI_BASE_URL", value) for value in (None, "http://localhost:1/v1", "nonsense")]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    for name, content in (EDITS[0], EDITS[5]):
        assert content is not None
        (project / name).write_text(content)
    return project


def validate(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["validate", ".", *arguments])
    return (code, *capsys.readouterr())


def checked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The paths of the files that are checked from here on."""
    found: list[str] = []
    examined = Environment.examined

    def noted(self: Environment, flow: object, *rest: object) -> object:
        found.append(getattr(flow, "path", ""))
        return examined(self, flow, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Environment, "examined", noted)
    return found


@pytest.mark.long
@settings(max_examples=150, deadline=None)
@given(st.lists(st.sampled_from([*EDITS, *VARIABLES]), max_size=8))
def test_whatever_is_edited_in_whatever_order_the_findings_are_those_of_a_fresh_check(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[str, str | None]]
) -> None:
    top = tmp_path_factory.mktemp("edits")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(top / "cache"))
        (top / "project").mkdir()
        patch.chdir(top / "project")
        for name, content in [EDITS[0], EDITS[5], *edits]:
            if name.isupper():
                patch.setenv(name, content) if content is not None else patch.delenv(name, raising=False)
            elif content is None:
                Path(name).unlink(missing_ok=True)
            else:
                Path(name).write_text(content)
            outputs = []
            for more in ([], [], ["--no-cache"]):
                with pytest.MonkeyPatch.context() as captured:
                    lines: list[str] = []
                    captured.setattr(sys.stdout, "write", lines.append)
                    captured.setattr(sys.stderr, "write", lines.append)
                    outputs.append((main(["validate", ".", *more]), "".join(lines)))
            assert outputs[0] == outputs[1] == outputs[2]


def test_a_file_that_was_clean_is_not_checked_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = validate(capsys)
    again = checked(monkeypatch)
    assert validate(capsys) == first == (0, "2 files, no findings\n", "")
    assert again == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("shared.module.yaml", MODULE.format(name="b")),
        ("flowdsl.toml", CHOICES["flowdsl.toml"][2]),
        ("../flowdsl.toml", CHOICES["flowdsl.toml"][1]),
        ("../.git/HEAD", ""),
    ],
    ids=["module", "settings", "settings above", "root of the project"],
)
def test_what_a_check_looked_at_is_looked_at_again(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, content: str
) -> None:
    validate(capsys)
    again = checked(monkeypatch)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(content)
    validate(capsys)
    assert "flow.flow.yaml" in again


def test_a_link_that_leads_elsewhere_now_is_followed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "shared.module.yaml").rename(folder / "one.module.yaml")
    (folder / "other.module.yaml").write_text(MODULE.format(name="b"))
    (folder / "shared.module.yaml").symlink_to("one.module.yaml")
    assert validate(capsys)[0] == 0
    (folder / "shared.module.yaml").unlink()
    (folder / "shared.module.yaml").symlink_to("other.module.yaml")
    assert validate(capsys)[0] == 1


def test_another_day_and_other_code_begin_anew(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    validate(capsys)
    again = checked(monkeypatch)
    validate(capsys, "--as-of", "2026-01-31")
    assert len(again) == 2
    monkeypatch.setattr(clean, "_code", lambda: iter(["another version"]))
    validate(capsys)
    assert len(again) == 4


def test_a_file_with_findings_and_one_that_names_pictures_are_always_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "wrong.flow.yaml").write_text("- step: SETT\n  a: 1\n")
    (folder / "a.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    (folder / "edit.flow.yaml").write_text(
        "- step: OPENAI_IMAGE_EDIT\n  model: gpt-image-2\n  instruction: Bluer\n  images: [a.png]\n"
    )
    validate(capsys)
    again = checked(monkeypatch)
    validate(capsys)
    assert sorted(again) == ["edit.flow.yaml", "wrong.flow.yaml"]


def test_no_value_of_a_variable_stands_in_the_cache_and_nothing_in_the_tree(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-abcdefghijklmnopqrstuvwxyz")
    before = sorted(folder.rglob("*"))
    validate(capsys)
    (file,) = (tmp_path / "cache/flowdsl").iterdir()
    assert b"OPENAI_API_KEY" in file.read_bytes()
    assert b"sk-abc" not in file.read_bytes()
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "damage",
    [b"", b"\xff\xfe\x00", b"no tab at all\n", b"\t\t\t\n", b"half of a li"],
    ids=["empty", "no text", "no tab", "tabs", "cut off"],
)
def test_a_damaged_cache_says_nothing(
    folder: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, damage: bytes
) -> None:
    first = validate(capsys)
    (file,) = (tmp_path / "cache/flowdsl").iterdir()
    file.write_bytes(file.read_bytes()[:-20] + damage)
    assert validate(capsys) == first
    file.write_bytes(damage)
    assert validate(capsys) == first


@pytest.mark.parametrize("where", ["/dev/null", "relative", ""], ids=["cannot be", "relative", "none"])
def test_without_a_folder_for_it_everything_is_checked(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", where)
    monkeypatch.delenv("HOME", raising=False)
    assert validate(capsys) == validate(capsys) == (0, "2 files, no findings\n", "")
    assert not (folder / "relative").exists()


def test_a_file_that_cannot_be_read_is_told_whatever_is_known(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    validate(capsys)
    (folder / "flow.flow.yaml").unlink()
    (folder / "flow.flow.yaml").symlink_to("/dev/zero")
    code, _, said = validate(capsys, "flow.flow.yaml")
    assert code == 2
    assert "it is no regular file" in said


SHARED_OUT = """
import sys
from flowdsl.cli import checks, main
checks._ALONE, checks._ENOUGH = 2, 3
checks._processors = lambda: int(sys.argv[1])
sys.exit(main(["validate", "flows", *sys.argv[2:]]))
"""


@pytest.mark.long
@pytest.mark.skipif(not hasattr(os, "fork"), reason="processes are copies, which this system does not make")
@pytest.mark.parametrize("arguments", [[], ["--format", "json"], ["--no-cache"]], ids=["text", "json", "anew"])
def test_findings_of_many_files_come_in_their_order_however_many_processes_look(
    tmp_path: Path, arguments: list[str]
) -> None:
    flows = tmp_path / "flows"
    flows.mkdir()
    for number in range(40):
        model = "gpt-imige-2" if number % 7 == 3 else "gpt-image-2"
        text = f"- step: OPENAI_IMAGE_GENERATION\n  model: {model}\n  instruction: Number {number}\n"
        (flows / f"{number:02}.flow.yaml").write_text(text)
    (flows / "13.flow.yaml").write_bytes(b"- step: \xff\n")
    outputs = []
    for processes in (1, 2, 5):
        environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / f"cache{processes}")}
        command = [sys.executable, "-c", SHARED_OUT, str(processes), *arguments]
        for _ in range(2):
            run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
            outputs.append((run.returncode, run.stdout, run.stderr))
    assert outputs[0][0] == 1
    assert outputs[0][1].count("unknown-model") in (6, 12)  # as JSON its page is named too
    assert outputs == outputs[:1] * 6


def test_a_process_that_dies_leaves_its_files_to_this_one(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Dead:
        def finds_clean(self, path: str, known: object) -> bool:
            return False

        def end(self) -> None:
            pass

    def share_out(self: checks.Checks) -> None:
        self._elsewhere = dict.fromkeys(self._left, Dead())  # type: ignore[arg-type]

    monkeypatch.setattr(checks.Checks, "_share_out", share_out)
    monkeypatch.setattr(checks, "_ALONE", 0)
    assert validate(capsys) == (0, "2 files, no findings\n", "")


OPENED = """
import sys
from pathlib import Path
from flowdsl.cli.checks import Checks
from flowdsl.cli.clean import Clean

opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" and type(args[0]) is str else None)
remembered = 0
for path in sys.argv[1:]:
    with Checks([path], None, lightly=True, fresh=False) as checks:
        del opened[:]
        try:
            source, found = checks.of(path)
        except Exception:
            continue
        line = checks._clean._new.pop(path, "")
    remembered += bool(line)
    read = {path, *(name.partition(" ")[2] for name in line.split("\\t"))}
    known = {str(Path(name).resolve()) for name in read}
    ours = [str(Path(sys.modules[name].__file__).parent) for name in ("flowdsl", "flowdsl_steps")]
    for name in map(str, map(Path.resolve, map(Path, opened))) if line else ():
        code = name.startswith((*ours, sys.prefix, sys.base_prefix)) or name.endswith((".py", ".pyc"))
        if not code and name not in known and not name.endswith((".toml", "/cache/flowdsl")):
            print(path, name)
print(remembered)
"""


@pytest.mark.long
def test_whatever_a_check_opens_is_known_to_the_cache(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    files = [path for folder in ("examples", "tests") for path in sorted((root / folder).rglob("*.y*ml"))]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", OPENED, *map(str, files)]
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert run.returncode == 0, run.stderr
    *missed, remembered = run.stdout.splitlines()
    assert missed == []
    assert int(remembered) > 50


PLUGIN = """
from typing import Literal

from helper_of_odd import KINDS

from flowdsl.step.step import Step


class Odd(Step, name="ODD"):
    \"\"\"A step of a plugin that somebody works on.\"\"\"

    kind: Literal[*KINDS]
    \"\"\"Which one.\"\"\"

    def run(self, ctx: object) -> None:
        \"\"\"Is only checked here.\"\"\"
"""


def plugin(place: Path, target: str) -> None:
    """A plugin whose code lies in the folders `code` and `helpers` of a place, and its entry point in `code`."""
    for name, text in (
        ("code/odd_steps/__init__.py", ""),
        ("code/odd_steps/_inside/odd.py", PLUGIN),
        ("code/odd_steps-1.dist-info/entry_points.txt", f"[flowdsl.steps]\nodd = {target}\n"),
        ("helpers/helper_of_odd.py", "KINDS = ['a']\n"),
    ):
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text)


CHANGES = {
    "code in a folder whose name begins with a line": (
        "code/odd_steps/_inside/odd.py",
        PLUGIN.replace("*KINDS", "'b'"),
    ),
    "a module that its package has from elsewhere": ("helpers/helper_of_odd.py", "KINDS = ['b']\n"),
    "its entry point": (
        "code/odd_steps-1.dist-info/entry_points.txt",
        "[flowdsl.steps]\nodd = odd_steps._inside.odd:Nothing\n",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_plugin_that_changed_is_asked_again(folder: Path, tmp_path: Path, change: str) -> None:
    plugin(tmp_path, "odd_steps._inside.odd:Odd")
    (folder / "flow.flow.yaml").write_text("- {step: ODD, kind: a}\n")
    path = os.pathsep.join((str(tmp_path / "code"), str(tmp_path / "helpers")))
    environment = {**os.environ, "PYTHONPATH": path, "PYTHONDONTWRITEBYTECODE": "1"}

    def code() -> int:
        command = [sys.executable, "-m", "flowdsl.cli", "validate", "flow.flow.yaml", "-q"]
        return subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False).returncode

    assert [code(), code()] == [0, 0]
    name, text = CHANGES[change]
    (tmp_path / name).write_text(text)
    assert code() != 0


def test_a_package_that_a_finder_of_its_own_finds_is_part_of_the_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from importlib.util import spec_from_file_location

    plugin(tmp_path, "odd_steps._inside.odd:Odd")
    (tmp_path / "code" / "odd_steps").rename(tmp_path / "odd_steps")

    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> object:
            start = tmp_path / "odd_steps" / "__init__.py"
            return spec_from_file_location(name, start) if name == "odd_steps" else None

    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
    before = list(clean._code())
    (tmp_path / "odd_steps" / "words.yaml").write_text("a: 1\n")
    assert list(clean._code()) != before


def test_another_version_of_what_is_installed_is_other_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in "12":
        (tmp_path / version / f"helper-{version}.dist-info").mkdir(parents=True)
    found = []
    for version in "12":
        (tmp_path / "now").unlink(missing_ok=True)
        (tmp_path / "now").symlink_to(version)
        with monkeypatch.context() as patch:
            patch.syspath_prepend(str(tmp_path / "now"))
            entry_points._sections.cache_clear()
            found.append(list(clean._code()))
    assert found[0] != found[1]
