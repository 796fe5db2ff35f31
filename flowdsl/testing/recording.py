"""Doors for effects: one that keeps a recording of a run, and one that replays it."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from flowdsl.engine.effects import EMISSIONS, Effect, Emission
from flowdsl.errors import StepError, UsageError
from flowdsl.journal.recorded_values import Blobs, decoded, decoded_error, encoded, encoded_error
from flowdsl.rewriting.files import put

T = TypeVar("T")
VERSION = 1
_FILE = "recording.json"
Place = tuple[str, str, int]
"""Where an effect belongs: the key of its invocation, its own key, and which of those it is, from 0."""


@dataclass(kw_only=True, slots=True)
class Recorded:
    """One effect of a recording, as JSON values."""

    at: str
    key: str
    number: int
    request: Any
    result: Any = None
    error: dict[str, Any] | None = None
    emitted: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Refuses a place of a damaged recording, and what stands where emissions should."""
        kinds = ((self.at, str), (self.key, str), (self.number, int), (self.emitted, list))
        if not all(isinstance(value, kind) for value, kind in kinds):
            raise TypeError("an effect has no place")

    @property
    def place(self) -> Place:
        """Where it belongs."""
        return self.at, self.key, self.number


class _Numbers:
    """Counts the effects of each invocation: a step that asks four times gets four results."""

    def __init__(self) -> None:
        self._asked: Counter[tuple[str, str]] = Counter()

    def place(self, effect: Effect) -> Place:
        """Where the next effect of this kind belongs."""
        at = effect.invocation.key
        self._asked[at, effect.key] += 1
        return at, effect.key, self._asked[at, effect.key] - 1


class Recording:
    """A door that performs effects and keeps what came of them: `flow.run(effects=recording)`, for one run.

    `recorded` holds the effects in the order in which they ended, `blobs` the bytes of pictures by their SHA-256. A
    recording holds what services responded, and no secret, also where a response or an error repeats one.
    """

    def __init__(self) -> None:
        self.recorded: list[Recorded] = []
        self.blobs = Blobs()
        self._numbers = _Numbers()

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """Performs an effect, and keeps its result or its error."""
        place, emitted = self._numbers.place(effect), []  # type: tuple[Place, list[Emission]]
        try:
            with _keeping(emitted):
                result = await act()
        except Exception as error:
            self._keep(effect, place, emitted, error=encoded_error(error, effect, self.blobs))
            raise
        self._keep(effect, place, emitted, result=encoded(result, self.blobs, effect.hide))
        return result

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """Performs an effect that needs no waiting, and keeps its result."""
        place = self._numbers.place(effect)
        result = act()
        self._keep(effect, place, [], result=encoded(result, self.blobs, effect.hide))
        return result

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Writes the recording into a folder: `recording.json`, and each picture under its SHA-256."""
        Path(folder).mkdir(parents=True, exist_ok=True)
        for digest, content in self.blobs.items():
            put(str(Path(folder) / digest), content)
        values = {"v": VERSION, "recorded": [asdict(recorded) for recorded in self.recorded]}
        text = json.dumps(values, ensure_ascii=False, indent=1)
        put(str(Path(folder) / _FILE), f"{text}\n".encode("utf-8", "surrogatepass"))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Recording:
        """The recording of a folder.

        Raises:
            UsageError: the folder holds none, one of another version, or a damaged one.
        """
        try:
            values = json.loads((Path(folder) / _FILE).read_text(encoding="utf-8", errors="surrogatepass"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{folder} holds no recording: {error}") from None
        if not isinstance(values, dict) or values.get("v") != VERSION:
            raise UsageError(f"{folder} holds a recording of another version: record it again")
        recording = cls()
        try:
            recording.recorded = [Recorded(**recorded) for recorded in values["recorded"]]
            files = (path for path in Path(folder).iterdir() if len(path.name) == 64)
            recording.blobs = Blobs((path.name, path.read_bytes()) for path in files)
        except (KeyError, TypeError, OSError) as error:
            raise UsageError(f"{folder} holds a damaged recording: record it again ({error})") from None
        return recording

    def _keep(self, effect: Effect, place: Place, emitted: list[Emission], **came: Any) -> None:
        at, key, number = place
        rows = [[method, [*arguments]] for method, arguments in emitted]
        request, said = encoded(effect.request, self.blobs), encoded(rows, self.blobs, effect.hide)
        self.recorded.append(Recorded(at=at, key=key, number=number, request=request, emitted=said, **came))


class Replay:
    """A door that performs nothing: every effect gets the result or the error that a recording has for it.

    An effect that the recording does not have, or has with another request, fails with the code `not-recorded`, and
    stands in `missing`. `unused` is what nobody asked for.
    """

    def __init__(self, recording: Recording) -> None:
        self._left = {recorded.place: recorded for recorded in recording.recorded}
        self._blobs = recording.blobs
        self._numbers = _Numbers()
        self.missing: list[str] = []

    @property
    def unused(self) -> list[str]:
        """The recorded effects that nobody asked for."""
        return [_shown(place) for place in self._left]

    async def perform(self, effect: Effect, act: Callable[[], Awaitable[T]]) -> T:
        """What the recording has for an effect."""
        result: T = self._replayed(effect)
        return result

    def perform_now(self, effect: Effect, act: Callable[[], T]) -> T:
        """What the recording has for an effect that needs no waiting."""
        result: T = self._replayed(effect)
        return result

    def _replayed(self, effect: Effect) -> Any:
        recorded = self._found(effect)
        for method, arguments in recorded.emitted:
            effect.emit((method, tuple(decoded(arguments, self._blobs, effect.store))))
        if recorded.error is not None:
            raise decoded_error(recorded.error, self._blobs, effect.store)
        return decoded(recorded.result, self._blobs, effect.store)

    def _found(self, effect: Effect) -> Recorded:
        place = self._numbers.place(effect)
        recorded = self._left.pop(place, None)
        if recorded is None:
            self.missing.append(_shown(place))
            raise StepError(f"the recording has no {_shown(place)}", code="not-recorded")
        if _spelt(recorded.request) != _spelt(encoded(effect.request, Blobs())):
            self.missing.append(_shown(place))
            raise StepError(f"the recording has another request for {_shown(place)}", code="not-recorded")
        return recorded


def _spelt(request: Any) -> str:
    """A request as a text that is the same for equal ones, also for what equals nothing, such as NaN."""
    return json.dumps(request, sort_keys=True)


def _shown(place: Place) -> str:
    at, key, number = place
    return f"`{key}` number {number + 1} of {at}"


@contextmanager
def _keeping(emitted: list[Emission]) -> Iterator[None]:
    """Keeps what is emitted meanwhile in this task and those it starts."""
    token = EMISSIONS.set(emitted)
    try:
        yield
    finally:
        EMISSIONS.reset(token)
