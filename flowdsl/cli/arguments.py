"""Arguments of the commands: one kind of parser, and the values that several commands take."""

from __future__ import annotations

import argparse
import stat
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from flowdsl.cli.terminal import text_width
from flowdsl.nearest import nearest

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from datetime import date
    from typing import Any, NoReturn

STDOUT = "-"
"""What stands for stdout in the place of a file to write, as it does for stdin in that of one to read."""
_SHOWN = 600
_LONGEST_NAME = 200
_LONGEST_PATH = 4096
_MOST_DIGITS = 18
_LEAST_USD = 0.000001


class Parser(argparse.ArgumentParser):
    """The parser of one command: short errors with the nearest option, examples under the help."""

    of_a_further_word = ""
    """What is said of a word that the command does not take, behind that."""
    instead: Mapping[str, str] | None = None
    """What is said of options that people look for and that are none of the command's."""

    def __init__(self, command: str, summary: str, examples: Sequence[str], *, add_help: bool = True) -> None:
        lines = "".join(f"\n  {example}" for example in examples)
        with _untranslated():
            super().__init__(
                prog=f"flowdsl {command}",
                description=summary,
                epilog=f"examples:{lines}",
                formatter_class=_Format,
                allow_abbrev=False,
                add_help=add_help,
            )
        self.color = False  # of the argparse of 3.14: what is printed is shown, also what would color it
        self._wrong: list[str] = []

    def parse(self, arguments: Sequence[str]) -> argparse.Namespace:
        """The options; ends the process with exit code 2 for those that do not exist."""
        if any("\0" in text for text in arguments):
            self.error("an argument holds a NUL character, which no name and no text here may have")
        options, unknown = self.parse_known_args(arguments)
        if unknown:
            self.error(f"unknown argument `{unknown[0]}`{self._meant(unknown[0], arguments, options)}")
        if self._wrong:
            self.error("")
        return options

    def _get_value(self, action: argparse.Action, arg_string: str) -> Any:
        """The value of an argument. One that is none is told when all are read, with all others."""
        try:
            return super()._get_value(action, arg_string)
        except argparse.ArgumentError as error:
            self._wrong.append(str(error))
            return None

    def _meant(self, word: str, arguments: Sequence[str], options: argparse.Namespace) -> str:
        known = self._option_string_actions
        if not word.startswith("-") and "=" in word and "-i" in known:
            return f"; did you mean `-i {word}`?"
        instead = (self.instead or {}).get(word.partition("=")[0])
        if instead is not None:
            return f"; {instead}"
        from flowdsl.cli.meant_options import means_one_input, meant_option, meant_word

        command, file = self.prog.rpartition(" ")[2], getattr(options, "file", None)
        if not word.startswith("-"):
            return meant_word(command, word, file) or self.of_a_further_word
        near = nearest(word.partition("=")[0], known)
        if near is not None and not ("-i" in known and means_one_input(word, arguments)):
            return f"; did you mean `{near}`?"
        said = meant_option(command, word, arguments, known, file)
        return f"; {said}" if said else ""

    def error(self, message: str) -> NoReturn:
        """Prints what is wrong, with the values that are, and where to read more, and exits with 2."""
        wrong = [cut(each) for each in (*self._wrong, message) if each]
        said = wrong[0] if len(wrong) == 1 else "\n  ".join([f"{len(wrong)} arguments are wrong:", *wrong])
        self.exit(2, f"{self.prog}: {said}\n`{self.prog} --help` explains the command\n")


@contextmanager
def _untranslated() -> Iterator[None]:
    """Within it argparse looks for no translations: every parser would look through folders of the system for them, and
    find none that go with the rest of what is said here."""
    translate = argparse._  # type: ignore[attr-defined]
    argparse._ = str  # type: ignore[attr-defined]
    try:
        yield
    finally:
        argparse._ = translate  # type: ignore[attr-defined]


class _Format(argparse.HelpFormatter):
    """Help as wide as the terminal; argparse would import shutil on every start to ask for its width.

    Texts of several lines, such as examples, stay as they are.
    """

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=text_width(sys.stdout))

    if sys.version_info[:2] == (3, 14):  # which imports dataclasses and more on every start, for the colors of a help
        _colored: tuple[Any, ...] = (True,)

        def _set_color(self, *asked: Any) -> None:
            self._colored = asked

        def __getattr__(self, name: str) -> Any:
            if name not in ("_theme", "_decolor"):
                raise AttributeError(name)
            super()._set_color(*self._colored)
            return vars(self)[name]

    def _fill_text(self, text: str, width: int, indent: str) -> str:
        if "\n" in text:
            return "".join(f"{indent}{line}" for line in text.splitlines(keepends=True))
        return super()._fill_text(text, width, indent)


def cut(message: str) -> str:
    """A message without the middle of what it quotes, where that would fill the terminal."""
    return message if len(message) <= 2 * _SHOWN else f"{message[:_SHOWN]}…{message[-_SHOWN:]}"


def day(text: str) -> date:
    """A day, `2026-11-21`."""
    from datetime import date

    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"`{text}` is not a day; write it like 2026-11-21") from None


def seconds(text: str) -> float:
    """A time in seconds, more than nothing."""
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not (text.isascii() and 0 < value < float("inf")):
        raise argparse.ArgumentTypeError(f"`{text}` is not a time in seconds, such as 90")
    return value


def count(text: str) -> int:
    """A whole number from 0 on."""
    if text.isascii() and text.isdigit():
        if len(text) <= _MOST_DIGITS:
            return int(text)
        raise argparse.ArgumentTypeError(f"`{text}` is more than is counted here: write at most {_MOST_DIGITS} digits")
    raise argparse.ArgumentTypeError(f"`{text}` is not a whole number from 0 on, such as 20")


