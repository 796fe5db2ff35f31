"""The pictures of one run: each gets a file with a name for people, and a line in the manifest of the folder.

Bytes are stored first, as they came, by their SHA-256 in a folder that is out of the way: nothing that is paid for
waits for a name. When the step that made them has them all, they are named in order, after the step's `id` or the flow,
the items of the loops around it, and a number. What is left without a name at the end, because the run failed or was
interrupted, is named then.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import cached_property
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Protocol

from flowdsl.engine.item_text import named_by
from flowdsl.image.image import Image
from flowdsl.image.manifest import Locked
from flowdsl.image.metadata import packet
from flowdsl.image.named_file import Naming, as_given, counted, stem_of
from flowdsl.image.origin import UNKNOWN, Origin
from flowdsl.image.shelf import Folder, Named, Shelf
from flowdsl.image.store import ImageStore
from flowdsl.step.gather import to_its_end
from flowdsl.template import to_text

if TYPE_CHECKING:
    from flowdsl.document.document import Document, StepNode
    from flowdsl.engine.secrets import Secrets
    from flowdsl.events import Invocation
    from flowdsl.host import PictureStore

_DEFAULT = "basic"
_SMALL = 64 * 1024
_FEW = 16
"""So many pictures are listed so quickly that it need not be in a thread."""
_NAMELESS = "image"
_ENDINGS = (".flow", ".ai-kit", ".module")
_NUMBER = re.compile(r"\d+")
_LAST = ((float("inf"),),)
"""Sorts behind every place in a flow."""


class Place(Protocol):
    """The place of a step in a run: what a Frame says of it."""

    @property
    def invocation(self) -> Invocation:
        """The step that runs."""
        ...

    @property
    def context(self) -> dict[str, Any]:
        """The FlowContext."""
        ...

    @property
    def around(self) -> tuple[tuple[str, str] | int, ...]:
        """The loops and branches around it."""
        ...


class Maker:
    """A step at one time it runs, as the maker of pictures: what they are called after, and what is known of them.

    `store` keeps apart what this step made, `order` sorts makers as the flow has them, whoever was done first.
    """

    __slots__ = ("at", "id", "iterations", "order", "origin", "stem", "step", "store")

    def __init__(self, store: ImageStore, stem: str, step: StepNode, frame: Place) -> None:
        place = step.name_node.span
        self.store = store
        self.stem = stem
        self.step = step.spec.name
        self.id = step.id
        self.at = f"{place.path}:{place.first.line}"
        self.order, self.iterations = _place_in_run(frame.invocation)
        if not self.iterations:
            indexes = (frame.context.get(each[1]) for each in frame.around if isinstance(each, tuple))
            self.iterations = [index for index in indexes if isinstance(index, int)]
        self.origin = UNKNOWN


class Pictures:
    """Names the pictures of one run, and writes them into the manifest."""

    def __init__(
        self,
        images: str | PictureStore,
        level: str | None,
        run: str,
        document: Document,
        secrets: Secrets,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._shelf = Folder(images) if isinstance(images, str) else _kept(images)
        self.is_simulated = False  # the journal says that nothing is paid for really
        self.store = self._shelf.store
        self.open: dict[int, Maker] = {}
        """The makers whose step still runs, by the id of its frame."""
        self.problems: list[str] = []
        self._level = level or _DEFAULT
        self._run = run
        self._tags = dict(tags or {})
        self._document = document
        self._secrets = secrets
        self._makers: list[Maker] = []
        self._named: dict[int, dict[str, Any]] = {}
        self._files: dict[str, Image] = {}
        self._orders: dict[int, tuple[tuple[Any, ...], int]] = {}
        self._busy = 0
        self._before: dict[str, list[str]] = {}
        self._known: set[str] = set()
        self._listed: frozenset[str] = frozenset()
        self._is_again = False
        self.on_named: Callable[[str, str], None] | None = None
        """Called with the path of a picture's bytes as they came, and that of its file with a name for people."""
        self.on_listed: Callable[[], None] | None = None
        """Called when all of them stand in the manifest."""

    def recover(self, files: Mapping[str, Sequence[str]], listed: frozenset[str]) -> None:
        """Says which files pictures of an earlier attempt of this run have, by the paths of the bytes as they came, and
        which files stand in the manifest."""
        for path, names in files.items():
            self._before.setdefault(path, []).extend(name for name in names if name not in self._known)
            self._known.update(names)
        self._is_again = True
        self._listed |= listed

    @cached_property
    def _turn(self) -> threading.Condition:
        """Held for a moment by whoever takes pictures to name. The first maker makes it, in the event loop's thread:
        most runs have none."""
        return threading.Condition(threading.Lock())

    @cached_property
    def _flow(self) -> str:
        return _flow_name(self._document)

    def maker(self, step: StepNode, frame: Place) -> Maker:
        """The maker that a step becomes when it asks where pictures go."""
        _ = self._turn
        words = [step.id or self._flow]
        for each in frame.around:
            if isinstance(each, tuple):
                value = frame.context.get(each[0])
                self._secrets.notice(value)
                words.append(_called(value) or _number(frame.context.get(each[1])))
            elif step.id is None:  # a branch: what runs side by side is told apart by the key it writes
                words.append(_own_key(step) or _number(each))
        stem = stem_of(map(self._secrets.hide_in, words)) or _NAMELESS
        maker = self.open[id(frame)] = Maker(self.store.part(), stem, step, frame)
        self._makers.append(maker)
        return maker

    async def name(self, maker: Maker, images: Sequence[Image], origin: Origin) -> None:
        """Names pictures of a maker, in this order. What is said without pictures is said of all it makes later."""
        if not images:
            maker.origin = origin
        elif self._is_quick(images):
            self.name_now(maker, images, origin)
        else:
            await asyncio.to_thread(self.name_now, maker, images, origin)

    def _is_quick(self, images: Iterable[Image]) -> bool:
        """Whether images are named so quickly that it need not be in a thread."""
        return not self._shelf.is_slow and (self._level == "none" or sum(image.bytes for image in images) < _SMALL)

    def close(self, frame: Place) -> Awaitable[None] | None:
        """Names what the step of a frame has stored and not named, at its end; gives what is to be waited for."""
        maker = self.open.pop(id(frame), None)
        left = [] if maker is None else [image for image in maker.store.made if id(image) not in self._named]
        if not left:
            return None
        if not self._is_quick(left):
            return asyncio.to_thread(self.name_now, maker, left)
        self.name_now(maker, left)
        return None

    def name_now(self, maker: Maker | None, images: Iterable[Image], origin: Origin | None = None) -> None:
        """The same in this thread. A picture that has a name keeps it."""
        with self._turn:
            fresh = [image for image in images if id(image) not in self._named]
            self._named.update((id(image), {}) for image in fresh)
            self._busy += 1
        try:
            for image in fresh:
                image.hide(self._secrets.hide_in)
                self._name(maker, image, origin or (maker.origin if maker is not None else UNKNOWN))
        finally:
            with self._turn:
                self._busy -= 1
                self._turn.notify_all()

    async def finish(self) -> None:
        """Names what has no name yet, puts everything that was made in the order of the flow, and adds it to the
        manifest, to the end, also of a run that is cancelled meanwhile. What may take long has a thread of its own: it
        may wait for another process, and the few that the loop has are for all runs."""
        if self.store.made and not self._is_finished_at_once():
            from concurrent.futures import ThreadPoolExecutor  # slow to import, and most runs make no picture

            with ThreadPoolExecutor(1) as own:
                await to_its_end(asyncio.get_running_loop().run_in_executor(own, self.finish_now))
        self.store.spare.close()

    def _is_finished_at_once(self) -> bool:
        """Whether the end was so quick that it needed no thread: everything has its name, and nobody else has the lock
        of the manifest."""
        made = self.store.made
        is_unnamed = any(id(image) not in self._named for image in made)
        if self._shelf.is_slow or self._is_again or self._busy or is_unnamed or len(made) > _FEW:
            return False
        try:
            self.finish_now(waits=False)
        except Locked:
            return False
        return True

    def finish_now(self, *, waits: bool = True) -> None:
        """The same in this thread.

        Raises:
            Locked: somebody else has the lock of the manifest, and this does not wait.
        """
        made = self.store.made
        for maker in self._makers:
            self.name_now(maker, list(maker.store.made))
        self.name_now(None, list(made))
        with self._turn:
            self._turn.wait_for(lambda: not self._busy)
        ended = made[:]  # what a worker that nobody waits for stores from here on comes behind them
        made[: len(ended)] = sorted(ended, key=lambda image: self._orders.get(id(image), (_LAST, 0)))
        lines = [line for image in made if (line := self._named.get(id(image)))]
        if self._is_again:  # an attempt that was killed at its end has listed what it made, and noted that nowhere
            there = self._shelf.lists(self._run)
            lines = [line for line in lines if line["file"] not in there]
        try:
            odd = self._shelf.list(self._run, lines, waits=waits) if lines else None
            if self.on_listed is not None:
                self.on_listed()
        except OSError as error:
            odd = f"the manifest in {self._shelf.describe()} cannot be written: {error.strerror or error}"
        if odd is not None:
            self.problems.append(odd)
        self._shelf.close()
        self.store.spare.close()

    def _name(self, maker: Maker | None, image: Image, origin: Origin) -> None:
        self._orders[id(image)] = (maker.order if maker is not None else _LAST, len(self._orders))
        before = self._files.get(image.sha256)
        if before is not None and origin.model is None:  # bytes that a step has taken from a picture of this run
            image.take_name_of(before)
            return
        now = _now()
        stem = maker.stem if maker is not None else stem_of([self._flow]) or _NAMELESS
        naming = counted(stem) if origin.name is None else as_given(self._secrets.hide_in(origin.name))
        named = self._named_before(naming, image) or self._file(naming, image, self._packet(maker, image, origin, now))
        self._known.add(image.path)
        if self.on_named is not None and image.is_named:
            self.on_named(image.original, image.path)
        if self.store.spare.holds(image):
            why = f"{self._shelf.describe()} takes no more: {self.store.spare.reason}"
            self.problems.append(f"{why}. A picture is among the temporary files, which do not last: {image.path}")
        self._files[image.sha256] = image
        if image.path not in self._listed:
            self._named[id(image)] = self._secrets.hide_in(self._line(maker, image, origin, named, now))

    def _named_before(self, naming: Naming, image: Image) -> Named | None:
        """The file that an earlier attempt of the run has given to a picture, if it is there: also one that it noted
        nowhere, as it was killed at that moment."""
        if (names := self._before.get(image.original)) is None:
            return None
        while names:
            if (named := self._shelf.found(image, names.pop(0))) is not None:
                return named
        return self._shelf.left(naming, image, self._known)

    def _file(self, naming: Naming, image: Image, xmp: bytes | None) -> Named:
        """Gives a picture its file, and tells what keeps it from that.

        A disk that has no room for a copy with metadata may have room for a link, which people find as well.
        """
        for metadata in dict.fromkeys((xmp, None)):
            try:
                named = self._shelf.name(naming, image, metadata)
            except OSError as error:
                why = error.strerror or str(error)
            else:
                if metadata is not xmp:
                    self.problems.append(f"{image.path} says nothing of how it was made: {why}")
                return named
        name = naming(1).removesuffix("1")
        missing = f"there is no file `{name}…` in {self._shelf.describe()} of a picture, as it takes none: {why}"
        self.problems.append(f"{missing}. The picture is whole, and called by its SHA-256: {image.path}")
        return self._shelf.unnamed(image)

    def _packet(self, maker: Maker | None, image: Image, origin: Origin, now: str) -> bytes | None:
        """The metadata of a picture that a model made; None for others, whose origin nobody knows."""
        if self._level == "none" or origin.model is None:
            return None
        at = PurePath(maker.at).name if maker is not None else ""
        found = {
            "xmp:CreateDate": now,
            "Iptc4xmpExt:AISystemUsed": origin.model,
            "flowdsl:size": _size_of(image) or origin.size,
            "flowdsl:flow": self._flow,
            "flowdsl:step": f"{maker.id or maker.step} {at}" if maker is not None else None,
            "flowdsl:requestId": origin.request_id,
        }
        if self._level == "full":
            found["Iptc4xmpExt:AIPromptInformation"] = origin.prompt
        texts = {name: str(value) for name, value in self._secrets.hide_in(found).items() if value is not None}
        return packet(texts, edited=origin.edited)

    def _line(self, maker: Maker | None, image: Image, origin: Origin, named: Named, now: str) -> dict[str, Any]:
        """A picture in the manifest."""
        found = {
            "file": named.file,
            "original": named.original,
            "prompt": origin.prompt,
            "model": origin.model,
            "service": origin.service,
            "revised_prompt": image.revised_prompt,
            "mime": image.mime,
            "size": _size_of(image),
            "quality": origin.quality,
            "seed": origin.seed,
            "flow": self._flow,
            "step": maker and maker.step,
            "id": maker and maker.id,
            "at": maker and maker.at,
            "iteration": (maker and maker.iterations) or None,
            "cost_usd": origin.cost_usd,
            "simulated": self.is_simulated or None,
            "request_id": origin.request_id,
            "sha256": image.sha256,
            "file_sha256": named.sha256,
            "run": self._run,
            "tags": self._tags or None,
            "made": now,
        }
        return {name: value for name, value in found.items() if value is not None}


