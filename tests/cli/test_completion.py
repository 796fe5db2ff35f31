"""`flowdsl completion`: what the shells make of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from flowdsl.cli import COMMANDS, main
from flowdsl.cli.completion import SHELLS

INSTALLED = [shell for shell in SHELLS if shutil.which(shell)]
BASH = """\
source {script}
COMP_WORDS=({words}) COMP_CWORD=$(( ${{#COMP_WORDS[@]}} - 1 ))
$(complete -p flowdsl | sed 's/.*-F \\([^ ]*\\).*/\\1/') flowdsl "${{COMP_WORDS[-1]}}" "${{COMP_WORDS[-2]}}"
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


ZSH = """\
zmodload zsh/zpty
zpty z zsh -f -i
zpty -w z "source {setup}"
for turn in {{1..50}}; do zpty -r z line; [[ $line == *ready* ]] && break; done
zpty -w z {line}$'\\t'
for turn in {{1..200}}; do zpty -r z line || break; print -rn -- "$line"; [[ $line == *DONE* ]] && break; done
zpty -d z
"""
"""Types into a shell on a terminal of its own, and shows what that one prints."""
ZSH_SETUP = """\
PROMPT=
stty -echo
fpath=({folder} $fpath)
autoload -Uz compinit
compinit -u -d {folder}/dump
bindkey '^I' complete-word
done_with() {{ print -r -- DONE }}
comppostfuncs=(done_with)
compadd() {{
  [[ "${{@[1,(i)(-|--)]}}" == *-(O|A|D)\\ * ]] && {{ builtin compadd "$@"; return }}
  local -a hits
  builtin compadd -A hits "$@"
  local hit
  for hit in "${{hits[@]}}"; do print -r -- "HIT $hit"; done
}}
print ready
"""
"""A completion that prints what it would offer."""


def script(shell: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> Path:
    assert main(["completion", shell]) == 0
    path = folder / f"completion.{shell}"
    path.write_text(capsys.readouterr().out, encoding="utf-8")
    return path


@pytest.mark.parametrize("shell", SHELLS)
def test_a_completion_knows_every_command_and_step(
    shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = script(shell, tmp_path, capsys).read_text(encoding="utf-8")
    for word in (*COMMANDS, "--max-requests", "OPENAI_IMAGE_GENERATION", "SAVE_IMAGES"):
        assert word in text


@pytest.mark.parametrize("shell", INSTALLED)
def test_a_shell_accepts_its_completion(shell: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = subprocess.run([shell, "-n", script(shell, tmp_path, capsys)], capture_output=True, text=True, timeout=20)
    assert (found.returncode, found.stderr) == (0, "")


CASES = {
    "va": {"validate"},
    "steps OPENAI": {"OPENAI_IMAGE_EDIT", "OPENAI_IMAGE_GENERATION"},
    "validate --format ''": {"text", "json", "sarif", "github", "gitlab", "junit", "rdjson", "concise"},
    "run --max-u": {"--max-usd"},
    "run harb": {"harbour.flow.yaml"},
    "completion z": {"zsh"},
}


def in_zsh(path: Path, line: str, folder: Path) -> set[str]:
    """What a real zsh offers for a line."""
    functions = folder / "functions"
    functions.mkdir()
    (functions / "_flowdsl").write_bytes(path.read_bytes())
    (functions / "setup").write_text(ZSH_SETUP.format(folder=functions))
    typed = f"$'{line.removesuffix(chr(39) * 2)}'"
    found = subprocess.run(
        ["zsh", "-f", "-c", ZSH.format(setup=functions / "setup", line=typed)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "HOME": str(folder), "TERM": "dumb"},
    )
    return {each.partition("HIT ")[2].strip() for each in found.stdout.splitlines() if "HIT " in each}


@pytest.mark.long
@pytest.mark.parametrize("shell", INSTALLED)
@pytest.mark.parametrize("typed", CASES, ids=lambda typed: typed.replace("'", "").strip().replace(" ", "-"))
def test_commands_options_steps_and_files_are_completed(
    shell: str, typed: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "harbour.flow.yaml").write_text("- {step: SET, a: b}\n", encoding="utf-8")
    path = script(shell, tmp_path, capsys)
    line = f"flowdsl {typed}"
    if shell == "zsh":
        assert in_zsh(path, line, tmp_path) == CASES[typed]
        return
    ask = BASH.format(script=path, words=line) if shell == "bash" else f"source {path}; complete -C {line!r}"
    if shell == "fish":
        ask = ask.replace("''", "")
    found = subprocess.run(
        [shell, "-c", ask],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=20,
        env={**os.environ, "HOME": str(tmp_path)},
    )
    assert {line.partition("\t")[0].strip() for line in found.stdout.splitlines()} == CASES[typed], found.stderr


def test_a_shell_that_is_not_known_gets_those_that_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "fisch"]) == 2
    assert "`fisch` is not known; did you mean `fish`?" in capsys.readouterr().err


def test_completion_costs_the_other_commands_nothing(tmp_path: Path) -> None:
    program = "import sys; from flowdsl.cli import main; main(sys.argv[1:]); print('shtab' in sys.modules)"
    (tmp_path / "a.flow.yaml").write_text("- {step: SET, a: b}\n", encoding="utf-8")
    for arguments in (["validate", "a.flow.yaml"], ["--help"], ["run", "a.flow.yaml", "-q"]):
        found = subprocess.run(
            [sys.executable, "-c", program, *arguments], cwd=tmp_path, capture_output=True, text=True, timeout=60
        )
        assert found.stdout.endswith("False\n"), found.stderr
