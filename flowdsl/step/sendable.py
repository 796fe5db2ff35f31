"""What can be sent over HTTP: addresses, names and values of headers. Steps and the check judge by the same rules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from flowdsl.step.problem import Problem, show
from flowdsl.step.spec import is_templated

_OWN = frozenset({"connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"})
# Source: RFC 9110, 5.6.2 (token) and 5.5 (field values).
_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  of the grammar
_CONTROL = r"[\x00-\x08\x0a-\x1f\x7f]|[^\x00-\xff]"
_LONGEST_LABEL = 63


class Unsendable(NamedTuple):
    """Why something cannot be sent, and what to do."""

    message: str
    hint: str | None = None


NO_SUCH_NAME = Unsendable("no host has such a name", "write the name of the host as in `https://images.example/v1`")


def setting_problem(key: str, value: Any) -> Problem | None:
    """What is wrong with the `endpoint` or the `headers` of a service entry, as far as they are known."""
    if key == "endpoint" and isinstance(value, str) and (found := address_problem(value.strip())) is not None:
        message = f"`endpoint` is {show(value)}, which is no web address: {found.message}"
        return Problem("wrong-pattern", message, key=key, hint=found.hint)
    for name, header in value.items() if key == "headers" and isinstance(value, Mapping) else ():
        if isinstance(header, str) and is_templated(header):
            header = None
        if (found := header_problem(name, header, "flowdsl")) is not None:
            return Problem("invalid-header", found.message, key=key, hint=found.hint, inside=(name,))
    return None


def header_problem(name: Any, value: Any, sets: str) -> Unsendable | None:
    """What is wrong with one of the `headers`, or None; `sets` is who sends them and sets some itself."""
    if not re.fullmatch(_TOKEN, str(name)):
        return Unsendable(f"`headers` has the name {str(name)!r}, which no header can have")
    if str(name).lower() in _OWN:
        return Unsendable(f"`headers` has `{name}`, which {sets} sets itself", "leave it out")
    if value is None:
        return None
    from flowdsl.template import to_text

    if re.search(_CONTROL, to_text(value).strip()):
        return Unsendable(f"the header `{name}` holds a character that a header cannot")
    return None


def address_problem(address: str) -> Unsendable | None:
    """Why nothing can be reached at an http or https address, or None. The message goes on after the address."""
    from urllib.parse import urlsplit

    if re.search(r"[\x00-\x20\x7f]", address):
        return Unsendable("it holds a blank or a character that no address has", "remove it")
    brackets = "write an IPv6 address in brackets: `http://[::1]:8080/v1`"
    try:
        parts = urlsplit(address)
        host = parts.hostname or ""
    except ValueError:
        return Unsendable("its brackets hold no IPv6 address", brackets)
    if "[" not in parts.netloc and parts.netloc.rpartition("@")[2].count(":") > 1:
        return Unsendable("it has more than one `:` behind its host", brackets)
    try:
        known = parts.port is None or parts.port > 0
    except ValueError:
        known = False
    if not known:
        return Unsendable("its port is no number up to 65535", "write the port as a number: `http://localhost:8080/v1`")
    if ":" not in host and not _is_name(host.removesuffix(".")):
        return NO_SUCH_NAME
    return None


def _is_name(host: str) -> bool:
    labels = host.split(".")
    if not all(0 < len(label) <= _LONGEST_LABEL for label in labels):
        return False
    if host.isascii():
        return all(re.fullmatch(r"[a-z0-9_%~!$&'()*+,;=-]+", label) for label in labels)
    try:
        host.encode("idna")
    except UnicodeError:
        return False
    return True
