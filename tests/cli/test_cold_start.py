"""What a command imports: checking one file must not wait for modules it does not need."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HEAVY = (
    *("pydantic", "httpx", "aiohttp", "asyncio", "lark", "jsonschema", "PIL", "regex", "_hashlib"),
    *("dataclasses", "inspect", "importlib.metadata", "shutil", "logging"),
)
PROGRAM = """
import sys
from flowdsl.cli import main
code = main(sys.argv[2:])
found = sorted(set(sys.argv[1].split()) & set(sys.modules))
sys.exit(f"exit {code}, imported {found}" if code or found else 0)
"""


def imported(folder: Path, heavy: tuple[str, ...], *arguments: str) -> str:
    """What a fresh interpreter says when it imported one of the heavy modules; empty when it did not."""
    # -I: nothing of this test run reaches the process; site stays on, because it finds the installed packages
    found = subprocess.run(
        [sys.executable, "-I", "-c", PROGRAM, " ".join(heavy), *arguments],
        cwd=folder,
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
        imported(tmp_path, (*HEAVY, "json", "flowdsl.codes", "flowdsl_steps.control.set"), "validate", "a.flow.yaml")
        == ""
    )


def test_validating_an_image_step_imports_the_catalogue_and_nothing_heavy(tmp_path: Path) -> None:
    (tmp_path / "a.flow.yaml").write_text(
        "- step: SET\n  text: A harbour at dawn\n- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n",
        encoding="utf-8",
    )
    assert imported(tmp_path, HEAVY, "validate", "a.flow.yaml") == ""


def test_help_and_version_import_no_command(tmp_path: Path) -> None:
    assert imported(tmp_path, (*HEAVY, "argparse", "yaml", "flowdsl.syntax.yaml_reader"), "--version") == ""
    assert imported(tmp_path, (*HEAVY, "argparse", "yaml", "flowdsl.syntax.yaml_reader"), "--help") == ""


def test_the_list_of_steps_imports_no_step(tmp_path: Path) -> None:
    assert imported(tmp_path, ("pydantic", "httpx", "asyncio", "flowdsl_steps.control.set"), "steps") == ""
