"""Secrets where few look for them: in containers of a kind of their own, in what an error came of, among thousands."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import pickle
import random
import re
import sys
import threading
import traceback
from collections import ChainMap, OrderedDict, UserList, defaultdict, deque
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple
from urllib.parse import quote, quote_plus

import pytest

from flowdsl import Environment, Host, Limits, Port, Progress, RunError, Step, StepContext, StepError, Storage, Written
from flowdsl.engine.effects import Effect
from flowdsl.engine.secrets import Secrets
from flowdsl.template import SecretText
from flowdsl.template.taint import SecretInteger, holds_secret, mark
from flowdsl.testing import Recorder, Recording, Replay
from flowdsl.values import Blob

KEY = "sk-secretsecret99"
READS = "\n    key: \"{{ secret('KEY') }}\"\n"


class Pair(NamedTuple):
    """A tuple of a kind of its own."""

    name: str
    value: Any


def environment(*steps: type[Step], **given: Any) -> Environment:
    return Environment(settings=None, steps=steps, environ={"KEY": KEY}, **given)


def many(count: int) -> Secrets:
    secrets = Secrets({"KEY": KEY}.get, watching=True)
    secrets.secret("KEY")
    for number in range(count):
        secrets.notice(SecretText(f"prompt {number} with {KEY} in it"))
    return secrets


@pytest.mark.long
def test_thousands_of_texts_made_of_a_secret_cost_each_as_much_as_the_first() -> None:
    secrets = many(20_000)  # each by all those before it: an hour
    for number in range(20_000):
        assert secrets.hide(f"say: prompt {number} with {KEY} in it, at {number}") == f"say: ***, at {number}"
        assert secrets.hide("an ordinary line of progress") == "an ordinary line of progress"


@pytest.mark.long
def test_a_loop_that_emits_a_text_with_a_secret_each_time_ends() -> None:
    flow = (
        'flow:\n  - step: FOR\n    var: item\n    items: "{{ range(4000) | list }}"\n    do:\n'
        "      - step: EMIT_EVENT\n        name: x\n        payload: \"{{ flowContext.item }} {{ secret('KEY') }}\"\n"
    )
    payloads: list[Any] = []
    environment(host=Host(sink=lambda name, payload: payloads.append(payload))).run(flow)
    assert payloads == ["***"] * 4000


def test_what_is_hidden_is_the_same_among_few_and_many_starts() -> None:
    chance = random.Random(7)
    letters = "abc"
    known = ["".join(chance.choices(letters, k=chance.randrange(6, 30))) for _ in range(300)]
    secrets = Secrets(lambda name: None)
    for text in known:
        secrets.add(text)
    for _ in range(300):
        text = "".join(chance.choices(letters + " -", (5, 5, 5, 1, 1), k=80))
        hidden = secrets.hide(text)
        assert not any(form in hidden for form in known), (text, hidden)
        assert not any(len(form) > 12 and form[:12] in hidden for form in known), (text, hidden)
        kept = [part for part in hidden.split("***") if part]
        at = 0
        for part in kept:
            at = text.index(part, at) + len(part)


def test_the_longest_of_alike_secrets_goes_and_of_a_cut_one_as_much_as_stands_there() -> None:
    secrets = Secrets(lambda name: None)
    for text in ("abcdefghijklm", "abcdefghijklm and cats", "abcdefghijklm and cats on mats", "abcdefghijklX-long"):
        secrets.add(text)
    assert secrets.hide("<abcdefghijklm and cats on mats>") == "<***>"
    assert secrets.hide("<abcdefghijklm and cats on ma…>") == "<*** on ma…>"
    assert secrets.hide("<abcdefghijklm and dogs>") == "<*** and dogs>"
    assert secrets.hide("<abcdefghijklX-lo…>") == "<***…>"
    assert secrets.hide("<abcdefghijklmabcdefghijklm>") == "<******>"


def test_secrets_that_overlap_in_a_text_are_both_hidden() -> None:
    secrets = Secrets(lambda name: None)
    secrets.add("abcdefXY")
    secrets.add("efXY12345")
    assert secrets.hide("<abcdefXY12345>") == "<***>"


def test_a_thread_that_hides_while_another_adds_secrets_shows_none() -> None:
    secrets = Secrets(lambda name: None, watching=True)
    secrets.add("start-abcdefghijklmnop")
    shown: list[Any] = []
    ended = threading.Event()

    def hide() -> None:
        while not ended.is_set():
            try:
                text = secrets.hide_in({"prompt": "the key is start-abcdefg… and more"})["prompt"]
            except RuntimeError as error:
                text = error
            if text != "the key is ***… and more":
                shown.append(text)

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    thread = threading.Thread(target=hide)
    try:
        thread.start()
        for number in range(300):
            secrets.add(f"another-{number}-{number * 7919}-zzzzzzzz")
    finally:
        ended.set()
        thread.join()
        sys.setswitchinterval(before)
    assert shown == []


CONTAINERS = {
    "ordered": OrderedDict(a=KEY),
    "with a default": defaultdict(list, a=[KEY]),
    "chained": ChainMap({"a": KEY}),
    "unchanging": MappingProxyType({"a": KEY}),
    "by key": OrderedDict({KEY: 1}),
    "set": {KEY, "plain"},
    "frozen set": frozenset((KEY,)),
    "named tuple": Pair("a", KEY),
    "set in a tuple": ({KEY},),
    "queue": deque([KEY]),
    "list of a user": UserList([KEY]),
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_a_secret_in_a_container_of_its_own_kind_is_hidden_and_marked(name: str) -> None:
    value = CONTAINERS[name]
    secrets = Secrets(lambda name: None)
    secrets.add(KEY)
    assert KEY not in repr(secrets.hide_in(value))
    assert holds_secret(secrets.marked(value))
    assert holds_secret(mark(value))
    noticed = Secrets(lambda name: None)
    noticed.notice(mark(value))
    assert KEY not in noticed.hide(f"<{KEY}>")


def test_a_container_of_its_own_kind_without_a_secret_stays_itself() -> None:
    secrets = Secrets(lambda name: None)
    secrets.add(KEY)
    for value in (OrderedDict(a=1), MappingProxyType({"a": ["x"]}), Pair("a", 1), deque("ab")):
        assert secrets.hide_in(value) is value
        assert secrets.marked(value) is value


def test_the_pickle_of_a_result_shows_no_secret_in_any_container() -> None:
    class Contain(Step, name="CONTAIN", outputs=(Port("object"),)):
        """Give a key in containers."""

        key: str
        """The key."""

        async def run(self, ctx: StepContext) -> Written:
            ctx.note("n", "t", {"h": OrderedDict(a=f"Bearer {self.key}")})
            more = [defaultdict(str, a=self.key), self.key.encode(), deque([self.key])]
            return {"object": {"o": OrderedDict(a=self.key), "s": {self.key}, "more": more}}

    events = Recorder()
    result = environment(Contain).run("flow:\n  - step: CONTAIN" + READS, on_event=events)
    assert KEY.encode() not in pickle.dumps(result)
    assert KEY not in repr(events.events)
    assert KEY not in repr(result.to_dict())


def test_a_secret_behind_a_login_is_found_in_base64() -> None:
    secrets = Secrets(lambda name: None)
    secrets.add(KEY)
    for before in ("", "u", "us", "user:", "Über:"):
        for after in ("", "!", "/2", "/more"):
            encoded = base64.b64encode(f"{before}{KEY}{after}".encode()).decode()
            hidden = secrets.hide(f"Basic {encoded}")
            assert "***" in hidden
            at = len(before.encode()) * 4 // 3 + 4  # the characters of the first and the last bytes may stand
            assert encoded[at : at + 12] not in hidden
    odd = "a>b?c~d>e?f~g>h?"
    secrets.add(odd)
    assert "***" in secrets.hide(base64.urlsafe_b64encode(f"x{odd}".encode()).decode())


class Chained(Step, name="CHAINED"):
    """Fail after something else failed."""

    how: str
    """In which way it came of that."""
    key: str
    """What that shows."""

    async def run(self, ctx: StepContext) -> Written:
        try:
            if self.how == "note":
                error = ValueError("refused")
                error.add_note(f"the key was {self.key}")
                raise error
            if self.how == "group":
                raise ExceptionGroup("two", [ValueError(f"refused {self.key}")])
            raise ValueError(f"the vendor refuses {self.key}")
        except (ValueError, ExceptionGroup):
            if self.how == "foreign":
                raise KeyError("refused")  # noqa: B904
            if self.how == "waits":
                await asyncio.sleep(60)
            if self.how == "tells":
                ctx.progress("refused")
            raise StepError("the vendor refuses")  # noqa: B904  a traceback shows the other too


@pytest.mark.parametrize("how", ["plain", "note", "group", "foreign"])
def test_a_secret_in_what_failed_before_stays_out_of_the_traceback(how: str) -> None:
    with pytest.raises(RunError) as caught:
        asyncio.run(environment(Chained).arun(f"flow:\n  - step: CHAINED\n    how: {how}" + READS))
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_failure_that_came_of_one_without_a_secret_keeps_it() -> None:
    flow = "flow:\n  - step: SET\n    a: \"{{ secret('KEY') }}\"\n  - step: CHAINED\n    how: plain\n    key: visible\n"
    with pytest.raises(RunError) as caught:
        asyncio.run(environment(Chained).arun(flow))
    assert "the vendor refuses visible" in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_what_failed_before_the_deadline_stays_out_of_the_traceback() -> None:
    flow = "flow:\n  - step: CHAINED\n    how: waits" + READS
    with pytest.raises(RunError) as caught:
        asyncio.run(environment(Chained, limits=Limits(timeout_s=0.1)).arun(flow))
    assert caught.value.code == "deadline"
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_what_failed_before_a_run_was_cancelled_stays_out_of_the_traceback() -> None:
    async def main() -> None:
        async with asyncio.timeout(0.1):
            await environment(Chained).arun("flow:\n  - step: CHAINED\n    how: waits" + READS)

    with pytest.raises(TimeoutError) as caught:
        asyncio.run(main())
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_secret_in_what_failed_before_a_listener_did_stays_out_of_the_traceback() -> None:
    def listener(event: Any) -> None:
        if isinstance(event, Progress):
            raise LookupError("the listener fails")

    with pytest.raises(LookupError) as caught:
        asyncio.run(environment(Chained).arun("flow:\n  - step: CHAINED\n    how: tells" + READS, on_event=listener))
    assert KEY not in "".join(traceback.format_exception(caught.value))


def test_a_marked_number_in_a_tuple_stays_marked() -> None:
    assert mark((7913, "ab")) == (7913, "ab")
    assert [type(item) for item in mark((7913, "ab"))] == [SecretInteger, SecretText]


SHORT = """
flow:
  - step: FOR
    var: item
    items: "{{ [secret('KEY') | upper | truncate(4, true, ''), secret('PIN') | int, {'name': secret('PIN')}] }}"
    do:
      - step: DRAW
        id: pic
