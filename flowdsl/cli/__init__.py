"""The command line: `flowdsl COMMAND …`, one module a command, and only that one is imported.

Exit codes: 0 done, 1 findings, 2 wrong usage, 3 a bug of ours, 4 a failed run, 130 interrupted.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # what is imported here is imported before anything takes Ctrl-C for what it is
if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main"]

INTERRUPTED = 130
"""The exit code after Ctrl-C."""

COMMANDS = {
    "run": "Run a flow: make its pictures and say where they are.",
    "image": "Make a picture from a prompt, without a file.",
    "batch": "Run a flow over the records of a file, many at once.",
    "resume": "Go on with a run that was killed or failed; nothing that is paid for is bought again.",
    "runs": "Show the runs that paid for something, and decide what became of requests in doubt.",
    "costs": "Show what was paid, by flow, service, model, day or tag.",
    "report": "Show what a run or a batch made, as a page with its pictures.",
    "provenance": "Say where a picture comes from, and what of that is proved.",
    "validate": "Check flows and report every mistake with its place, before anything runs.",
    "fmt": "Write flows in the one style, with their comments, and without changing what they mean.",
    "test": "Run the tests of flows, on simulators and mocks, and say what of the flows they ran.",
    "plan": "Say what a run will cost, at least and at most, before it costs anything.",
    "inputs": "Show what a flow takes: its inputs, their types and defaults.",
    "graph": "Draw a flow: as Mermaid text, an SVG or a page, with what became of it in a run.",
    "convert": "Print the flow of this language that a document of another system becomes.",
    "explain": "Show the options of one step and where each comes from, or what a code means.",
    "config": "Show the settings that count for a folder or a file, and where each comes from.",
    "steps": "List the steps there are, or explain one.",
    "models": "List the image models that are known, or explain one: prices, sizes, options, last days.",
    "init": "Make the files of a new project: a flow, a module, tests, editor and CI settings.",
    "create": "Print a flow that shows some steps, with a comment on each of their keys.",
    "serve": "Serve pictures of your services by the images API, for any client of OpenAI.",
    "tokens": "Make, list and revoke the tokens by which clients may use a gateway.",
    "mcp": "Give flows to an agent as its tools, over standard input and output.",
    "simulate": "Serve a simulated images API on this machine, for trying flows free of charge.",
    "schema": "Write the JSON Schemas of flows and steps, for editors.",
    "docs": "Write the reference page of each step.",
    "completion": "Print what makes a shell complete commands, options, files and steps.",
}
"""The commands, each with its summary."""
_SYNONYMS = {"check": "validate", "lint": "validate", "format": "fmt"}
"""Words that others have for a command."""
_ELSEWHERE = {
    "list": "`flowdsl steps` lists the steps, `flowdsl inputs FILE` what a flow takes",
    "ls": "`flowdsl steps` lists the steps, `flowdsl inputs FILE` what a flow takes",
    "fix": "`flowdsl validate --fix` corrects mistakes",
    "new": "`flowdsl init` makes a project, `flowdsl create STEP` prints a flow to go on from",
    "generate": "`flowdsl image PROMPT` makes a picture, `flowdsl run FILE` the pictures of a flow",
}
"""Words that others have for what is here in another way, or not at all, with what there is."""

_HELP = """\
flowdsl: image-generation flows in YAML, checked before they cost money.

usage: flowdsl COMMAND …

commands:
{commands}

a flow, in a file such as skyline.flow.yaml:
  inputs:
    city: {{type: string, default: Lisbon}}
  flow:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: "The skyline of {{{{ inputs.city }}}}"
  outputs:
    pictures: "{{{{ flowContext.imageList }}}}"

examples:
  flowdsl validate skyline.flow.yaml
  flowdsl run skyline.flow.yaml --simulate
  flowdsl run skyline.flow.yaml -i city=Lisbon --out pictures

