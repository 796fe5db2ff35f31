"""A vendor of somebody else's package that does what it must not: the plugin is named, and what is paid is told."""

from __future__ import annotations

import asyncio
import base64
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from aurora_server import KEY, AuroraServer, aurora_server
from image_pictures import drawn
from installed_vendors import made_up_vendor

import flowdsl
from flowdsl import Environment, Host, PluginError, Result, RunError, Storage, services
from flowdsl.cli import main
from flowdsl.image.store import ImageStore
from flowdsl_steps.http.request import HttpRequest
from flowdsl_steps.image.failure import Failure
from flowdsl_steps.image.received import LinkedImage, Received
from flowdsl_steps.image.response import ResponseReader
from flowdsl_steps.image.simulator.stand_in import overrides
from flowdsl_steps.image.vendor import Endpoint, Poll

WHERE = "the image vendor plugin `aurora` (aurora_vendor:VENDOR)"
FLOW = """\
services:
  NORTH: {provider: aurora, endpoint: ENDPOINT, apiKey: "{{ secret('AURORA_KEY') }}"}
flow:
  - {step: OPENAI_IMAGE_GENERATION, service: NORTH, model: borealis-1, instruction: A boat, timeoutMs: 5000}
"""


@pytest.fixture(scope="module")
def server() -> Iterator[AuroraServer]:
    with aurora_server() as running:
        yield running


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, server: AuroraServer) -> Iterator[Any]:
    """The made-up vendor; what is set on it goes with the test."""
    server.orders.clear()
    server.polls = 2  # what is ordered is there at once
    with made_up_vendor(monkeypatch):
        import aurora_vendor

        with monkeypatch.context() as patch:
            yield SimpleNamespace(
                set=lambda name, value: patch.setattr(aurora_vendor.VENDOR, name, value, raising=False),
                real=aurora_vendor.VENDOR,
            )


def raising(error: BaseException) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        raise error

    return fail


def giving(value: Any) -> Callable[..., Any]:
    return lambda *_, **__: value


async def coroutine(*_: Any, **__: Any) -> None:
    """An async function where a plain one is meant."""


def generator(*_: Any, **__: Any) -> Iterator[int]:
    yield 1


ODD: dict[str, Any] = {
    "an error": raising(ValueError("odd")),
    "an error without a text": raising(Exception()),
    "an endless recursion": raising(RecursionError("deep")),
    "the end of an iterator": raising(StopIteration()),
    "the end of the process": raising(SystemExit(3)),
    "a cancellation": raising(asyncio.CancelledError()),
    "NaN": giving(math.nan),
    "less than nothing": giving(-1.0),
    "a text": giving("text"),
    "bytes": giving(b"bytes"),
    "an object": giving(object()),
    "a list of null": giving([None]),
    "a map": giving({1: "a"}),
    "a coroutine": coroutine,
    "a generator": generator,
    "no function": 5,
    "a function of nothing": lambda: None,
}
NULL_IS_RIGHT = ("next", "failure", "most", "cost")
BEFORE = ("images_per_request", "endpoint", "encode", "most")
AFTER = ("decode", "next")


def run(server: AuroraServer, folder: Path, prompt: str = "A boat", **more: Any) -> Result:
    storage = Storage(images=folder / "images", output=folder / "output")
    environment = Environment(host=Host(secrets={"AURORA_KEY": KEY, **more}.get), storage=storage)
    return environment.run(FLOW.replace("ENDPOINT", server.url).replace("A boat", prompt))


def odd_for(method: str) -> list[str]:
    return [*ODD] if method in NULL_IS_RIGHT else [*ODD, "null"]


CASES = [(method, odd) for method in (*BEFORE, *AFTER) for odd in odd_for(method)]