"""


class Draw(Step, name="DRAW"):
    """Make a picture."""

    def run(self, ctx: StepContext) -> None:
        ctx.store.add(b"GIF89a\1\0\1\0" + b"\0" * 20 + ctx.path.encode() + str(len(ctx.store.made)).encode())


def test_a_short_secret_that_is_an_item_names_neither_progress_nor_files(tmp_path: Path) -> None:
    events = Recorder()
    secrets = {"KEY": "qrstuvwx12345", "PIN": "7913"}
    storage = Storage(images=tmp_path / "images", output=tmp_path)
    Environment(settings=None, steps=[Draw], environ=secrets, storage=storage).run(SHORT, on_event=events)
    progress = [event for event in events.events if isinstance(event, Progress)]
    assert [event.text for event in progress if event.item is not None] == ["***"] * 3
    names = [path.name for path in (tmp_path / "images").iterdir()]
    assert len([name for name in names if name.startswith("pic")]) >= 1
    shown = f"{names} {(tmp_path / 'images' / 'manifest.json').read_text()} {events.events}"
    assert "QRST" not in shown.upper() and "7913" not in json.dumps(names)


def test_an_item_of_thousands_of_digits_has_a_name() -> None:
    flow = "inputs: {x: {}}\nflow:\n  - step: FOR\n    var: i\n    items: '{{ inputs.x }}'\n    do: []\n"
    events = Recorder()
    environment().run(flow, {"x": [10**5000]}, on_event=events)
    assert "Infinity" in [event.text for event in events.events if isinstance(event, Progress)]


class Ask(Step, name="ASK", outputs=("text", Port("object", optional=True))):
    """Send a key to somebody who repeats it."""

    how: str
    """What comes of it."""
    key: str
    """The key."""
    pin: int | None = None
    """A number."""

    async def run(self, ctx: StepContext) -> Written:
        async def asked() -> dict[str, Any]:
            ctx.progress(f"using {self.key}")
            ctx.note("n", f"note {self.key}", {"a": self.key})
            if self.how == "own":
                raise StepError(f"refused {self.key}", hint=f"not {self.key}")
            if self.how == "foreign":
                raise ValueError(f"refused {self.key}")
            blob = Blob(b"\xff " + self.key.encode(), "text/plain")
            return {"text": f"echo {self.key}", "object": {self.key: [self.key.encode(), blob, self.pin]}}

        return await ctx.effect("http", {"key": self.key}, asked)


@pytest.mark.parametrize("how", ["done", "own", "foreign"])
def test_a_recording_shows_no_secret_that_a_response_or_an_error_repeats(how: str, tmp_path: Path) -> None:
    flow = f"flow:\n  - step: ASK\n    how: {how}" + READS + "    pin: \"{{ secret('PIN') }}\"\n"
    given = Environment(settings=None, steps=[Ask], environ={"KEY": KEY, "PIN": "790913"})
    recording = Recording()
    with contextlib.suppress(RunError):
        given.run(flow, effects=recording)
    recording.save(tmp_path)
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b"***" in kept
    for secret in (KEY, "790913"):
        assert secret.encode() not in kept
        assert base64.b64encode(secret.encode())[:12] not in kept
    with contextlib.suppress(RunError):
        given.run(flow, effects=(replay := Replay(Recording.load(tmp_path))))
    assert (replay.missing, replay.unused) == ([], [])


def test_a_secret_in_a_container_that_an_error_holds_is_hidden() -> None:
    class Holds(Step, name="HOLDS"):
        """Fail with a key."""

        key: str
        """The key."""

        def run(self, ctx: StepContext) -> None:
            error = StepError("refused")
            vars(error).update(said=(self.key,), seen={self.key}, sent=OrderedDict(a=self.key), raw=self.key.encode())
            raise error

    with pytest.raises(StepError) as caught:
        environment(Holds).run("flow:\n  - step: HOLDS" + READS)
    assert KEY not in str({name: value for name, value in vars(caught.value).items() if name != "result"})


def test_what_a_vendor_says_of_a_picture_repeats_no_secret(tmp_path: Path) -> None:
    class Say(Step, name="SAY", outputs=("image",)):
        """Store a picture of which somebody says the key."""

        key: str
        """The key."""

        async def run(self, ctx: StepContext) -> Written:
            with ctx.store.writer() as writer:
                writer.write(b"GIF89a\1\0\1\0" + b"\0" * 20)
                return {"image": writer.commit(url=f"https://x/?k={self.key}", revised_prompt=f"with {self.key}")}

    storage = Storage(images=tmp_path, output=tmp_path)
    events = Recorder()
    result = environment(Say, storage=storage).run("flow:\n  - step: SAY" + READS, on_event=events)
    assert result.made[0].revised_prompt == "with ***"
    said = [result.to_dict(), *(event.to_dict() for event in events.events), *map(dict, result.made)]
    assert KEY not in str(said) and KEY.encode() not in pickle.dumps(result)


@pytest.mark.parametrize("secret", ["ab/cd+ef12/34=", 'Pä"ss/wort9'], ids=["of base64", "of letters"])
@pytest.mark.parametrize(
    "written",
    [
        lambda text: quote(text, safe=""),
        lambda text: re.sub("%..", lambda found: found[0].lower(), quote(text, safe="")),
        quote_plus,
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1].replace("/", "\\/"),
        lambda text: text.encode().hex().upper(),
    ],
    ids=["percent", "small percent", "form", "json", "json of php", "plain json of php", "large hex"],
)
def test_a_secret_that_a_server_writes_in_its_own_way_is_hidden(secret: str, written: Callable[[str], str]) -> None:
    secrets = Secrets(lambda name: secret)
    secrets.add(secret)
    assert secrets.hide(f"no such page: /a?key={written(secret)} at all") == "no such page: /a?key=*** at all"


@pytest.mark.parametrize(
    "hold",
    [
        lambda secret: {("a", secret): 1},
        lambda secret: {secret.encode(): 1},
        lambda secret: {frozenset((secret,)): 1},
        lambda secret: bytearray(secret.encode()),
        lambda secret: {1: secret}.values(),
        lambda secret: {1: secret}.items(),
        lambda secret: {secret: 1}.keys(),
    ],
    ids=["tuple as key", "bytes as key", "set as key", "bytearray", "values", "items", "keys"],
)
def test_a_secret_in_a_key_or_a_view_of_a_map_is_hidden(hold: Callable[[str], Any]) -> None:
    secrets = Secrets(lambda name: "sk-secretsecret99")
    secrets.add("sk-secretsecret99")
    assert "sk-secretsecret99" not in repr(secrets.hide_in(hold("sk-secretsecret99")))
    assert secrets.hide_in(hold("nothing")) == hold("nothing") or "nothing" in repr(secrets.hide_in(hold("nothing")))


def test_a_request_that_is_made_again_is_hidden_as_it_is_then() -> None:
    told = asyncio.Event()

    class Twice(Step, name="TWICE"):
        """Make the same request before and after it has changed, and a secret has come to be known."""

        async def run(self, ctx: StepContext) -> Written:
            request: dict[str, Any] = {"text": f"a letter to {KEY}", "page": 1}
            for page in (1, 2, 2):
                request["page"] = page
                await ctx.effect("write", request, told.wait)
            return {}

    class Tell(Step, name="TELL"):
        """Let the other one go on."""

        text: str = ""

        async def run(self, ctx: StepContext) -> Written:
            told.set()
            return {}

    tell = "    - - step: TELL\n        text: \"{{ secret('KEY') }}\"\n"
    recording = Recording()
    asyncio.run(
        environment(Twice, Tell).arun(f"- step: PARALLEL\n  steps:\n    - - step: TWICE\n{tell}", effects=recording)
    )
    asked = [each.request for each in recording.recorded if each.key == "write"]
    assert asked == [
        {"text": f"a letter to {KEY}", "page": 1},
        {"text": "a letter to ***", "page": 2},
        {"text": "a letter to ***", "page": 2},
    ]


@pytest.mark.parametrize("kind", [dict, OrderedDict, defaultdict])
@pytest.mark.parametrize("is_inside", [True, False], ids=["inside", "outside"])
def test_a_request_of_whatever_kind_that_has_changed_is_looked_through_again(
    kind: Callable[..., Any], is_inside: bool
) -> None:
    class Twice(Step, name="TWICE"):
        """Make a request, and the same with a secret in it."""

        text: str

        async def run(self, ctx: StepContext) -> Written:
            said = kind()
            said["text"] = "nothing"
            request = {"said": said} if is_inside else said
            for text in ("nothing", f"a letter to {KEY}"):
                said["text"] = text
                await ctx.effect("write", request, lambda: asyncio.sleep(0))
            return {}

    recording = Recording()
    flow = "- step: TWICE\n  text: \"{{ secret('KEY') }}\"\n"
    asyncio.run(environment(Twice).arun(flow, effects=recording))
    last = [each.request for each in recording.recorded if each.key == "write"][-1]
    assert dict(last["said"] if is_inside else last) == {"text": "a letter to ***"}


def test_a_request_that_holds_itself_can_be_made_again() -> None:
    class Twice(Step, name="TWICE"):
        """Make a request twice."""

        async def run(self, ctx: StepContext) -> Written:
            request: dict[str, Any] = {"text": "nothing"}
            request["self"] = request
            for _ in range(2):
                await ctx.effect("write", request, lambda: asyncio.sleep(0))
            return {}

    class Open:
        async def perform(self, effect: Effect, act: Callable[[], Any]) -> Any:
            asked.append(effect.request["text"])
            return await act()

        def perform_now(self, effect: Effect, act: Callable[[], Any]) -> Any:
            return act()

    asked: list[str] = []
    asyncio.run(environment(Twice).arun("- step: TWICE\n", effects=Open()))
    assert asked == ["nothing"] * 2


def test_what_a_run_adds_to_the_secrets_of_others_is_its_own() -> None:
    mine, theirs = many(0), many(0)
    mine.add("another-secret-of-mine")
    assert mine.hide(f"{KEY} and another-secret-of-mine") == "*** and ***"
    assert theirs.hide(f"{KEY} and another-secret-of-mine") == "*** and another-secret-of-mine"
    assert many(0).hide("another-secret-of-mine") == "another-secret-of-mine"
