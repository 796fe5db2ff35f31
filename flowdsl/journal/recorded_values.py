"""Results of effects as JSON values and back: also images, blobs, bytes and errors."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from flowdsl import errors
from flowdsl.engine.effects import Effect
from flowdsl.engine.failures import PLACE, crashed
from flowdsl.errors import RunError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl.template import UNDEFINED
from flowdsl.values import Blob
from flowdsl.walks import unwalkable

Hide = Callable[[Any], Any]
_IMAGE_FACTS = ("url", "revised_prompt", "url_expires_at")
_MARK = "$"
_OF_ITEMS: Mapping[str, type[Any]] = {"$tuple": tuple, "$set": set, "$frozenset": frozenset}
"""How kinds of lists are marked that JSON has no form for."""


def _as_it_is(value: Any) -> Any:
    return value


class Blobs(dict[str, bytes]):
    """The bytes that values hold, by their SHA-256; and how a picture is written, and made again."""

    def keep(self, content: bytes) -> str:
        """Takes bytes; gives their SHA-256."""
        digest = hashlib.sha256(content).hexdigest()
        self[digest] = content
        return digest

    def written(self, image: Image) -> Any:
        """What stands for a picture, as JSON values."""
        return self.keep(image.read())

    def picture(self, written: Any, facts: Mapping[str, Any], store: ImageStore) -> Image:
        """The picture again, stored anew."""
        with store.writer() as writer:
            writer.write(self[written])
            return writer.commit(**facts)


def encoded(value: Any, blobs: Blobs, hide: Hide = _as_it_is) -> Any:
    """A value as JSON values, from which `decoded` makes it again: keys that are no texts and tuples too. The bytes of
    pictures and blobs go to `blobs`, by their SHA-256. `hide` takes the secrets out of what stands in it.

    Raises:
        TypeError: a value of another kind, or one that holds itself.
    """
    problem = unwalkable(value)
    if problem is not None:
        raise TypeError(f"the result of an effect {problem}, which no recording can keep")
    return _encoded(value, blobs, hide)


def _encoded(value: Any, blobs: Blobs, hide: Hide) -> Any:
    if value.__class__ is str or value is None:  # as most are
        return hide(value)
    if value is UNDEFINED:
        return {"$undefined": True}
    if isinstance(value, (bool, int, float)):
        return hide(value)
    if isinstance(value, str):
        return str(hide(value))
    if isinstance(value, Image):
        facts = {name: hide(getattr(value, name)) for name in _IMAGE_FACTS}
        return {"$image": blobs.written(value), **facts}
    if isinstance(value, Blob):
        return {"$blob": blobs.keep(hide(value.content)), "contentType": value["contentType"]}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(hide(bytes(value))).decode("ascii")}
    if isinstance(value, list):
        return [_encoded(item, blobs, hide) for item in value]
    for mark, kind in _OF_ITEMS.items():
        if isinstance(value, kind):
            return {mark: [_encoded(item, blobs, hide) for item in value]}
    if isinstance(value, Mapping):
        if not all(isinstance(key, str) for key in value):
            pairs = [[_encoded(key, blobs, hide), _encoded(item, blobs, hide)] for key, item in value.items()]
            return {"$pairs": pairs}
        values = {str(hide(key)): _encoded(item, blobs, hide) for key, item in value.items()}
        return {"$map": values} if any(key.startswith(_MARK) for key in values) else values
    raise TypeError(
        f"the result of an effect holds an `{type(value).__name__}`: give JSON values, bytes, images or blobs"
    )


def decoded(value: Any, blobs: Blobs, store: ImageStore) -> Any:
    """The value again; its pictures are stored anew."""
    if isinstance(value, list):
        return [decoded(item, blobs, store) for item in value]
    if not isinstance(value, dict):
        return value
    if "$image" in value:
        return blobs.picture(value["$image"], {name: value[name] for name in _IMAGE_FACTS}, store)
    if "$blob" in value:
        return Blob(blobs[value["$blob"]], value["contentType"])
    if "$bytes" in value:
        return base64.b64decode(value["$bytes"])
    if "$undefined" in value:
        return UNDEFINED
    if "$pairs" in value:
        pairs = decoded(value["$pairs"], blobs, store)
        return dict(pairs)
    for mark, kind in _OF_ITEMS.items():
        if mark in value:
            return kind(decoded(value[mark], blobs, store))
    return {key: decoded(item, blobs, store) for key, item in value.get("$map", value).items()}


def encoded_error(error: Exception, effect: Effect, blobs: Blobs) -> dict[str, Any]:
    """An error as JSON values, without the secrets of the run; one that is no RunError becomes the StepError that the
    engine makes of it."""
    if not isinstance(error, RunError):
        error = crashed(effect.invocation.step, error)
    facts = {name: value for name, value in vars(error).items() if name not in ("span", "result")}
    shown = {name: encoded(value, blobs, _as_it_is if name in PLACE else effect.hide) for name, value in facts.items()}
    return {"name": _public_class(error).__name__, "code": error.code, "facts": shown}


def decoded_error(value: Mapping[str, Any], blobs: Blobs, store: ImageStore) -> RunError:
    """The error again, of the same class."""
    facts = decoded(value["facts"], blobs, store)
    error: RunError = getattr(errors, value["name"])(facts["message"], code=value["code"])
    for name, fact in facts.items():
        setattr(error, name, fact)
    return error


def _public_class(error: RunError) -> type[RunError]:
    """The nearest class of flowdsl.errors: a package of steps may have errors of its own."""
    found: type[RunError] = next(kind for kind in type(error).__mro__ if getattr(errors, kind.__name__, None) is kind)
    return found