@pytest.mark.parametrize(
    ("method", "odd"), CASES, ids=[f"{odd} in {method}".replace("_", " ") for method, odd in CASES]
)
def test_what_a_vendor_does_is_an_error_that_names_it(
    method: str, odd: str, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    vendor.set(method, giving(None) if odd == "null" else ODD[odd])
    with pytest.raises(RunError) as failed:
        run(server, tmp_path)
    assert failed.value.code == "plugin-failed"
    assert failed.value.message.startswith(f"{WHERE} ")
    assert f"`{method}`" in failed.value.message
    assert (failed.value.charge_possible, len(server.orders)) == ((True, 1) if method in AFTER else (False, 0))


@pytest.mark.parametrize("odd", [*ODD, "null"])
def test_problems_that_are_none_are_an_error_at_check(odd: str, vendor: Any, server: AuroraServer) -> None:
    vendor.set("supports", giving(None) if odd == "null" else ODD[odd])
    with pytest.raises(PluginError) as failed:
        flowdsl.check(FLOW.replace("ENDPOINT", server.url).replace("5000", str(6000 + [*ODD, "null"].index(odd))))
    assert str(failed.value).startswith(f"{WHERE} ")


def test_the_command_line_says_it_in_one_line(
    vendor: Any, server: AuroraServer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    vendor.set("supports", ODD["an error"])
    file = tmp_path / "a.flow.yaml"
    file.write_text(FLOW.replace("ENDPOINT", server.url).replace("5000", "7777"), encoding="utf-8")
    code = main(["validate", str(file)])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err == f"flowdsl: {WHERE} failed in `supports`: ValueError: odd\n"


@pytest.mark.parametrize("odd", ODD)
def test_a_cost_that_is_none_is_not_known_and_the_picture_is_kept(
    odd: str, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    vendor.set("cost", ODD[odd])
    done = run(server, tmp_path)
    assert (done.cost_usd, len(done.images)) == (None, 1)
    assert [code for code, _ in done.notes] == ["plugin-fault"]
    assert WHERE in done.notes[0][1]


@pytest.mark.parametrize("odd", ODD)
def test_a_refusal_is_one_whatever_the_vendor_makes_of_it(
    odd: str, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    vendor.set("failure", ODD[odd])
    with pytest.raises(flowdsl.ServiceRefused) as failed:
        run(server, tmp_path, AURORA_KEY="another-key-0123456789")
    assert failed.value.message.startswith(f"NORTH does not accept the key (401): {WHERE}")
    assert not failed.value.charge_possible


GOOD = Endpoint("NORTH", "http://127.0.0.1:9/v1", {}, "m")
SENT = HttpRequest("POST", "http://127.0.0.1:9/v1", {}, b"x")
FIELDS: dict[str, tuple[str, Any]] = {
    "an address of a file": ("endpoint", GOOD._replace(url="file:///etc/passwd")),
    "an address with a line break": ("endpoint", GOOD._replace(url="http://127.0.0.1:9/\r\nx")),
    "an address in bytes": ("endpoint", GOOD._replace(url=b"http://127.0.0.1:9")),
    "a header with a line break": ("endpoint", GOOD._replace(headers={"X-Key": "a\r\nX-More: b"})),
    "a header without a name": ("endpoint", GOOD._replace(headers={"": "a"})),
    "a number for a header": ("endpoint", GOOD._replace(headers={"X-Key": 5})),
    "headers as a list": ("endpoint", GOOD._replace(headers=[("X", "a")])),
    "secrets as a text": ("endpoint", GOOD._replace(secrets="abc")),
    "a model that is a number": ("endpoint", GOOD._replace(label=5)),
    "a signature that is a text": ("endpoint", GOOD._replace(sign="abc")),
    "a body that is a text": ("encode", SENT._replace(content="text")),
    "a body that is a map": ("encode", SENT._replace(content={"a": 1})),
    "a method with a blank": ("encode", SENT._replace(method="POST /x")),
    "a method in bytes": ("encode", SENT._replace(method=b"POST")),
    "an address of data": ("encode", SENT._replace(url="data:text/plain,x")),
    "a header of the request with a line break": ("encode", SENT._replace(headers={"X-A": "a\nb"})),
    "a question without a request": ("next", Poll(None)),  # type: ignore[arg-type]  # that is what is odd
    "a question after NaN": ("next", Poll(SENT, math.nan)),
    "a question before now": ("next", Poll(SENT, -5)),
    "a question in a year": ("next", Poll(SENT, 3e7)),
}


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_that_cannot_be_used_is_named(case: str, vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    method, value = FIELDS[case]
    vendor.set(method, giving(value))
    with pytest.raises(RunError) as failed:
        run(server, tmp_path)
    assert (failed.value.code, failed.value.charge_possible) == ("plugin-failed", method == "next")
    assert failed.value.message.startswith(f"{WHERE} gave ")


SIGNATURES: dict[str, Any] = {
    "a plain function": giving({}),
    "an error": raising(ValueError("odd")),
    "nothing": coroutine,
}


@pytest.mark.parametrize("case", SIGNATURES)
def test_a_signature_that_is_none_is_an_error_before_anything_is_sent(
    case: str, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    real = vendor.real.endpoint
    vendor.set("endpoint", lambda *given: real(*given)._replace(sign=SIGNATURES[case]))
    with pytest.raises(RunError) as failed:
        run(server, tmp_path)
    assert failed.value.message.startswith(WHERE)
    assert server.orders == []


class Reader(ResponseReader):
    """Gives what it was made with, and a picture of its own that is stored first."""

    def __init__(self, store: ImageStore, found: Any) -> None:
        super().__init__()
        self.picture = store.add(drawn("PNG", (8, 8)))
        self.found = found

    def finish(self) -> Received:
        return self.found(self.picture)  # type: ignore[no-any-return]  # that is what is odd

    def salvage(self) -> list[Any]:
        return [self.picture]

    def _feed(self, chunk: bytes) -> None:
        pass

    def _abort(self) -> None:
        pass


FACTS: dict[str, Any] = {
    "a usage that is no number": {"usage": {"output_tokens": "many"}},
    "a usage of NaN": {"usage": {"output_tokens": math.nan}},
    "a usage that is a list": {"usage": [1]},
    "a usage in a usage": {"usage": {"details": {"text": object()}}},
    "a cost below nothing": {"cost_usd": -3.0},
    "a cost without end": {"cost_usd": math.inf},
    "a cost that is a text": {"cost_usd": "3"},
    "a size of NaN": {"size": math.nan},
    "a size that is a pair": {"size": (1, 2)},
    "a quality in bytes": {"quality": b"high"},
    "a request id that is a number": {"request_id": 7},
    "a payload that is a list": {"payload": [1]},
    "no reason to finish": {"finish_reason": None},
}


@pytest.mark.parametrize("case", FACTS)
def test_a_fact_that_is_none_costs_no_picture(case: str, vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    vendor.set("decode", lambda head, store, limit: Reader(store, lambda own: Received((own,), **FACTS[case])))
    vendor.set("next", giving(None))
    done = run(server, tmp_path)
    assert len(done.images) == 1
    assert [code for code, _ in done.notes] == ["plugin-fault"]
    assert done.notes[0][1].startswith(f"{WHERE} gave ")
    assert done.cost_usd is None
    assert done.to_json()


PICTURES: dict[str, Any] = {
    "bytes for a picture": lambda own: Received((own, b"\x89PNG")),
    "nothing for a picture": lambda own: Received((own, None)),
    "a link that is no text": lambda own: Received((own, LinkedImage(5, None, None))),  # type: ignore[arg-type]
    "a text for all": lambda own: Received("abc"),
    "a list for all, one of them none": lambda own: Received([own, 5]),
    "thousands": lambda own: Received((own,) * 5000),
}


@pytest.mark.parametrize("case", PICTURES)
def test_what_is_no_picture_costs_no_other(case: str, vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    vendor.set("decode", lambda head, store, limit: Reader(store, PICTURES[case]))
    vendor.set("next", giving(None))
    try:
        done = run(server, tmp_path)
    except RunError as failed:
        assert failed.charge_possible
        images = failed.result.made
        assert case == "a text for all"
    else:
        assert done.notes[0][1].startswith(f"{WHERE} gave ")
        images = done.images
    assert 1 <= len(images) <= 64
    assert list((tmp_path / "images").glob("OPENAI*")) or list((tmp_path / "images").glob("*.png"))


@pytest.mark.parametrize(
    "found",
    [
        *(raising(each) for each in (ValueError("odd"), SystemExit(3), asyncio.CancelledError(), KeyError("data"))),
        *(giving(each) for each in (None, "text", 5, {"images": []})),
    ],
    ids=["an error", "an end", "a cancellation", "a key", "nothing", "a text", "a number", "a map"],
)
def test_a_reader_that_fails_at_its_end_loses_no_picture(
    found: Any, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    vendor.set("decode", lambda head, store, limit: Reader(store, found))
    with pytest.raises(RunError) as failed:
        run(server, tmp_path)
    assert failed.value.message.startswith(f"{WHERE} ")
    assert (failed.value.charge_possible, len(server.orders), len(failed.value.result.made)) == (True, 1, 1)


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "data:image/png;base64,AAAA", "ftp://127.0.0.1/x", "http://[::1", "", "javascript:x"]
)
@pytest.mark.parametrize("beside", [True, False], ids=["beside a picture", "alone"])
def test_a_link_that_leads_nowhere_is_told_and_the_picture_beside_it_kept(
    url: str, beside: bool, vendor: Any, server: AuroraServer, tmp_path: Path
) -> None:
    link = LinkedImage(url, None, None)
    vendor.set(
        "decode", lambda head, store, limit: Reader(store, lambda own: Received((own, link) if beside else (link,)))
    )
    vendor.set("next", giving(None))
    with pytest.raises(flowdsl.ServiceError) as failed:
        run(server, tmp_path)
    assert (failed.value.code, failed.value.charge_possible) == ("image-not-fetched", True)
    assert len(failed.value.details.get("images", ())) == beside


def test_a_picture_of_no_bytes_is_told_as_paid(vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    def empty(store: ImageStore) -> Any:
        return store.writer(100).commit()

    vendor.set("decode", lambda head, store, limit: Reader(store, lambda own: Received((empty(store),))))
    with pytest.raises(RunError) as failed:
        run(server, tmp_path)
    assert failed.value.charge_possible
    assert len(failed.value.result.made) == 1


DATA: dict[str, tuple[str, Any, str]] = {
    "another name": ("name", "boreal", "its `name` is 'boreal'"),
    "no title": ("title", None, "its `title`"),
    "hosts as a text": ("hosts", "api.aurora.example", "its `hosts`"),
    "a host of nothing": ("hosts", ("",), "its `hosts`"),
    "settings as texts": ("settings", ("project",), "its `settings`"),
    "names as a list": ("other_names", [("a", "b")], "its `other_names`"),
    "variables as a text": ("environment", {"apiKey": "AURORA_KEY"}, "its `environment`"),
    "a deployment that is a number": ("deployment_setting", 5, "its `deployment_setting`"),
}


@pytest.mark.parametrize("case", DATA)
def test_data_of_another_shape_is_an_error_when_the_vendor_is_loaded(
    case: str, vendor: Any, server: AuroraServer
) -> None:
    name, value, said = DATA[case]
    vendor.set(name, value)
    services.provider.cache_clear()
    with pytest.raises(PluginError) as failed:
        flowdsl.check(FLOW.replace("ENDPOINT", server.url))
    start = "the image vendors plugin `aurora` cannot be loaded from aurora_vendor:VENDOR: "
    assert str(failed.value).startswith(start + said)


def test_a_class_in_place_of_its_object_is_named(vendor: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import aurora_vendor

    monkeypatch.setattr(aurora_vendor, "VENDOR", aurora_vendor.Aurora)
    services.provider.cache_clear()
    with pytest.raises(PluginError, match="it is the class Aurora, and not an object of it"):
        services.provider("aurora")


@pytest.mark.parametrize("odd", [*ODD, "null"])
def test_models_and_a_stand_in_that_are_none_name_the_plugin(
    odd: str, vendor: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    value = giving(None) if odd == "null" else ODD[odd]
    vendor.set("simulate", value)
    with pytest.raises(PluginError, match="the image vendor plugin `aurora`"):
        overrides("http://127.0.0.1:9", "k")
    vendor.set("models", value)
    assert main(["models"]) == 2
    assert capsys.readouterr().err.startswith(f"flowdsl: {WHERE} failed in `models`: ")


def test_words_of_a_failure_that_are_none_count_as_none(vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    vendor.set("failure", giving(Failure(b"bytes", details=[1], retry_class="often")))  # type: ignore[arg-type]
    with pytest.raises(flowdsl.ServiceRefused, match="plugin `aurora`"):
        run(server, tmp_path, AURORA_KEY="another-key-0123456789")


def test_base64_is_read_as_before(vendor: Any, server: AuroraServer, tmp_path: Path) -> None:
    done = run(server, tmp_path)
    assert base64.b64encode(done.images[0].read()) == base64.b64encode(drawn("PNG"))
    assert (done.cost_usd, done.notes) == (pytest.approx(0.02), ())
