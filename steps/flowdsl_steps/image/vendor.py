"""Vendor: what is said once for each vendor of pictures, and all that the rest knows of it.

A vendor is one file with one object, named by an entry point of the group `flowdsl.image_vendors`. It turns an
`ImageRequest` into HTTP and the HTTP response into pictures and figures. Waiting, deadlines, resends, limits and money
are the sender's.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.record import Record
from flowdsl.secrets.plain import REVEALING

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel
    from flowdsl.image.store import ImageStore
    from flowdsl.step.problem import Problem
    from flowdsl.step.service import Service
    from flowdsl.step.spec import Key
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.failure import Failure
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.resolved_model import ResolvedModel
    from flowdsl_steps.image.response import ResponseReader


_REASONS = frozenset({400, 401, 402, 403, 404, 405, 413, 415, 422})
"""With these a vendor refuses a request, and a text beside it says why; with others it may be a proxy's."""


_HOST_NAME = r"[a-z0-9.-]+"


class Endpoint(Record):
    """The address and headers of the requests of one service, and what an error message may say about them.

    `label` is the model or the deployment that is asked for, `model` what the body names (None: the address already
    does). `sign`, where a vendor wants its requests signed or a token that expires, makes further headers for each
    attempt. `secrets` are texts that no message may hold. `body` is what settings of the service entry add to the body
    of each request, in the words of the vendor.
    """

    service: str
    url: str
    headers: Mapping[str, str]
    label: str
    model: str | None = None
    key_source: str = ""
    not_found_hint: str | None = None
    secrets: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    sign: Callable[[HttpRequest], Awaitable[Mapping[str, str]]] | None = None
    body: Mapping[str, Any] = {}

    def __repr__(self) -> str:
        return f"<Endpoint {self.service} {self.shown_url}>"

    @property
    def shown_url(self) -> str:
        """The address without its query, which may hold a key."""
        return self.url.partition("?")[0]

    def knowing(self, signed: Mapping[str, str]) -> Endpoint:
        """The same with what a signature or a token is made of among the texts that no message may hold."""
        texts = (value.removeprefix("Bearer ") for value in signed.values())
        new = tuple(text for text in texts if len(text) >= REVEALING and text not in self.secrets)
        return self._replace(secrets=(*self.secrets, *new)) if new else self

    @property
    def paced_as(self) -> str:
        """What tells its pace from that of others: requests of one entry to one address."""
        return f"{self.service} {self.shown_url}"

    @property
    def host(self) -> str:
        """Host and port of the address."""
        from urllib.parse import urlsplit

        return urlsplit(self.url).netloc

    @property
    def host_name(self) -> str:
        """Host of the address."""
        from urllib.parse import urlsplit

        return urlsplit(self.url).hostname or ""


class Head(Record):
    """Status and headers of an HTTP response."""

    status: int
    headers: Mapping[str, str]


class Poll(Record):
    """What to ask next, and after how many seconds, until a picture that was ordered is there.

    `kept` is what the response before holds of the result already, such as its usage, or some of the pictures: what
    comes is added to it. `is_made`: the picture is there already, so that a response without one is a failure.
    """

    request: HttpRequest
    after_s: float = 1.0
    kept: Received | None = None
    is_made: bool = False


class Comparison(Record):
    """What came of comparing facts with a client: in words, and whether something differs that nobody has explained."""

    text: str
    differs: bool


