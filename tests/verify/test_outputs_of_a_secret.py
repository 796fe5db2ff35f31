"""A secret in what is written by a process of its own, by `explain`, and in what a simulator remembers.

The ways are those of `test_ways_of_a_secret`, without the steps and objects that only a host application has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Host, RunError, Storage
from flowdsl_steps.image.simulator import Simulator
from tests.core.test_ways_of_a_secret import FILES, FORMS, KEY, PIN, SECRET, WAYS

_OF_A_HOST = ("CARELESS", "host-", "marked-input")
OWN = {way: flow for way, flow in WAYS.items() if not any(mark in f"{way} {flow}" for mark in _OF_A_HOST)}
PROMPT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, maxRetries: 0, instruction: 'ITEM'}\n"
PAINTED = {
    "prompt": PROMPT.replace("ITEM", f"a boat {KEY}").replace("'", '"', 1).replace("'}\n", '"}\n'),
    "item": f'- {{step: FOR, items: ["{KEY}"], var: item, collect: imageList, do: [{PROMPT[2:-1]}]}}\n'.replace(
        "'ITEM'", '"{{ item }}"'
    ),
    "id-of-a-file": PROMPT.replace("'ITEM'", "a boat") + f'- {{step: SAVE_IMAGES, filename: "boat-{KEY}"}}\n',
}
DRIVER = """
import json, sys
from pathlib import Path
from flowdsl.cli import main
for name, text in json.loads(Path("files.json").read_text()).items():
    Path(name).write_text(text)
for way, flow in json.loads(Path("ways.json").read_text()).items():
    path = way + ".flow.yaml"
    Path(path).write_text(flow)
    modes = [["--metadata", "full"], ["--json"], ["--events"], ["-q"]] if "REST" not in flow else [["--json"]]
    for mode in modes:
        main(["run", path, "--out", "out", "--private-addresses", *sys.argv[1:], *mode])
    main(["validate", path, "--env"])
    main(["validate", path, "--format", "json"])
    for number, line in enumerate(flow.splitlines(), 1):
        if "step:" in line:
            main(["explain", f"{path}:{number}"])
            main(["explain", f"{path}:{number}", "--format", "json"])
"""


def shown(folder: Path, ways: dict[str, str], *options: str) -> tuple[str, list[str]]:
    """What a process with the environment of a CI run prints of these flows, and the forms of the secret that stand in
    it, in the files it leaves or in their names."""
    (folder / "ways.json").write_text(json.dumps(ways))
    (folder / "files.json").write_text(json.dumps(FILES))
    marks = {"CI": "true", "GITHUB_ACTIONS": "true", "KEY": SECRET, "PIN": PIN, "OPENAI_API_KEY": SECRET}
    ran = subprocess.run(
        [sys.executable, "-c", DRIVER, *options],
        cwd=folder,
        env={**os.environ, **marks, "OPENAI_BASE_URL": "http://127.0.0.1:9/v1"},
        capture_output=True,
        timeout=280,
        check=True,
    )
    text = (ran.stdout + ran.stderr).decode("utf-8", "replace")
    given = {folder / "ways.json", folder / "files.json"}
    made = [path for path in folder.rglob("*") if path not in given]
    left = [str(path.relative_to(folder)) for path in made]
    left += [path.read_bytes().decode("latin-1") for path in made if path.is_file()]
    return text, [form for form in FORMS if any(form in each for each in (text, *left))]


def test_a_process_of_its_own_shows_no_secret(tmp_path: Path) -> None:
    text, found = shown(tmp_path, OWN)
    assert found == []
    assert len(OWN) > 50
    assert text.count("secret") > len(OWN) // 2
    assert "Traceback" not in text


def test_a_rehearsal_shows_no_secret_in_pictures_manifest_and_metadata(tmp_path: Path) -> None:
    text, found = shown(tmp_path, PAINTED, "--simulate")
    assert found == []
    assert text.count("1 image") >= len(PAINTED)
    assert (tmp_path / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"apiKey": KEY},
        {"authKey": KEY},
        {"headers": {"X-Secret": KEY}},
        {"headers": {"X-Session-Token": KEY, "Cookie": f"a={KEY}"}},
        {"query": "key"},
        {"query": "access_token"},
        {"query": "api-key"},
    ],
    ids=["a key", "a token", "a header", "a token in a header", "a query", "a token in a query", "a key in a query"],
)
def test_a_simulator_remembers_no_key_that_a_host_sends_it(settings: dict[str, Any], tmp_path: Path) -> None:
    with Simulator() as simulator:
        query = settings.pop("query", None)
        url = simulator.openai_base_url + (f"?{query}={KEY}" if query else "")
        key = {} if "authKey" in settings else {"apiKey": simulator.key}  # with both, nothing is sent
        entry = {"endpoint": url, **key, **settings}
        flow = (
            f"services: {json.dumps({'OPENAI_IMAGE_GENERATION': entry})}\nflow:\n  {PROMPT.replace('ITEM', 'a boat')}"
        )
        host = Host(secrets={"KEY": SECRET}.get)
        with suppress(RunError):  # with another key than its own it refuses, and remembers nevertheless
            Environment(host=host, storage=Storage(images=tmp_path)).load(flow).run()
        assert simulator.requests
        remembered = repr(simulator.requests)
    assert [form for form in FORMS if form in remembered] == []