def usd(text: str) -> float:
    """A sum in USD, more than nothing."""
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = 0.0
    if not (text.isascii() and 0 < value < float("inf")):
        raise argparse.ArgumentTypeError(f"`{text}` is not a sum in USD, such as 2.50")
    if value < _LEAST_USD:
        raise argparse.ArgumentTypeError(f"`{text}` is less than anything costs: write {_LEAST_USD:f} or more")
    return value


def port(text: str) -> int:
    """A TCP port; 0 stands for a free one."""
    if text.isascii() and text.isdigit() and len(text) < 6 and int(text) < 65536:
        return int(text)
    number = text.rpartition(":")[2]
    if ":" in text and number.isascii() and number.isdigit():
        raise argparse.ArgumentTypeError(f"`{text}` is not a port; write the number alone, such as {number}")
    raise argparse.ArgumentTypeError(f"`{text}` is not a port; write a number up to 65535, or 0 for a free one")


def address(text: str) -> str:
    """The address of an endpoint."""
    from flowdsl.step.sendable import address_problem

    if text.partition("://")[0] not in ("http", "https") or address_problem(text) is not None:
        raise argparse.ArgumentTypeError(f"`{text}` is not a web address, such as https://images.example.com")
    return text


def add_allow_endpoint(parser: Parser) -> None:
    """Adds `--allow-endpoint URL`."""
    parser.add_argument(
        "--allow-endpoint",
        action="append",
        default=[],
        type=address,
        metavar="URL",
        help="let keys of the environment go to this address; may be repeated",
    )


def add_as_of(parser: Parser) -> None:
    """Adds `--as-of DAY`."""
    parser.add_argument("--as-of", type=day, metavar="DAY", help="check the life dates of models as of this day")


def add_exclude(parser: Parser) -> None:
    """Adds `--exclude GLOB`."""
    parser.add_argument(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="leave out files and folders inside the given ones, such as drafts or flows/*/old; may be repeated",
    )


def add_stdin_filename(parser: Parser) -> None:
    """Adds `--stdin-filename PATH`."""
    parser.add_argument(
        "--stdin-filename",
        metavar="PATH",
        help="the file that - stands for, such as an unsaved one: what lies beside it is found, and findings name it",
    )


def check_stdin_filename(name: str | None, paths: Sequence[str]) -> None:
    """Refuses a name for standard input where none of the paths is `-`.

    Raises:
        UsageError: nothing would go by that name.
    """
    if name is not None and "-" not in paths:
        from flowdsl.errors import UsageError

        raise UsageError("--stdin-filename goes with -: it names what is read from standard input")
    if name is not None and not _names_file(name):
        from flowdsl.errors import UsageError

        raise UsageError(f"--stdin-filename: `{name}` is not a name that a file can have")


def _names_file(name: str) -> bool:
    import errno
    import os

    try:
        return not stat.S_ISDIR(os.stat(name).st_mode)  # noqa: PTH116  pathlib is slow to import
    except OSError as error:
        return (
            bool(name)
            and not name.endswith("/")
            and error.errno not in (errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR)
        )


def file_name(text: str) -> str:
    """The name of a file or folder, which is not empty."""
    if not text:
        raise argparse.ArgumentTypeError("the name is empty")
    if len(text) > _LONGEST_PATH:
        raise argparse.ArgumentTypeError(f"`{text[:40]}…` is longer than a path can be")
    return text


def folder_name(text: str) -> str:
    """The name of a folder to write to, which stdout cannot be."""
    if text == "-":
        said = "`-` stands for stdout, and what is written here is a folder of files"
        raise argparse.ArgumentTypeError(f"{said}: name one; `./-` is a folder of that name")
    return file_name(text)


def file_to_read(text: str) -> str:
    """The name of a file that is read where it lies, which stdin cannot be."""
    if text == "-":
        said = "`-` stands for stdin, and this is read from a file"
        raise argparse.ArgumentTypeError(f"{said}: name one; `./-` is a file of that name")
    return file_name(text)


def written_file(text: str) -> str | None:
    """The name of a file for what goes to stdout without one; None for `-`, which is stdout as elsewhere."""
    return None if text == STDOUT else file_name(text)


def one_of(*names: str) -> Callable[[str], str]:
    """The type of an option that takes one of a few words."""

    def choose(text: str) -> str:
        if text in names:
            return text
        near = nearest(text, names)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(names)}"
        raise argparse.ArgumentTypeError(f"`{text}` is not known; {hint}")

    choose.words = names  # type: ignore[attr-defined]  # for completion
    return choose


def pair(text: str, form: str = "NAME=VALUE") -> tuple[str, str]:
    """`name=value`, or whatever the `form` calls the two."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        more = f", such as `{form.partition('=')[0]}={text}`" if text.startswith("@") else ""
        raise argparse.ArgumentTypeError(f"`{text}` is not {form}{more}")
    if len(name) > _LONGEST_NAME:
        raise argparse.ArgumentTypeError(f"`{name[:40]}…` is longer than a name can be")
    return name.strip(), value


def mapping(text: str) -> tuple[str, str]:
    """An input, and the field of a record that it comes from."""
    return pair(text, "INPUT=FIELD")


def flag(parser: Parser, *names: str, help: str) -> None:
    """Adds an option without a value."""
    options: dict[str, Any] = {"action": "store_true", "help": help}
    parser.add_argument(*names, **options)
