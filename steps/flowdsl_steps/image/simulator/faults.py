"""Faults the simulator commits on purpose, scripted by request."""

from __future__ import annotations

import difflib
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields

from flowdsl.errors import UsageError

FAULTS: Mapping[str, str] = {
    "none": "an ordinary response, to let requests through before the next fault",
    "rate_limit": "429 rate_limit_exceeded, with retry_after",
    "slow_down": "429 slow_down, with retry_after",
    "quota": "429 insufficient_quota",
    "billing_hard_limit": "400 billing_hard_limit_reached",
    "server_error": "500",
    "bad_gateway": "502 with a JSON body",
    "gateway_timeout": "504",
    "html_error": "502 with an HTML page",
    "overloaded": "503 server_is_overloaded",
    "moderation": "400 moderation_blocked with moderation_details",
    "content_policy": "400 content_policy_violation with inner_error",
    "content_policy_innererror": "400 content_policy_violation with the spelling innererror",
    "content_filter": "400 contentFilter, Azure's short shape",
    "conflict": "409",
    "timeout408": "408, the service says that it took too long",
    "auth": "401",
    "forbidden": "403",
    "slow": "the ordinary response, delay_s later",
    "hang": "no response until the client leaves or the server stops",
    "reset_before_body": "the connection is reset instead of a response",
    "reset": "the connection is reset in the middle of the body",
    "truncated_json": "200 with half a JSON document",
    "bad_base64": "200 with an image that is no base64",
    "empty_data": "200 without an image",
    "redirect": "200 with a url that redirects to location",
    "stream_error": "an error event in the stream, after the partial images",
    "stream_cut": "a stream that ends before its last event",
    "upload_lost": "a file is taken, and the connection closed instead of a response",
    "batch_lost": "a batch is made, and the connection closed instead of a response",
    "batch_failed": "a batch is not begun, as its file is refused",
    "batch_expired": "a batch ends when half of its requests are done",
    "batch_cut": "the content of a file breaks off in the middle",
}
_OF_BATCHES = frozenset(kind for kind in FAULTS if kind.startswith(("batch_", "upload_")))
"""What goes wrong with a batch or a file, and not with a request for images."""
_SEVERAL = {"timeout": ("hang", "timeout408")}
"""Words that may mean one fault or another."""
STEP_HEADER = "x-flowdsl-step"
MANY = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault for the next `times` requests whose prompt contains `when`.

    `retry_after` is seconds ("2"), milliseconds ("250ms") or an HTTP date so many seconds ahead ("date:3"). `delay_s`
    is for `slow`, and delays any other fault too. `location` is where `redirect` points to. `step` restricts a fault to
    the requests of one step of a flow, which say in the header `X-Flowdsl-Step` whose they are.

    Raises: UsageError for an unknown kind, with the nearest name, or an impossible value.
    """

    kind: str
    times: int = 1
    when: str = ""
    retry_after: str | float | None = None
    delay_s: float | None = None
    location: str | None = None
    step: str | None = None

    def __post_init__(self) -> None:
        if self.kind not in FAULTS:
            meant = [f"'{kind}' ({FAULTS[kind]})" for kind in _SEVERAL.get(self.kind, ())]
            said = f"Did you mean {' or '.join(meant)}?" if meant else _did_you_mean(self.kind, FAULTS)
            raise UsageError(f"Unknown fault '{self.kind}'. {said}")
        if self.times < 1:
            raise UsageError(
                f"Fault '{self.kind}': times must be at least 1, or * for every request, found {self.times}."
            )
        if self.delay_s is not None and not (math.isfinite(self.delay_s) and self.delay_s >= 0):
            raise UsageError(f"Fault '{self.kind}': delay_s must be at least 0 seconds, found {self.delay_s}.")
        if self.retry_after is not None:
            retry_after_of(self.retry_after)

    def matches(self, prompt: str, step: str | None = "") -> bool:
        """Whether the fault concerns a request with this prompt, of a step that has these names; None where nobody says
        whose it is, as in a batch: it may be of any."""
        return self.when in prompt and (self.step is None or step is None or self.step in step.split())

    @property
    def delay(self) -> float:
        """Seconds before the fault shows; default: one second for `slow`, none for others."""
        return self.delay_s if self.delay_s is not None else 1.0 if self.kind == "slow" else 0.0


def retry_after_of(value: str | float) -> tuple[str, float]:
    """The form (`seconds`, `ms` or `date`) and number of a `retry_after`.

    Raises: UsageError when it is none of them.
    """
    text = str(value)
    form = "date" if text.startswith("date:") else "ms" if text.endswith("ms") else "seconds"
    try:
        number = float(text.removeprefix("date:").removesuffix("ms"))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise UsageError(f"retry_after must be seconds (2), milliseconds (250ms) or date:SECONDS, found '{text}'.")
    return form, number


def parse_fault(text: str) -> Fault:
    """The fault written as `KIND[:TIMES][,KEY=VALUE]...`, such as `rate_limit:2,retry_after=1`; `*` is every time.

    Raises: UsageError.
    """
    head, *rest = text.split(",")
    kind, _, times = head.strip().partition(":")
    options: dict[str, object] = {}
    for option in rest:
        name, sign, value = option.strip().partition("=")
        if not sign:
            raise UsageError(f"Fault '{text}': '{option.strip()}' is not KEY=VALUE.")
        options[name.strip()] = value.strip()
    if times:
        options["times"] = times
    return fault_from({"kind": kind, **options})


def fault_from(values: Mapping[str, object]) -> Fault:
    """The fault of a mapping with Fault's fields, numbers as numbers or text.

    Raises: UsageError.
    """
    names = [field.name for field in fields(Fault)]
    known: dict[str, str] = {}
    for name, value in values.items():
        if name not in names:
            raise UsageError(f"Unknown fault option '{name}'. {_did_you_mean(name, names)}")
        if value is not None:
            known[name] = str(value)
    delay = known.get("delay_s")
    return Fault(
        known.get("kind", ""),
        times=MANY if known.get("times") == "*" else _times(known.get("times", "1")),
        when=known.get("when", ""),
        retry_after=known.get("retry_after"),
        delay_s=None if delay is None else _number("delay_s", delay),
        location=known.get("location"),
        step=known.get("step"),
    )


def _times(text: str) -> int:
    number = _number("times", text)
    if number != round(number):
        raise UsageError(f"Fault option 'times' must be a whole number, or * for every request, found '{text}'.")
    return round(number)


def _number(name: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if math.isfinite(number):
        return number
    every = ", or * for every request" if name == "times" else ""
    raise UsageError(f"Fault option '{name}' must be a number{every}, found '{text}'.")


def _did_you_mean(name: str, known: Iterable[str]) -> str:
    names = list(known)
    near = difflib.get_close_matches(name, names, n=1)
    return f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."


class FaultQueue:
    """The faults still to come. Each request takes the first one that matches it."""

    def __init__(self, faults: Iterable[Fault | str] = ()) -> None:
        self._lock = threading.Lock()
        self._left: list[tuple[Fault, int]] = []
        self.add(*faults)

    def add(self, *faults: Fault | str) -> None:
        """Appends faults, or their text form.

        Raises: UsageError; then none of them is added.
        """
        parsed = [parse_fault(fault) if isinstance(fault, str) else fault for fault in faults]
        with self._lock:
            self._left += [(fault, fault.times) for fault in parsed]

    def clear(self) -> None:
        """Forgets all faults."""
        with self._lock:
            self._left.clear()

    def take(self, prompt: str, step: str | None = "") -> Fault | None:
        """The fault for a request, used up by one; `step` is what names its step, with spaces between, None where
        nobody says whose it is."""
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if fault.kind not in _OF_BATCHES and fault.matches(prompt, step):
                    self._use(index, fault, left)
                    return None if fault.kind == "none" else fault
        return None

    def take_of_batch(self, kind: str, text: str) -> Fault | None:
        """The fault of this kind for a batch or a file, used up by one; `text` is its metadata or its name."""
        with self._lock:
            for index, (fault, left) in enumerate(self._left):
                if fault.kind == kind and fault.matches(text, None):
                    self._use(index, fault, left)
                    return fault
        return None

    def _use(self, index: int, fault: Fault, left: int) -> None:
        self._left[index : index + 1] = [(fault, left - 1)] if left > 1 else []

    @property
    def pending(self) -> tuple[tuple[Fault, int], ...]:
        """The faults not used up, each with the number of requests left."""
        with self._lock:
            return tuple(self._left)