`flowdsl COMMAND --help` explains a command, `flowdsl --version` names the version.
exit codes: 0 done, 1 findings, 2 wrong usage, 3 a bug in flowdsl, 4 a failed run, 130 interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; never raises."""
    try:
        from flowdsl.cli.streams import steady_streams

        arguments = list(sys.argv[1:] if argv is None else argv)
        with steady_streams():
            try:
                code = _main(arguments, last=argv is None)
            except KeyboardInterrupt:
                code = _interrupted(argv)
    except KeyboardInterrupt:  # before that, or pressed again while the first one was handled
        return _interrupted(argv)
    if argv is None:
        from flowdsl.cli.garbage import end_process

        end_process(code)
    return code


def _main(arguments: list[str], *, last: bool) -> int:
    """The exit code.

    Raises:
        KeyboardInterrupt: Ctrl-C, of which nothing is said yet.
    """
    from flowdsl.cli.streams import UnwrittenOutput, stdout_at_stake

    try:
        code = _dispatch(arguments, last=last)
        if code >= 128:  # a signal has ended it, whatever is left in stdout
            return code
        with stdout_at_stake():
            return code
    except SystemExit as stop:  # argparse, after its own message
        return stop.code if isinstance(stop.code, int) else 0
    except BrokenPipeError:  # whoever read stdout has left
        return _failed()
    except UnwrittenOutput as error:
        sys.stderr.write(f"flowdsl: {error}\n")
        return _failed()
    except Exception as error:  # noqa: BLE001  the outer edge: whatever comes here is shown to the user
        from flowdsl.cli.failure import report_error

        return report_error(error)


def _failed() -> int:
    """The end of a command whose output is lost."""
    from flowdsl.cli.failure import FAILED

    return FAILED


def _interrupted(argv: Sequence[str] | None) -> int:
    """The end of a command that Ctrl-C has ended."""
    if TYPE_CHECKING:
        import signal as signals
    else:  # what is around it is imported for milliseconds, in which Ctrl-C may be pressed again
        import _signal as signals
    if signals.getsignal(signals.SIGINT) is signals.default_int_handler:
        try:  # noqa: SIM105  contextlib is imported for as long
            signals.signal(signals.SIGINT, signals.SIG_IGN)
        except ValueError:  # in another thread than the main one nobody presses it
            pass
    sys.stderr.write("interrupted\n")
    if argv is not None:  # the process goes on
        from flowdsl.cli.termination import heed_interrupts

        heed_interrupts()
    return INTERRUPTED


def _dispatch(arguments: list[str], *, last: bool) -> int:
    name = arguments[0] if arguments else ""
    if name in ("-h", "--help", "help"):
        print(_help(), end="")
        return 0
    if name in ("-V", "--version"):
        from flowdsl import __version__

        print(f"flowdsl {__version__}")
        return 0
    if name in _SYNONYMS:
        sys.stderr.write(f"flowdsl: `{name}` is called `{_SYNONYMS[name]}` here\n")
        name = _SYNONYMS[name]
    if name not in COMMANDS:
        sys.stderr.write(_unknown(name) if name else _help())
        return 2
    from importlib import import_module

    from flowdsl.cli.garbage import few_collections

    with few_collections(last=last):
        code: int = import_module(f"flowdsl.cli.{name}").main(arguments[1:])
    return code


def _help() -> str:
    import textwrap

    from flowdsl.cli.terminal import text_width

    columns = text_width(sys.stdout)
    commands = (
        textwrap.fill(summary, columns, initial_indent=f"  {name:10}  ", subsequent_indent=" " * 14)
        for name, summary in COMMANDS.items()
    )
    text = _HELP.format(commands="\n".join(commands))
    kept = (line if line.startswith(" ") else textwrap.fill(line, columns) for line in text.splitlines())
    return "\n".join(kept) + "\n"


def _unknown(name: str) -> str:
    from flowdsl.nearest import nearest

    if name.endswith((".yaml", ".yml")):
        return f"flowdsl: there is no command `{name}`; did you mean `flowdsl run {name}`?\n"
    if name in _ELSEWHERE:
        return f"flowdsl: there is no command `{name}`: {_ELSEWHERE[name]}\n"
    near = nearest(name, (*COMMANDS, *_SYNONYMS, "--version", "--help"))
    near = _SYNONYMS.get(near or "", near)
    near = near or next((command for command in COMMANDS if command.startswith(name[:3])), None)
    hint = f"did you mean `flowdsl {near}`?" if near else f"there are {', '.join(COMMANDS)}"
    kind = "option" if name.startswith("-") else "command"
    return f"flowdsl: there is no {kind} `{name}`; {hint}\n"
