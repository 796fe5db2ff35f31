"""Secrets that a flow has in plain: in its files, and in what its host lets templates read. Nobody marked them, and a
run hides them all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.secrets.given import given_secrets, secrets_of
from flowdsl.secrets.plain import keys_in

if TYPE_CHECKING:
    from flowdsl.document.document import Document
    from flowdsl.host import Host


class PlainSecrets(NamedTuple):
    """`own` are those of the flow and its host; `environ` what variables hold as secrets, which is hidden where an
    input repeats it."""

    own: tuple[str, ...]
    environ: tuple[str, ...]

    def with_inputs(self, inputs: Mapping[str, Any]) -> list[str]:
        """Those of a run with these inputs."""
        return [*self.own, *given_secrets(inputs, self.environ)]


def plain_secrets_of(document: Document, host: Host, environ: Mapping[str, str]) -> PlainSecrets:
    """What a flow has in plain."""
    sources = {id(source): source for step in document.every_step() if (source := step.node.source)}
    sources[id(document.source)] = document.source
    known = tuple(secrets_of(environ))
    found = dict.fromkeys(key for source in sources.values() for key in keys_in(source.text))
    for values in (host.kv, host.variables, {name: environ[name] for name in host.env if name in environ}):
        found |= dict.fromkeys(given_secrets(values, known))
    return PlainSecrets(tuple(found), known)