def _kept(images: PictureStore) -> Shelf:
    from flowdsl.engine.kept import Kept

    return Kept(images)


def _now() -> str:
    from datetime import UTC, datetime

    return datetime.now(UTC).isoformat(timespec="seconds")


def _place_in_run(invocation: Invocation | None) -> tuple[tuple[Any, ...], list[int]]:
    """What sorts an invocation as the flow has it, and the iterations around it from the outermost; nothing when
    nobody observes the run."""
    order: list[tuple[int, str]] = []
    iterations: list[int] = []
    while invocation is not None and invocation.step:
        number = invocation.iteration
        order.append((-1 if number is None else number, _NUMBER.sub(lambda found: found[0].zfill(8), invocation.path)))
        iterations += [] if number is None else [number]
        invocation = invocation.parent
    return tuple(reversed(order)), iterations[::-1]


def _flow_name(document: Document) -> str:
    """The name of a flow: its `id`, the title of a kit's action, its file, else its title."""
    path = document.source.path
    stem = "" if path.startswith("<") else PurePath(path).stem
    kind = next((ending for ending in _ENDINGS if stem.endswith(ending)), "")
    title = document.title or ""
    return document.id or (title if kind == ".ai-kit" else "") or stem.removesuffix(kind) or title or _NAMELESS


def _called(item: Any) -> str:
    """What an item of a loop is called: its text, or that of one of its keys."""
    item = named_by(item)
    return to_text(item) if isinstance(item, (str, int, float)) and not isinstance(item, bool) else ""


def _own_key(step: StepNode) -> str:
    """The FlowContext key of a step's first output, where the author chose it."""
    node = step.keys.get(step.spec.writes_to or "")
    return str(node.value) if node is not None else ""


def _number(index: Any) -> str:
    return str(index + 1) if isinstance(index, int) else ""


def _size_of(image: Image) -> str | None:
    return f"{image.width}x{image.height}" if image.width else None
