"""The one edge to the code of somebody else's vendor: what it raises, and what it gives, is what `Vendor` says, or an
error that names the plugin. Our own vendors are asked directly.

What was sent may be paid for. So a fact of a response that is none, such as a cost below nothing, costs nobody a
picture: it counts as unknown, and a note says so.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from types import CoroutineType
from typing import TYPE_CHECKING, Any, TypeVar, get_args

from flowdsl.diagnostics import gravity
from flowdsl.errors import FlowError, PluginError, in_words
from flowdsl.image.image import Image
from flowdsl.step.problem import Problem
from flowdsl.step.sendable import header_problem
from flowdsl_steps.http.multipart import Multipart
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.image.failure import Failure, RetryClass
from flowdsl_steps.image.received import MOST_PICTURES, BrokenResponse, LinkedImage, Received
from flowdsl_steps.image.vendor import Endpoint, Poll, Vendor

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.image.known_model import KnownModel
    from flowdsl.image.store import ImageStore
    from flowdsl.step.service import Service
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.resolved_model import ResolvedModel
    from flowdsl_steps.image.response import ResponseReader
    from flowdsl_steps.image.vendor import Head

T = TypeVar("T")
Fits = Callable[[Any], bool]
_LONGEST_POLL_S = 900.0


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _text_or_none(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _texts(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_text, value))


def _amount(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value) and value >= 0


def _amount_or_none(value: Any) -> bool:
    return value is None or _amount(value)


def _map(value: Any) -> bool:
    return isinstance(value, Mapping) and all(map(_text, value))


def _map_or_none(value: Any) -> bool:
    return value is None or _map(value)


def _headers(value: Any) -> bool:
    return _map(value) and all(
        isinstance(text, (str, bytes)) and header_problem(name, _shown(text), "") is None
        for name, text in value.items()
        if name.lower() not in _SET_BY_VENDORS
    )


def _shown(text: str | bytes) -> str:
    return text.decode("latin-1") if isinstance(text, bytes) else text


_SET_BY_VENDORS = frozenset({"content-type", "content-length", "host", "accept", "user-agent"})


def _web_address(value: Any) -> bool:
    from flowdsl.step.sendable import address_problem

    return _text(value) and value.startswith(("http://", "https://")) and address_problem(value) is None


_ENDPOINT: Mapping[str, Fits] = {
    "service": _text,
    "url": _web_address,
    "headers": _headers,
    "label": _text,
    "model": _text_or_none,
    "key_source": _text,
    "not_found_hint": _text_or_none,
    "secrets": _texts,
    "notes": _texts,
    "sign": lambda value: value is None or callable(value),
    "body": _map,
}
_REQUEST: Mapping[str, Fits] = {
    "method": lambda value: _text(value) and value.isalpha(),
    "url": _web_address,
    "headers": _headers,
    "content": lambda value: isinstance(value, (bytes, Multipart)),
}
_PROBLEM: Mapping[str, Fits] = {
    "code": _text,
    "message": _text,
    "key": _text_or_none,
    "hint": _text_or_none,
    "severity": lambda value: gravity(value) is not None,
    "covers": _texts,
    "fixes": lambda value: isinstance(value, tuple),
}
_FAILURE: Mapping[str, Fits] = {
    "message": _text,
    "code": _text_or_none,
    "param": _text_or_none,
    "kind": lambda value: value in (None, "moderation", "quota", "invalid"),
    "details": _map,
    "retry_class": lambda value: value is None or value in get_args(RetryClass),
    "request_id": _text_or_none,
    "retry_after_s": _amount_or_none,
    "ends_order": lambda value: isinstance(value, bool),
}
_FACTS: Mapping[str, Fits] = {
    "payload": _map,
    "usage": lambda value: value is None or (_map(value) and all(map(_figure, value.values()))),
    "size": _text_or_none,
    "quality": _text_or_none,
    "finish_reason": _text,
    "cost_usd": _amount_or_none,
    "request_id": _text_or_none,
}


def _figure(value: Any) -> bool:
    return _amount_or_none(value) or (_map(value) and all(map(_figure, value.values())))


class VendorEdge(Vendor):
    """A vendor of somebody else's package, whose every word is looked at. `where` names the plugin and its entry
    point."""

    def __init__(self, vendor: Vendor, where: str) -> None:
        self._vendor = vendor
        self._where = where
        self.name, self.title, self.hosts = vendor.name, vendor.title, vendor.hosts
        self.settings, self.other_names = vendor.settings, vendor.other_names
        self.environment = vendor.environment
        self.deployment_setting, self.family = vendor.deployment_setting, vendor.family
        self.is_gateway = vendor.is_gateway

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterable[Problem]:
        """Its problems."""

        def ask() -> Any:
            found: Any = self._vendor.supports(request, model)
            return found if isinstance(found, (CoroutineType, str, bytes)) else list(found)

        found: list[Problem] = self._asked("supports", ask)
        self._expect("supports", found, isinstance(found, list), "problems")
        for each in found:
            self._fields("supports", each, Problem, _PROBLEM)
        return found

    def images_per_request(self, request: ImageRequest, endpoint: Endpoint) -> int:
        """Its number, from 1."""
        found: Any = self._asked("images_per_request", lambda: self._vendor.images_per_request(request, endpoint))
        is_count = isinstance(found, int) and not isinstance(found, bool) and found >= 1
        return int(self._expect("images_per_request", found, is_count, "a whole number from 1"))

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """Its endpoint.

        Raises:
            ConfigError: the service entry lacks or breaks something.
        """
        found = self._asked("endpoint", lambda: self._vendor.endpoint(service, request))
        self._fields("endpoint", found, Endpoint, _ENDPOINT)
        return found if found.sign is None else found._replace(sign=partial(self._signed, found.sign))

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """Its request."""
        found = self._asked("encode", lambda: self._vendor.encode(request, endpoint))
        return self._fields("encode", found, HttpRequest, _REQUEST)

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """Its reader."""
        found = self._asked("decode", lambda: self._vendor.decode(head, store, limit))
        needed = ("feed", "finish", "salvage", "rescue", "abort")
        fits = all(callable(getattr(found, name, None)) for name in needed)
        self._expect("decode", found, fits and isinstance(getattr(found, "partials", None), list), "a ResponseReader")
        return ReaderEdge(found, self)  # type: ignore[return-value]  # all that is asked of one

    def next(self, received: Received, endpoint: Endpoint) -> Poll | None:
        """Its next question."""
        found = self._asked("next", lambda: self._vendor.next(received, endpoint))
        if found is None:
            return None
        self._expect("next", found, isinstance(found, Poll), "a Poll or None")
        self._fields("next", found.request, HttpRequest, _REQUEST)
        after = found.after_s
        self._expect("next", after, _amount(after) and after <= _LONGEST_POLL_S, "seconds for `after_s`")
        return found if found.kept is None else found._replace(kept=self.received(found.kept, ()))

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """Its words; where it fails, that it did: the status says what became of the request."""
        try:
            found = self._asked("failure", lambda: self._vendor.failure(head, body))
            return None if found is None else self._fields("failure", found, Failure, _FAILURE)
        except PluginError as error:
            return Failure(str(error), is_own=False)

    def most(self, request: ImageRequest, endpoint: Endpoint) -> float | None:
        """Its upper bound."""
        found = self._asked("most", lambda: self._vendor.most(request, endpoint))
        return self._expect("most", found, _amount_or_none(found), "USD or None")

    def least(self, request: ImageRequest, endpoint: Endpoint) -> float:
        """Its lower bound."""
        found = self._asked("least", lambda: self._vendor.least(request, endpoint))
        return float(self._expect("least", found, _amount(found), "USD"))

    def cost(self, request: ImageRequest, endpoint: Endpoint, received: Received) -> float | None:
        """Its price.

        Raises:
            PluginError: it gives none that can be.
        """
        found = self._asked("cost", lambda: self._vendor.cost(request, endpoint, received))
        return self._expect("cost", found, _amount_or_none(found), "USD or None")

    def models(self, as_of: date | None = None) -> Sequence[KnownModel]:
        """Its models."""
        return self._asked("models", lambda: self._vendor.models(as_of))

    def simulate(self, url: str, key: str) -> Mapping[str, Any]:
        """Its settings under the simulator."""
        found = self._asked("simulate", lambda: self._vendor.simulate(url, key))
        return self._expect("simulate", found, _map(found), "a map of settings")

    async def _signed(self, sign: Callable[[HttpRequest], Awaitable[Mapping[str, str]]], http: HttpRequest) -> Any:
        what = "sign"
        waiting = self._asked(what, lambda: sign(http), waits=True)
        self._expect(what, waiting, hasattr(waiting, "__await__"), "an awaitable")
        try:
            found = await waiting
        except FlowError:
            raise
        except Exception as error:
            raise self.failed(what, error) from error
        return self._expect(what, found, _headers(found), "headers")

    def received(self, found: Any, kept: Sequence[Image | LinkedImage]) -> Received:
        """What a reader gives at its end: pictures, and facts as far as they are some."""
        self._expect("decode", found, isinstance(found, Received), "Received from its reader")
        images = found.images if isinstance(found.images, (tuple, list)) else ()
        notes = [] if images is found.images else [self._said("decode", found.images, "pictures")]
        good = [each for each in images if _is_picture(each)]
        if len(good) < len(images):
            notes.append(self._said("decode", next(each for each in images if not _is_picture(each)), "a picture"))
        if len(good) > MOST_PICTURES:
            notes.append(f"{self._where} gave {len(good):,} pictures for one request; {MOST_PICTURES} are kept")
        facts: dict[str, Any] = {}
        for name, fits in _FACTS.items():
            value = getattr(found, name)
            facts[name] = value if self._fits(fits, value) else Received._field_defaults[name]
            if facts[name] is not value:
                notes.append(self._said("decode", value, f"a usable `{name}`"))
        images = tuple(good[:MOST_PICTURES]) if found.images is images else tuple(kept)
        return Received(images, **facts, notes=tuple(notes))

    def failed(self, what: str, error: BaseException) -> PluginError:
        """The error for an exception of its code."""
        return PluginError(f"{self._where} failed in `{what}`: {in_words(error)}")

    def _asked(self, what: str, ask: Callable[[], T], *, waits: bool = False) -> T:
        try:
            found = ask()
        except FlowError:
            raise
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:  # also of an end, or a cancellation: nobody can cancel a plain function
            raise self.failed(what, error) from error
        if isinstance(found, CoroutineType) and not waits:
            found.close()
            raise PluginError(f"{self._where} has an async `{what}`, which is a plain function")
        return found

    def _expect(self, what: str, found: T, fits: bool, wanted: str) -> T:
        if not fits:
            raise PluginError(self._said(what, found, wanted))
        return found

    def _fields(self, what: str, found: Any, kind: type[T], fields: Mapping[str, Fits]) -> T:
        """A value of a kind whose fields are what they should be."""
        self._expect(what, found, isinstance(found, kind), _a(kind.__name__))
        for name, fits in fields.items():
            value = getattr(found, name)
            if not self._fits(fits, value):
                raise PluginError(self._said(what, value, f"a `{name}` of {_a(kind.__name__)} that can be used"))
        return found  # type: ignore[no-any-return]  # its kind was looked at

    def _fits(self, fits: Fits, value: Any) -> bool:
        try:
            return fits(value)
        except Exception:  # noqa: BLE001  its own code, for example a map that raises
            return False

    def _said(self, what: str, found: object, wanted: str) -> str:
        """What it gave: never the value itself, which may hold a key."""
        kind = type(found).__name__
        shown = "None" if found is None else repr(found) if isinstance(found, (bool, int, float)) else _a(kind)
        return f"{self._where} gave {shown} in `{what}`, which gives {wanted}"


class ReaderEdge:
    """The reader of such a vendor."""

    def __init__(self, reader: ResponseReader, edge: VendorEdge) -> None:
        self._reader = reader
        self._edge = edge
        self.partials = reader.partials

    def feed(self, chunk: bytes) -> None:
        """Takes the next bytes."""
        self._asked(lambda: self._reader.feed(chunk))

    def finish(self) -> Received:
        """What it holds."""
        return self._edge.received(self._asked(self._reader.finish), ())

    def salvage(self) -> Sequence[Image | LinkedImage]:
        """The pictures that came whole."""
        return self._pictures(self._reader.salvage)

    def rescue(self) -> Sequence[Image | LinkedImage]:
        """The same while a worker may still feed it."""
        return self._pictures(self._reader.rescue)

    def abort(self) -> None:
        """Removes the rest; a reader that cannot leaves it behind."""
        try:
            self._reader.abort()
        except Exception:  # noqa: BLE001  what failed before is what counts
            return

    def _pictures(self, ask: Callable[[], Sequence[Image | LinkedImage]]) -> Sequence[Image | LinkedImage]:
        try:
            return [each for each in ask() if _is_picture(each)][:MOST_PICTURES]
        except Exception:  # noqa: BLE001  the failure that is known counts
            return []

    def _asked(self, ask: Callable[[], T]) -> T:
        try:
            return ask()
        except (BrokenResponse, FlowError, OSError):
            raise
        except (KeyboardInterrupt, GeneratorExit):
            raise
        except BaseException as error:
            raise self._edge.failed("decode", error) from error


def _a(kind: str) -> str:
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def _is_picture(value: Any) -> bool:
    if isinstance(value, LinkedImage):
        return _text(value.url) and _text_or_none(value.revised_prompt)
    return isinstance(value, Image)
