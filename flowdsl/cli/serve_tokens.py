"""What `flowdsl serve` says of the tokens of a gateway before it serves: who would be let in, and what they lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from flowdsl.serve.hosts import is_loopback

if TYPE_CHECKING:
    from flowdsl.serve.tokens import Tokens
    from flowdsl.settings.serving import Serving


def without_tokens(host: str, tokens: Tokens) -> Iterator[str]:
    """What is wrong with listening at an address that others reach, where there is no token."""
    if not is_loopback(host) and not tokens.all():
        yield (
            f"on `{host}` everybody who reaches the port could spend your money: a gateway without tokens listens on "
            f"this machine alone, `--host 127.0.0.1`; {tokens.command('create')} makes a token"
        )


def doubts(tokens: Tokens, said: Serving, is_served: Callable[[str], object]) -> Iterator[str]:
    """What of the tokens there are does not go with what settings say and with what is served."""
    found = tokens.all()
    for name in sorted(said.tokens.keys() - {token.name for token in found}):
        yield f"there is no token `{name}` yet: {tokens.command('create', name)} makes it"
    for token in found:
        if tokens.is_over(token):
            ends, makes = tokens.command("revoke", token.name), tokens.command("create", token.name)
            yield f"the token `{token.name}` is over: {ends} removes it, {makes} makes a new one"
        elif unserved := [each for each in token.models or () if not is_served(each)]:
            what = "a name that is" if len(unserved) == 1 else "names that are"
            listed = ", ".join(f"`{each}`" for each in unserved)
            yield f"the token `{token.name}` is for {what} not served: {listed}"
