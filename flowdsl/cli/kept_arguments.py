"""The arguments of a command as a journal keeps them: without secrets, which are given again when it is resumed."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import Collection, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError
from flowdsl.secrets.given import given_secrets, secrets_of
from flowdsl.secrets.plain import HIDDEN, keys_in

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow

_PROMPT = "prompt"
"""The input that the prompt of `flowdsl image` is."""


def secret_names(flow: Flow, values: Mapping[str, Any]) -> set[str]:
    """Those of the values of inputs that nobody is to read back: by the input's schema, or by what they are."""
    declared = flow.document.inputs or {}
    known = secrets_of(flow._settings.services.environ)
    return {
        name
        for name, value in values.items()
        if (name in declared and declared[name].schema.get("writeOnly") is True)
        or next(given_secrets({name: value}, known), None) is not None
    }


def tags_of(options: Namespace, flow: Flow) -> dict[str, str]:
    """The tags of a run, which stand where everybody reads them.

    Raises:
        UsageError: one is a secret, or has two values.
    """
    tags = dict(options.tag)
    if len(tags) < len(options.tag):
        twice = next(name for name in tags if sum(each == name for each, _ in options.tag) > 1)
        raise UsageError(f"--tag {twice} is given twice: a tag has one value, so give the other a name of its own")
    for name in secret_names(flow, tags) if tags else ():
        raise UsageError(f"--tag {name}: its value is a secret, and a tag stands in the journal and in manifest.json")
    return tags


def kept_arguments(options: Namespace, flow: Flow) -> tuple[list[str], list[str]]:
    """The arguments of a command without secrets, and the names of the inputs among them that held one. What stands in
    a file is read again there."""
    argv: list[str] = list(options.argv)
    secret: dict[str, list[tuple[str, str]]] = {}
    for option in ("input", "kv", "set"):
        pairs = [(name, text) for name, text in getattr(options, option, ()) if not _is_file(option, text)]
        secret[option] = [pair for pair in pairs if secret_names(flow, dict([pair]))]
    for name, text in (pair for pairs in secret.values() for pair in pairs):
        written = f"{name}={text}"
        argv = [f"{each.removesuffix(written)}{name}={HIDDEN}" if each.endswith(written) else each for each in argv]
    for key in (key for address in options.allow_endpoint for key in keys_in(address)):
        argv = [each.replace(key, HIDDEN) if "://" in each else each for each in argv]
    return argv, list(dict.fromkeys(name for name, _ in secret["input"]))


def give_again(kept: Namespace, given: Namespace, hidden: Collection[str], id: str) -> None:
    """Puts the inputs and values that are `given` with a resume into the place of those that were kept. On a terminal
    those that are missing are asked for; `hidden` are the inputs that held a secret.

    Raises:
        UsageError: one held a secret, and is not given again.
    """
    is_image = hasattr(kept, _PROMPT)
    if is_image:
        kept.input = [(_PROMPT, kept.prompt)]
    lost = [name for name, text in getattr(kept, "set", ()) if HIDDEN in text]
    if lost:
        raise UsageError(f"--set {lost[0]} held a secret, which no journal keeps: `flowdsl image` begins anew")
    for option, mark in (("input", "-i"), ("kv", "--kv")):
        again = dict(getattr(given, option))
        were = [(name, text) for name, text in getattr(kept, option) if name not in again]
        missing = [name for name, text in were if HIDDEN in text and (option == "kv" or name in hidden)]
        again |= _asked(dict.fromkeys(missing), mark, id)
        setattr(kept, option, [*(pair for pair in were if pair[0] not in missing), *again.items()])
    if is_image:
        kept.prompt = dict(kept.input)[_PROMPT]


def _asked(names: Iterable[str], mark: str, id: str) -> dict[str, str]:
    names = list(names)
    if not names:
        return {}
    if not (sys.stdin.isatty() and sys.stderr.isatty()):
        more = " ".join(f"{mark} {name}=…" for name in names)
        raise UsageError(f"{', '.join(names)} held a secret, which no journal keeps: flowdsl resume {id[:13]} {more}")
    from getpass import getpass

    said = {name: getpass(f"{name} held a secret, which no journal keeps; give it again: ") for name in names}
    return {name: f"@{text}" if mark == "-i" and text.startswith("@") else text for name, text in said.items()}


def _is_file(option: str, text: str) -> bool:
    """Whether a value stands in a file that is named in its place."""
    return option == "input" and text.startswith("@") and not text.startswith("@@")