class Vendor(Protocol):
    """One vendor. Subclass it: what is filled in here is right for most.

    The module is imported while flows are checked, so it imports nothing heavy; `decode` imports what it needs.
    """

    name: str
    """What `provider:` of a service entry says; the entry point's name."""
    title: str
    """The vendor's name in words."""
    watched_as: str | None = None
    """What `gen_ai.provider.name` of OpenTelemetry's conventions calls it, where that is not its name."""
    hosts: tuple[str, ...] = ()
    """The vendor's own hosts. One that begins with a dot stands for all under it, a `*` for letters, digits
    and hyphens."""
    settings: tuple[Key, ...] = ()
    """Settings of a service entry beyond the common ones."""
    other_names: Mapping[str, str] = {}
    """Names that others have for these settings → the setting."""
    environment: Mapping[str, tuple[str, ...]] = {}
    """Setting → the environment variables that give it, the first one set."""
    deployment_setting: str | None = None
    """The setting that names what is asked where an account gives models names of its own."""
    family: str | None = None
    """Vendors of one family speak the same protocol: at the host of one of them, that one's rules count."""
    is_gateway: bool = False
    """Whether others' models are reached through it, at an address of anybody's."""

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterable[Problem]:
        """What of a request would be refused, dropped or changed. It is asked when a flow is checked, before anything
        is sent; a problem's `key` is the option's name."""
        ...

    def images_per_request(self, request: ImageRequest, endpoint: Endpoint) -> int:
        """The most pictures that one HTTP request may ask for."""
        return max(1, request.n)

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """Where a request goes.

        Raises:
            ConfigError: the service entry lacks or breaks something.
        """
        ...

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """The HTTP request: JSON, multipart or whatever the vendor takes. The headers of the endpoint are added by the
        sender. It is called for each attempt."""
        ...

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """The reader of a successful response; no picture may have more than `limit` bytes."""
        ...

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """What to ask next, at a vendor that takes an order and makes the picture later; None when it is there."""
        return None

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """What the vendor says in a body that is an error: with a status that is no success, or inside one that is.
        None when the body is not the vendor's."""
        from flowdsl_steps.image.failure import read_error

        is_reason = head.status in _REASONS and head.headers.get("content-type", "").lower().startswith("text/plain")
        return read_error(body, plain=is_reason)

    def most(self, request: ImageRequest, endpoint: Endpoint) -> float | None:
        """The most that a request can cost in USD, said before it is sent; None when that is not known."""
        return None

    def least(self, request: ImageRequest, endpoint: Endpoint) -> float:
        """The least that a request costs in USD when it brings all that it asks for; 0 when that is not known."""
        return 0.0

    def cost(self, request: ImageRequest, endpoint: Endpoint, received: Received) -> float | None:
        """What a request cost in USD, or None when nothing says it."""
        return received.cost_usd

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """What is known of the vendor's models on a day (today when absent), the newest first: what `flowdsl models`
        shows."""
        return ()

    def compared(self) -> Comparison | None:
        """How what is known of the models differs from what the vendor's own client says that is installed: what
        `flowdsl models --compare` prints. None for a vendor that is not compared."""
        return None

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """The settings that make the simulator at `url` stand in. The simulator draws for any vendor behind `/any`, in
        OpenAI's protocol; a vendor that the simulator speaks says its own address."""
        return {"protocol": "openai", "endpoint": f"{url}/any/v1", "apiKey": key}


def is_host_of(vendor: Vendor, host: str) -> bool:
    """Whether a host name (lower case) is one of the vendor's own. An address with a zone, or signs that whoever is on
    the way may read as the end of a name, is nobody's, whatever it ends in."""
    return _is_one_of(tuple(vendor.hosts), host)


@lru_cache(maxsize=1024)
def _is_one_of(hosts: tuple[str, ...], host: str) -> bool:
    """Each request asks that of every vendor."""
    return re.fullmatch(_HOST_NAME, host) is not None and _pattern(hosts).fullmatch(host) is not None


@lru_cache(maxsize=256)
def _pattern(hosts: tuple[str, ...]) -> re.Pattern[str]:
    """What the hosts of a vendor are called."""
    before = {own: ".*" if own[0] == "." else "" for own in hosts}
    names = (before[own] + re.escape(own).replace(r"\*", "[a-z0-9-]+") for own in hosts)
    return re.compile("|".join(names) or "(?!)")
