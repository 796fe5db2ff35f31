"""Many links in one response: fetched side by side, each told that did not come, and none waited for for ever."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from image_told import BOAT, GIF, JPEG, ORDER, PNG, order, told
from web_server import Routes, Web, hang, response

from flowdsl import Environment, Limits, RunError, ServiceError, Storage
from flowdsl_steps.image import fetch

PLACES = [f"i{number}" for number in range(24)]


@pytest.fixture(autouse=True)
def _short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch, "_PAUSE_S", 0.0)


def links(*names: str) -> bytes:
    return order(*({"url": f"/{name}"} for name in names))


class Slow(Routes):
    """Responses to whoever waits until so many others wait too."""

    def __init__(self, responses: dict[str, list[Any]], together: int) -> None:
        super().__init__(responses)
        self._gate = threading.Barrier(together)
        self.peak, self._now, self._lock = 0, 0, threading.Lock()

    def take(self, seen: Any) -> Any:
        given = super().take(seen)
        if seen.method != "GET":
            return given

        def send(connection: Any, ended: threading.Event) -> None:
            with self._lock:
                self._now += 1
                self.peak = max(self.peak, self._now)
            self._gate.wait(30)  # one after the other would wait here for ever
            with self._lock:
                self._now -= 1
            connection.sendall(given)

        return send


@pytest.mark.long
def test_links_of_a_response_are_fetched_side_by_side_and_stay_in_order(tmp_path: Path) -> None:
    pictures = [PNG + bytes([number]) for number in range(24)]
    answers: dict[str, list[Any]] = {ORDER: [links(*PLACES)]}
    answers |= {f"GET /{name}": [response(picture)] for name, picture in zip(PLACES, pictures, strict=True)}
    with Web(routes=(slow := Slow(answers, fetch.FETCHED_AT_ONCE))) as web:
        found = told(tmp_path, web)
    assert (found.error, found.made, slow.peak) == (None, pictures, fetch.FETCHED_AT_ONCE)
    listed = found.result.context["imageList"]
    assert [Path(image.original).read_bytes() for image in listed] == pictures


def test_links_that_hang_cost_the_time_of_one_deadline_and_are_all_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "FETCH_ALL_S", 0.5)
    answers: dict[str, list[Any]] = {ORDER: [links("a", *PLACES, "z")]}
    answers |= {f"GET /{name}": [hang] for name in PLACES}
    answers |= {"GET /a": [response(GIF)], "GET /z": [response(JPEG)]}
    with Web(routes=Routes(answers)) as web:
        began = time.monotonic()
        found = told(tmp_path, web)
        assert time.monotonic() - began < 20  # and not as long as one of them hangs
    assert isinstance(found.error, ServiceError)
    assert (found.error.code, found.error.charge_possible, found.orders) == ("image-not-fetched", True, 1)
    assert found.made == [GIF]
    assert found.left == sorted(f"/{name}" for name in [*PLACES, "z"])
    assert [url.rpartition("/")[2] for url in found.error.details["urls"]] == [*PLACES, "z"]
    assert "not complete within 0.5 s" in str(found.error)


@pytest.mark.long
def test_dead_links_among_good_ones_lose_none_of_them(tmp_path: Path) -> None:
    answers: dict[str, list[Any]] = {ORDER: [links(*PLACES)]}
    good = {name: PNG + name.encode() for name in PLACES[::3]}
    answers |= {f"GET /{name}": [response(picture)] for name, picture in good.items()}
    with Web(routes=Routes(answers)) as web:
        found = told(tmp_path, web)
    assert isinstance(found.error, ServiceError)
    assert [Path(image.original).read_bytes() for image in found.error.details["images"]] == [*good.values()]
    assert found.left == sorted(f"/{name}" for name in PLACES if name not in good)


def test_a_run_that_ends_while_links_are_fetched_tells_each_that_did_not_come(tmp_path: Path) -> None:
    answers: dict[str, list[Any]] = {ORDER: [links("a", *PLACES)], "GET /a": [response(GIF)]}
    answers |= {f"GET /{name}": [hang] for name in PLACES}
    with Web(routes=Routes(answers)) as web:
        entry = {"endpoint": f"{web.url}/v1", "apiKey": "sk-0123456789"}
        environment = Environment(
            services={"OPENAI_IMAGE_GENERATION": entry},
            storage=Storage(images=tmp_path),
            limits=Limits(private_addresses=True, timeout_s=0.7),
        )
        with pytest.raises(RunError, match="took longer") as raised:
            environment.run(BOAT)
    result = raised.value.result
    assert result is not None
    left = {text.rpartition("/")[2] for code, text in result.notes if code == "image-left"}
    assert (left, [Path(image.original).read_bytes() for image in result.made]) == ({*PLACES}, [GIF])


def test_a_bug_while_links_are_fetched_ends_them_all_and_tells_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*given: Any, **more: Any) -> Any:
        raise TypeError("a bug of ours")

    monkeypatch.setattr(fetch, "_followed", broken)
    with Web(links(*PLACES)) as web:
        found = told(tmp_path, web)
    assert found.error is not None and found.error.charge_possible
    assert found.left == sorted(f"/{name}" for name in PLACES)


def test_pictures_of_links_are_named_in_order_whichever_comes_first(tmp_path: Path) -> None:
    def late(connection: Any, ended: threading.Event) -> None:
        ended.wait(0.05)
        connection.sendall(response(PNG))

    for last, count in (("z", 3), ("dead", 2)):
        folder, names = tmp_path / last, [f"image-{number + 1}.png" for number in range(count)]
        answers: dict[str, list[Any]] = {ORDER: [links("late", "b", last)], "GET /late": [late]}
        answers |= {"GET /b": [response(PNG + b"b")], "GET /z": [response(PNG + b"z")]}
        with Web(routes=Routes(answers)) as web:
            found = told(folder, web)
        assert [Path(image.path).name for image in found.result.made] == names
        assert [Path(image.original).read_bytes() for image in found.result.made] == [PNG, PNG + b"b", PNG + b"z"][
            :count
        ]
        listed = json.loads((folder / "manifest.json").read_text())["images"]
        assert [Path(line["file"]).name for line in listed] == names
