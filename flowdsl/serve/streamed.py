"""The events of a stream of pictures: unfinished ones, and finished ones as they come."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from flowdsl.events import FinishedImage, PartialImage
from flowdsl.serve.responses import base64_of, format_of

if TYPE_CHECKING:
    from flowdsl.image.image import Image
    from flowdsl.serve.fields import Asked
    from flowdsl.serve.gateway import CameImage, Made


class Streamed:
    """What is sent of one request. The last picture waits until all are known: it says what the others have left of the
    usage, so that who adds the events up has what was used.

    Where a service has told of pictures and failed, and another one makes all of them, no more are sent than were asked
    for.
    """

    def __init__(self, asked: Asked) -> None:
        self._asked = asked
        self._most = asked.options.get("n", 1) - 1
        self._told: list[FinishedImage] = []

    def came(self, event: CameImage, now: int) -> Iterator[bytes]:
        """What is sent at an event of the run; `now` are Unix seconds."""
        image = cast("Image", event.image)
        if isinstance(event, PartialImage):
            facts = {**self._facts(image, {}, now), "partial_image_index": event.index}
            yield from self._event("partial_image", facts, image)
        elif len(self._told) < self._most:
            self._told.append(event)
            yield from self._completed(image, {"quality": event.quality}, now, event.usage)

    def rest(self, made: Made) -> Iterator[bytes]:
        """What is sent when all pictures are there."""
        left, own = [*made.images], list[FinishedImage]()
        for event in self._told:
            same = next((each for each in left if each.original == cast("Image", event.image).original), None)
            if same is not None:
                left.remove(same)
                own.append(event)
        if len(own) < len(self._told):
            del left[max(0, self._most + 1 - len(self._told)) :]
        usage = _less(made.facts.get("usage"), [event.usage for event in own])
        for number, image in enumerate(left):
            share = None if usage is None else _share(usage, number, len(left))
            yield from self._completed(image, made.facts, made.created, share)

    def _completed(self, image: Image, said: Mapping[str, Any], now: int, usage: Any) -> Iterator[bytes]:
        facts = self._facts(image, said, now)
        yield from self._event("completed", facts if usage is None else {**facts, "usage": usage}, image)

    def _facts(self, image: Image, said: Mapping[str, Any], created: int) -> dict[str, Any]:
        options = self._asked.options
        size = f"{image.width}x{image.height}" if image.width else options.get("size") or "auto"
        return {
            "created_at": created,
            "size": size,
            "quality": said.get("quality") or options.get("quality") or "auto",
            "background": options.get("background") or "auto",
            "output_format": format_of(image),
        }

    def _event(self, name: str, facts: Mapping[str, Any], image: Image) -> Iterator[bytes]:
        kind = f"{'image_edit' if self._asked.is_edit else 'image_generation'}.{name}"
        head = f"event: {kind}\ndata: {json.dumps({'type': kind, **facts})[:-1]}, " + '"b64_json": "'
        yield head.encode()
        yield from base64_of(image)
        yield b'"}\n\n'


def _less(value: Any, told: Sequence[Any]) -> Any:
    """What of a usage is left beside those that were told."""
    if isinstance(value, Mapping):
        known = [each for each in told if isinstance(each, Mapping)]
        return {name: _less(each, [one.get(name) for one in known]) for name, each in value.items()}
    if _is_count(value):
        return max(0, value - sum(each for each in told if _is_count(each)))
    return value


def _share(value: Any, number: int, count: int) -> Any:
    """What of a usage falls to one of so many pictures: whole tokens, which add up to all of them."""
    if isinstance(value, Mapping):
        found = {name: _share(each, number, count) for name, each in value.items()}
        parts = [found.get(name) for name in ("input_tokens", "output_tokens")]
        if _is_count(found.get("total_tokens")) and all(map(_is_count, parts)):
            found["total_tokens"] = sum(parts)
        return found
    if _is_count(value):
        return value // count + (number < value % count)
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
