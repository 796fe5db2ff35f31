"""What a command imports: checking one file must not wait for modules it does not need."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    *("pydantic", "httpx", "asyncio", "h11", "lark", "jsonschema", "PIL", "regex", "_hashlib"),
    *("dataclasses", "inspect", "importlib.metadata", "shutil", "logging", "shtab"),
)
PROGRAM = """
import sys
from flowdsl.cli import main
code = main(sys.argv[2:])
found = sorted(set(sys.argv[1].split()) & set(sys.modules))
sys.exit(f"exit {code}, imported {found}" if code or found else 0)
"""


NOT_FOR_A_CLEAN_FILE = (
    *("datetime", "json", "locale", "threading", "atexit", "flowdsl.codes", "flowdsl_steps.control.set"),
    *("flowdsl.secrets.plain", "flowdsl.document.dialects.shape", "flowdsl.checker.names.name_table"),
)
"""What only findings, foreign documents and type checkers need."""


def imported(folder: Path, heavy: tuple[str, ...], *arguments: str) -> str:
    """What a fresh interpreter says when it imported one of the heavy modules; empty when it did not."""
    # -I: nothing of this test run reaches the process; site stays on, because it finds the installed packages
    found = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, " ".join(heavy), *arguments],
        cwd=folder,
        env={**os.environ, "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    return found.stderr


def test_validating_a_flow_without_images_imports_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(
        "inputs: {city: {type: string, default: Lisbon}}\n"
        "flow:\n- step: SET\n  city: '{{ inputs.city }}'\n  text: '{{ flowContext.city }} at dawn'\n",
        encoding="utf-8",
    )
    assert (
        imported(
            tmp_path,
            (*HEAVY, *NOT_FOR_A_CLEAN_FILE),
            "validate",
            "a.flow.yaml",
        )
        == ""
    )


def test_a_file_that_is_known_to_be_clean_is_not_even_parsed(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  text: A harbour at dawn\n", encoding="utf-8")
    assert imported(tmp_path, HEAVY, "validate", "a.flow.yaml") == ""
    known = (*HEAVY, *NOT_FOR_A_CLEAN_FILE, "typing", "yaml", "flowdsl.source", "flowdsl.environment")
    assert imported(tmp_path, known, "validate", "a.flow.yaml") == ""


COMPILED = """
import sys
from flowdsl.cli import main
def note(event, args):
    if event == "compile" and not str(args[1]).endswith(".py") and not bytes(args[0]).startswith(b"lambda "):
        sys.exit(f"{args} is compiled")
sys.addaudithook(note)
sys.exit(main(["validate", "a.flow.yaml"]))
"""


def test_a_clean_file_makes_the_interpreter_compile_no_text(tmp_path: Path) -> None:
    """The first such text, such as an annotation in quotes, has it make all its classes of syntax trees."""
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  text: A harbour at dawn\n", encoding="utf-8")
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", COMPILED]
    found = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (0, "")


ENDED = """
import {module}, sys
from flowdsl.cli import main
sys.argv[0] = "flowdsl"
code = main()
print("tidied up", code)
"""


@pytest.mark.parametrize(
    ("module", "said"),
    [
        pytest.param("time", "1 file, no findings\n", id="nobody waits for the end"),
        pytest.param("atexit", "1 file, no findings\ntidied up 0\n", id="somebody may wait for it"),
        pytest.param("threading", "1 file, no findings\ntidied up 0\n", id="threads may run"),
    ],
)
def test_a_command_ends_its_process_at_once_where_nobody_waits_for_the_end(
    module: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  text: A harbour at dawn\n", encoding="utf-8")
    command = [sys.executable, "-I", "-c", ENDED.format(module=module), "validate", "a.flow.yaml"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert (found.stdout, found.stderr) == (said, "")


def test_validating_an_image_step_imports_the_catalogue_and_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(
        "- step: SET\n  text: A harbour at dawn\n- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n",
        encoding="utf-8",
    )
    assert imported(tmp_path, HEAVY, "validate", "a.flow.yaml") == ""


EXAMPLES = sorted(Path(__file__).parents[2].joinpath("examples").glob("*.flow.yaml"))


@pytest.mark.parametrize("example", EXAMPLES, ids=[example.name.split(".")[0] for example in EXAMPLES])
def test_validating_an_example_imports_nothing_heavy(example: Path, tmp_path: Path) -> None:
    needed = ["regex", "_hashlib", "shutil"]  # of methods in templates, and of included files
    if "schema:" in example.read_text(encoding="utf-8"):  # PARSE_JSON's
        needed += ["jsonschema", "dataclasses", "inspect"]
    assert imported(tmp_path, tuple(name for name in HEAVY if name not in needed), "validate", str(example)) == ""


def test_a_run_does_not_import_the_command_line_of_httpx(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text("- step: REST\n  url: http://127.0.0.1:1/a\n", encoding="utf-8")
    command = [sys.executable, "-X", "importtime", "-m", "flowdsl.cli", "run", "a.flow.yaml"]
    found = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False).stderr
    assert " httpx._client\n" in found
    assert "rich.console" not in found


def test_help_and_version_import_no_command(tmp_path: Path) -> None:
    assert imported(tmp_path, (*HEAVY, "argparse", "yaml", "flowdsl.syntax.yaml_reader"), "--version") == ""
    assert imported(tmp_path, (*HEAVY, "argparse", "yaml", "flowdsl.syntax.yaml_reader"), "--help") == ""


def test_the_list_of_steps_imports_no_step(tmp_path: Path) -> None:
    assert imported(tmp_path, ("pydantic", "httpx", "asyncio", "flowdsl_steps.control.set"), "steps") == ""


def test_a_run_of_a_flow_that_pays_for_nothing_has_no_journal(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  text: A harbour at dawn\n", encoding="utf-8")
    journal = ("sqlite3", "_sqlite3", "flowdsl.journal", "flowdsl.journal.door")
    assert imported(tmp_path, journal, "run", "a.flow.yaml", "--quiet") == ""
    assert not (tmp_path / ".flowdsl").exists()
