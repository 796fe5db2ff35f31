"""Every example, recorded on the simulator and replayed without a network: the same outputs, and the same events."""

from __future__ import annotations

import json
import shutil
import socket
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pytest
from loopback_web import running_web
from studio import EXAMPLES, Studio, png

import flowdsl
from flowdsl.testing import Recorder, Recording, Replay
from flowdsl_steps.image.simulator import Fault, Simulator

pytestmark = pytest.mark.long  # processes, and every example twice


class Case(NamedTuple):
    """A run of an example: its inputs (`WEB` stands for the web server's address), an action, faults of the service."""

    file: str
    inputs: dict[str, Any] | None = None
    action: str | None = None
    faults: tuple[Fault, ...] = ()


CASES = {
    "azure": Case("azure.flow.yaml"),
    "postcard": Case("postcard.flow.yaml"),
    "skyline": Case("skyline.flow.yaml"),
    "two takes": Case("two-takes.flow.yaml"),
    "newsletter": Case("newsletter.flow.yaml", {"feed": "WEB/feed.json", "count": 2}),
    "avatars": Case("avatars.flow.yaml", {"people": [{"name": name, "likes": "tea"} for name in ("Mo", "Ida", "Zoe")]}),
    "product shots": Case("product-shots.flow.yaml"),
    "product shots with a fallback": Case("product-shots.flow.yaml", faults=(Fault("quota", times=2),)),
    "comic": Case("comic.flow.yaml"),
    "four sizes": Case("four-sizes.flow.yaml"),
    "gentle prompt": Case("gentle-prompt.flow.yaml"),
    "gentle prompt refused twice": Case("gentle-prompt.flow.yaml", faults=(Fault("moderation", times=2),)),
    "skyline after a retry": Case("skyline.flow.yaml", faults=(Fault("rate_limit", retry_after=0.01),)),
    "museum": Case("museum.flow.yaml", {"api": "WEB/v1", "subject": "boats"}),
    "release banner": Case(
        "release-banner.flow.yaml", {"api": "WEB", "repository": "me/tool", "tag": "2.0", "pause_ms": 1}
    ),
    "kit: event poster": Case("studio.ai-kit.yaml", action="Event poster"),
    "kit: menu picture": Case("studio.ai-kit.yaml", action="Menu picture"),
    "kit: icon": Case("studio.ai-kit.yaml", action="Icon"),
    "kit: icon that is refused": Case("studio.ai-kit.yaml", action="icon", faults=(Fault("quota"),)),
}


def responses(web: str) -> dict[str, Any]:
    """What the web server responds."""
    works = [{"id": 1, "title": "Boats at Rest", "image_id": "a"}, {"id": 2, "title": "Harbor", "image_id": "b"}]
    return {
        "/feed.json": {"items": [{"title": title, "summary": "Short."} for title in ("Rain", "Bridges", "Ferries")]},
        "/v1/artworks/search": {"data": works, "config": {"iiif_url": f"{web}/iiif"}},
        "/iiif/a/full/843,/0/default.jpg": png("navy"),
        "/iiif/b/full/843,/0/default.jpg": png("teal"),
        "/repos/me/tool/releases/tags/2.0": [None, None, {"name": "2.0 Aurora", "html_url": "https://example.com/2.0"}],
    }


def outcome(studio: Studio, case: Case, inputs: Any, effects: flowdsl.Effects) -> tuple[dict[str, Any], dict[str, Any]]:
    """What came of a run, and its events by invocation, without times and ids."""
    recorder = Recorder()
    try:
        result = studio.run(case.file, inputs, case.action, on_event=recorder, effects=effects)
        found = {"outputs": result.to_json(), "cost": round(result.cost_usd or 0, 9), "steps": result.steps}
        found["pictures"] = [image.sha256 for image in result.images]
    except flowdsl.RunError as error:
        found = error.to_dict()
    events = defaultdict(list)
    for event in recorder.events:
        events[event.invocation.key].append(neutral(event))
    return found, dict(events)


def neutral(event: flowdsl.Event) -> dict[str, Any]:
    """An event as JSON values without times and ids; its place among the invocations is given otherwise.

    The pictures of a run stand in the order in which they were complete: where steps run side by side, that is a time.
    So is how many iterations have ended when another one begins.
    """
    hidden = ("run", "at_s", "elapsed_s", "invocation", "parent", "cost_usd")
    found = {name: value for name, value in event.to_dict().items() if name not in hidden}
    if found.get("item") is not None:
        del found["done"]
    if isinstance(found.get("images"), list):  # what a request asks for is a number
        found["images"].sort(key=lambda image: image["sha256"])
    return found


def forbidden(*arguments: Any, **options: Any) -> NoReturn:
    raise AssertionError("a replay uses the network")


def test_every_example_is_replayed() -> None:
    assert {case.file for case in CASES.values()} == {path.name for path in EXAMPLES.glob("*.yaml")}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_example_is_replayed_from_its_recording(case: Case, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    with running_web() as web, Simulator() as openai, Simulator(deployments={"images": "gpt-image-2"}) as azure:
        web.responses.update(responses(web.url))
        for fault in case.faults:
            openai.faults.add(fault)
        studio = Studio(openai, azure, tmp_path)
        inputs = json.loads(json.dumps(case.inputs).replace("WEB", web.url))
        came, events = outcome(studio, case, inputs, recording)
        assert len(openai.requests) + len(azure.requests) > 0
    emitted = list(studio.emitted)
    saved = studio.saved()
    recording.save(tmp_path / "recording")
    shutil.rmtree(tmp_path / "images", ignore_errors=True)
    shutil.rmtree(tmp_path / "files", ignore_errors=True)
    monkeypatch.setattr(socket.socket, "connect", forbidden)
    monkeypatch.setattr(socket, "getaddrinfo", forbidden)
    replay = Replay(Recording.load(tmp_path / "recording"))
    again, events_again = outcome(studio, case, inputs, replay)
    assert (replay.missing, replay.unused) == ([], [])
    assert again == came
    assert events_again == events
    assert (studio.emitted, studio.saved()) == (emitted, [])
    assert saved or not any(recorded.key == "file" for recorded in recording.recorded)
