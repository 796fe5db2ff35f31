"""However a run ends while a vendor makes its picture, what it said names the order, so that a person finds it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import pytest

sys.path += [str(Path(__file__).parents[1] / name) for name in ("vendors", "image")]

import bfl_fake
import dashscope_fake
import huggingface_fake
import mistral_fake
import zhipu_fake
from fake_vendor import Asked, Fake, Reply, running
from PIL import Image as Pillow

_NEVER = 10**9


class Ordered(NamedTuple):
    """A vendor whose orders are never done: its fake, its service entry, the setting for its key, and the order."""

    fake: Callable[[], Fake]
    entry: Mapping[str, str]
    key: str
    order: str


class BusyFiles(mistral_fake.MistralFake):
    """Mistral, whose files are not to be had for now."""

    def respond(self, asked: Asked) -> Reply:
        return Reply({"detail": "busy"}, 429) if asked.method == "GET" else super().respond(asked)


VENDORS = {
    "bfl": Ordered(
        lambda: bfl_fake.BlackForestLabsFake(_NEVER),
        {"provider": "bfl", "model": "flux-pro-1.1"},
        bfl_fake.KEY,
        "order-1",
    ),
    "dashscope": Ordered(
        lambda: dashscope_fake.DashScopeFake(_NEVER),
        {"provider": "dashscope", "model": "wan2.6-t2i"},
        dashscope_fake.KEY,
        "task-1",
    ),
    "mistral": Ordered(
        BusyFiles, {"provider": "mistral", "model": "mistral-medium-latest"}, mistral_fake.KEY, "conv_1"
    ),
    "huggingface": Ordered(
        lambda: huggingface_fake.HuggingFaceFake(_NEVER),
        {
            "provider": "huggingface",
            "model": huggingface_fake.MODEL,
            "partner": "wavespeed",
            "partnerModel": huggingface_fake.NAMES["wavespeed"],
        },
        huggingface_fake.KEY,
        "w-1",
    ),
    "zhipu": Ordered(
        lambda: zhipu_fake.ZhipuFake(_NEVER), {"provider": "zhipu", "model": "glm-image"}, zhipu_fake.KEY, "task-1"
    ),
}


class Run(NamedTuple):
    """A run whose order was taken and asked for."""

    process: subprocess.Popen[str]
    fake: Fake
    vendor: Ordered

    def said(self) -> str:
        """All that it said, after its end: its order, and no key."""
        out, err = self.process.communicate(timeout=60)
        said = out + err
        assert self.vendor.key not in said
        assert "Traceback" not in said
        assert f"the order {self.vendor.order} was taken: its picture is asked for at {self.fake.url}/" in said, said
        assert sum(asked.method == "POST" for asked in self.fake.asked) == 1
        return said


@pytest.fixture(params=VENDORS)
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Run]]:
    vendor = VENDORS[request.param]
    with running(vendor.fake()) as fake:

        def started(*arguments: str) -> Run:
            entry = {**vendor.entry, "endpoint": fake.url, "apiKey": "{{ secret('PICTURES_KEY') }}"}
            step: dict[str, Any] = {"step": "OPENAI_IMAGE_GENERATION", "service": "S", "instruction": "a boat"}
            (tmp_path / "a.flow.yaml").write_text(json.dumps({"services": {"S": entry}, "flow": [step]}), "utf-8")
            command = [sys.executable, "-m", "flowdsl.cli", "run", "a.flow.yaml", *arguments]
            names = {**os.environ, "PICTURES_KEY": vendor.key}
            pipe = subprocess.PIPE
            process = subprocess.Popen(command, cwd=tmp_path, env=names, stdout=pipe, stderr=pipe, text=True)
            until = time.monotonic() + 30
            while not any(asked.method == "GET" for asked in fake.asked) and time.monotonic() < until:
                time.sleep(0.02)
            return Run(process, fake, vendor)

        yield started


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_while_an_order_is_made_leaves_its_name(name: str, start: Callable[..., Run]) -> None:
    run = start()
    run.process.send_signal(getattr(signal, name))
    run.said()


def test_a_deadline_while_an_order_is_made_leaves_its_name(start: Callable[..., Run]) -> None:
    assert "took longer than 3 s" in start("--timeout", "3").said()


def test_a_run_that_is_killed_has_told_its_order_in_its_events(start: Callable[..., Run]) -> None:
    run = start("--events")
    run.process.kill()
    run.said()


def test_a_run_that_is_killed_after_a_while_has_told_its_order_to_people(start: Callable[..., Run]) -> None:
    run = start()
    time.sleep(6)
    run.process.kill()
    run.said()


def test_two_runs_into_one_folder_order_and_edit_for_themselves(tmp_path: Path) -> None:
    """Each orders a picture, edits it, and asks for its own; both come out whole and have names."""
    with running(dashscope_fake.DashScopeFake(polls=2)) as fake:
        entry = {"provider": "dashscope", "endpoint": fake.url, "apiKey": "{{ secret('PICTURES_KEY') }}"}
        models = {"DRAW": "wan2.6-t2i", "EDIT": "qwen-image-3.0"}
        services = {name: {**entry, "model": model} for name, model in models.items()}
        draw = {"step": "OPENAI_IMAGE_GENERATION", "service": "DRAW", "instruction": "a boat"}
        edit = {"step": "OPENAI_IMAGE_EDIT", "service": "EDIT", "instruction": "Snow"}
        flow = {"services": services, "flow": [draw, edit]}
        (tmp_path / "a.flow.yaml").write_text(json.dumps(flow), "utf-8")
        command = [sys.executable, "-m", "flowdsl.cli", "run", "a.flow.yaml", "--out", "out", "--json", "--quiet"]
        names = {**os.environ, "PICTURES_KEY": dashscope_fake.KEY}
        pipe = subprocess.PIPE
        runs = [
            subprocess.Popen(command, cwd=tmp_path, env=names, stdout=pipe, stderr=pipe, text=True) for _ in range(2)
        ]
        ended = [run.communicate(timeout=60) for run in runs]
    assert [run.returncode for run in runs] == [0, 0], ended
    assert sum(asked.method == "POST" for asked in fake.asked) == 4
    assert sorted(each.path.rpartition("/")[2] for each in fake.asked if "/tasks/" in each.path) == [
        *["task-1"] * 3,
        *["task-2"] * 3,
    ]
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert not [path for path in files if path.name.endswith(".part")]
    for path in files:
        if path.suffix == ".png":
            with Pillow.open(path) as picture:
                picture.load()
    named = {path.name for path in files if path.suffix == ".png" and len(path.stem) != 64}
    assert len(named) == 4, named
    assert all(any(name in out for name in named) for out, _ in ended)
