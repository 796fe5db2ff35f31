"""`flowdsl tokens`: who may use the gateway of a project."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Sequence
from time import localtime, strftime
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, count, file_to_read, flag, usd
from flowdsl.cli.journaled import sum_of
from flowdsl.cli.streams import stdout_at_stake
from flowdsl.errors import UsageError
from flowdsl.nearest import nearest

if TYPE_CHECKING:
    from flowdsl.serve.tokens import Token, Tokens

EXAMPLES = (
    "flowdsl tokens create shop --models poster,draft --per-minute 30 --usd-per-day 5",
    "flowdsl tokens list",
    "flowdsl tokens change shop --usd-per-day 10",
    "flowdsl tokens revoke shop",
)
ACTIONS = {
    "create": "make a token, which is shown once",
    "list": "the tokens, and what each may",
    "change": "let one do something else, from its next request on",
    "revoke": "end one",
}
_MEANT = {
    **dict.fromkeys(("add", "new", "make", "issue"), "create"),
    **dict.fromkeys(("delete", "remove", "rm", "end", "drop"), "revoke"),
    **dict.fromkeys(("show", "ls", "all"), "list"),
    **dict.fromkeys(("update", "edit", "set", "raise", "modify", "renew"), "change"),
}
"""Words that people have for the actions."""
_LIMITS = ("models", "per_minute", "usd_per_day", "days")
_DAYS = 366 * 100


def main(arguments: Sequence[str]) -> int:
    """The exit code."""
    options = parser().parse(arguments)
    action, name = options.action, options.name
    if action not in ACTIONS:
        near = _MEANT.get(action) or nearest(action, ACTIONS)
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(ACTIONS)}"
        hint = "`flowdsl tokens list` shows all" if near == "list" and name is not None else hint
        raise UsageError(f"`flowdsl tokens` knows no `{action}`: {hint}")
    if action == "list" and name is not None:
        raise UsageError("`flowdsl tokens list` takes no name: it lists all")
    if action != "list" and name is None:
        raise UsageError(f"say for whom: `flowdsl tokens {action} NAME`")
    given = [each for each in _LIMITS if getattr(options, each) is not None]
    if action not in ("create", "change") and given:
        raise UsageError(
            f"--{given[0].replace('_', '-')} goes with `flowdsl tokens create` and `flowdsl tokens change`"
        )
    if action == "change" and not given:
        options_of = ", ".join(f"--{each.replace('_', '-')}" for each in _LIMITS)
        raise UsageError(f"say what `{name}` may from now on, by {options_of}")
    from flowdsl.journal.place import state_folder
    from flowdsl.serve.tokens import Tokens
    from flowdsl.settings.files import named_file, project_file
    from flowdsl.settings.mistakes import Mistakes
    from flowdsl.settings.said_tokens import said_tokens

    settings = project_file("<tokens>") if options.config is None else named_file(options.config)
    state = state_folder(os.environ, None if settings is None else settings[0])
    said = {}
    if settings is not None and action in ("list", "change"):  # one can be revoked whatever is wrong with settings
        mistakes = Mistakes()
        said = said_tokens(settings[0], settings[1].get("tokens"), mistakes)
        mistakes.check()
    tokens = Tokens(state, said=said, config=options.config)
    if action == "create":
        return _create(tokens, options)
    if action == "change":
        return _change(tokens, options)
    if action == "revoke":
        tokens.revoke(name)
        print(f"`{name}` is revoked")
        return 0
    return _list(tokens, options)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    actions = "; ".join(f"{name}: {text}" for name, text in ACTIONS.items())
    parser = Parser("tokens", COMMANDS["tokens"], EXAMPLES)
    parser.add_argument("action", nargs="?", default="list", metavar="ACTION", help=actions)
    parser.add_argument("name", nargs="?", metavar="NAME", help="whose token it is")
    parser.add_argument("--models", metavar="A,B", help="the models and flows that it is for (default: all)")
    parser.add_argument("--per-minute", type=count, metavar="N", help="how many requests a minute it may send")
    parser.add_argument("--usd-per-day", type=usd, metavar="X", help="how much it may spend in a day")
    parser.add_argument("--days", type=count, metavar="N", help="how many days it is good for (default: for good)")
    parser.add_argument(
        "--config", type=file_to_read, metavar="FILE", help="the settings file of the gateway (default: the project's)"
    )
    flag(parser, "--json", help="print the tokens as JSON, without what they are")
    return parser


def _may(options: Namespace) -> dict[str, Any]:
    """What a token is to be let do, by the options."""
    models = None
    if options.models is not None:
        models = tuple(filter(None, map(str.strip, options.models.split(","))))
        if not models:
            raise UsageError("--models names no model: write for example --models poster,draft")
    for name in ("per_minute", "days"):
        if getattr(options, name) == 0:
            raise UsageError(f"--{name.replace('_', '-')} 0 lets nothing through: write a number from 1 on")
    if options.days is not None and options.days > _DAYS:
        raise UsageError(f"--days {options.days} is longer than a token lasts: write at most {_DAYS}, or leave it out")
    return {**{name: getattr(options, name) for name in _LIMITS}, "models": models}


def _change(tokens: Tokens, options: Namespace) -> int:
    tokens.change(options.name, **_may(options))
    found = next(token for token in tokens.all() if token.name == options.name)
    print(_line(tokens, found))
    for name in ("per_minute", "usd_per_day"):
        wanted = getattr(options, name)
        if wanted is not None and getattr(found, name) != wanted:
            sys.stderr.write(f"flowdsl: {name} below [tokens.{found.name}] of the settings is lower, and counts\n")
    return 0


def _create(tokens: Tokens, options: Namespace) -> int:
    may = _may(options)
    with stdout_at_stake():
        text = tokens.create(options.name, **may)
        try:
            print(text, flush=True)
        except OSError:  # nobody has seen it, and nobody can see it again
            tokens.revoke(options.name)
            raise
    sys.stderr.write("flowdsl: keep it now: it is not shown again\n")
    return 0


def _list(tokens: Tokens, options: Namespace) -> int:
    found = tokens.all()
    if options.json:
        print(json.dumps([_facts(token) for token in found], indent=2))
        return 0
    if not found:
        print("there are no tokens" + (": nobody is let in" if tokens.required else ""))
    for token in found:
        print(_line(tokens, token))
    return 0


def _line(tokens: Tokens, token: Token) -> str:
    """A token, and what it may."""
    over = "over" if tokens.is_over(token) else f"until {_day(token.expires)}" if token.expires else ""
    rate = f"{token.per_minute} a minute" if token.per_minute else ""
    money = f"{sum_of(token.usd_per_day)} a day" if token.usd_per_day else ""
    models = "all models" if token.models is None else ", ".join(token.models or ("no model",))
    facts = filter(None, (f"made {_day(token.created)}", over, models, rate, money))
    return f"{token.name}: {'; '.join(facts)}"


def _day(seconds: float) -> str:
    return strftime("%Y-%m-%d", localtime(seconds))


def _facts(token: Token) -> dict[str, object]:
    return {name: getattr(token, name) for name in token._fields if name not in ("digest", "id")}
