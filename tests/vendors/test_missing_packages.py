"""A package that only one vendor needs and that is not installed: told by the check of what a run lacks, and by a run
before it pays for anything, with the command that installs it."""

from __future__ import annotations

import sys
import tomllib
from pathlib import Path

import openai_fake
import pytest
from fake_vendor import running

from flowdsl.cli import main

ROOT = Path(__file__).parents[2]
ENTRIES = {
    "bedrock": 'provider: bedrock, region: us-west-2, model: "stability.stable-image-core-v1:1"',
    "vertex": "provider: vertex, project: p, model: gemini-3.1-flash-image",
}
PACKAGES = {"bedrock": "botocore", "vertex": "google.auth"}
FLOW = """\
services:
  FIRST: {{provider: openai, endpoint: "{url}/v1", apiKey: "{key}", model: gpt-image-2}}
  SECOND: {{{entry}}}
flow:
  - {{step: OPENAI_IMAGE_GENERATION, service: FIRST, instruction: a boat}}
  - {{step: OPENAI_IMAGE_GENERATION, service: SECOND, instruction: a boat}}
"""


@pytest.fixture(params=sorted(ENTRIES))
def vendor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A vendor whose package is hidden, with a login in the environment."""
    monkeypatch.setitem(sys.modules, PACKAGES[request.param], None)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "x" * 20)
    return str(request.param)


@pytest.mark.parametrize("verb", ["run", "validate"])
def test_a_package_that_is_not_there_is_told_before_anything_is_paid(
    verb: str, vendor: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.flow.yaml"
    more = ["--out", str(tmp_path / "out")] if verb == "run" else ["--env"]
    with running(openai_fake.OpenAIFake()) as fake:
        text = FLOW.format(url=fake.url, key=openai_fake.KEY, entry=ENTRIES[vendor])
        file.write_text(text, encoding="utf-8")
        assert main([verb, str(file), *more]) == (4 if verb == "run" else 1)
    said = "".join(capsys.readouterr())
    assert f"the service SECOND needs {PACKAGES[vendor]}, which is not installed" in said
    assert f"pip install 'flowdsl[{vendor}]'" in said
    assert fake.asked == []
    assert openai_fake.KEY not in said


@pytest.mark.parametrize("name", sorted(ENTRIES))
def test_the_command_that_is_named_installs_the_package(name: str) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    package = PACKAGES[name].replace(".", "-")
    assert [each for each in extras[name] if each.startswith(package)]
