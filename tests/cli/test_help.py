"""The help of each command: its summary, its options, and examples that are no empty words."""

from __future__ import annotations

import shlex
from importlib import import_module

import pytest

from flowdsl.cli import COMMANDS, main


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_a_command_says_what_it_does_and_shows_examples(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code = main([command, "--help"])
    printed = capsys.readouterr().out
    examples = import_module(f"flowdsl.cli.{command}").EXAMPLES
    assert code == 0
    assert printed.startswith(f"usage: flowdsl {command} ")
    assert COMMANDS[command] in " ".join(printed.split())
    assert printed.endswith("examples:\n" + "".join(f"  {example}\n" for example in examples))


@pytest.mark.parametrize("command", COMMANDS)
def test_the_examples_of_a_command_use_options_that_exist(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    main([command, "--help"])
    options = {word.strip(",[]") for word in capsys.readouterr().out.split("examples:")[0].split()}
    for example in import_module(f"flowdsl.cli.{command}").EXAMPLES:
        words = shlex.split(example.rpartition("| ")[2])
        assert words[:2] == ["flowdsl", command]
        assert {word for word in words[2:] if word.startswith("-") and word != "-"} <= options
