"""A service that says the key back, wherever and however it is written: it is in no output."""

from __future__ import annotations

import base64
import contextlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from image_told import JSON, PNG, b64, order
from web_server import Web, response

from flowdsl.cli import main

KEY = "sk-Ab/+c0ffee~deadbeef=42"
FORMS = {
    "plain": KEY,
    "base64": base64.b64encode(KEY.encode()).decode(),
    "base64 of a header": base64.b64encode(f"Bearer {KEY}".encode()).decode(),
    "percent": quote(KEY, safe=""),
    "percent, each character": "".join(f"%{byte:02X}" for byte in KEY.encode()),
    "percent, in small letters": "".join(f"%{byte:02x}" for byte in KEY.encode()),
    "percent, what is no letter": "".join(char if char.isalnum() else f"%{ord(char):02X}" for char in KEY),
    "hex": KEY.encode().hex(),
    "entities": "".join(char if char.isalnum() else f"&#x{ord(char):X};" for char in KEY),
}
FLOW = """\
services:
  OPENAI_IMAGE_GENERATION: {endpoint: URL/v1, apiKey: "{{ secret('PICTURE_KEY') }}", maxRetries: 0}
flow:
- step: OPENAI_IMAGE_GENERATION
  model: gpt-image-2
  instruction: A paper boat
"""


def answers(form: str) -> Iterator[tuple[str, bytes]]:
    def refusal(headers: str = "", **error: object) -> bytes:
        return response(json.dumps({"error": {"message": "no", **error}}).encode(), "400 Bad Request", JSON + headers)

    yield "a message", refusal(message=f"bad key {form} given")
    yield "a code", refusal(code=form)
    yield "a parameter", refusal(param=form)
    yield "a request id", refusal(f"x-request-id: {form}\r\n")
    yield "a redirect", response(b"", "302 Found", f"location: http://127.0.0.1:9/{form}?k={form}\r\n")
    yield "a text", response(f"bad key {form}".encode(), "401 Unauthorized", "content-type: text/plain\r\n")
    yield "no JSON", response(f"{form} is no JSON".encode())
    yield "an encoding", response(b"x", headers=f"content-encoding: gzip {form}\r\n")
    yield "a revised prompt", order({**b64(PNG), "revised_prompt": f"a {form} boat"})
    yield (
        "a revised prompt beside a failure",
        order(
            {**b64(PNG), "revised_prompt": f"a {form} boat"},
            {"error": {"message": form}},  # type: ignore[dict-item]
        ),
    )
    yield "a link", order({"url": f"http://127.0.0.1:9/{form}?k={form}"})
    yield "figures", response(json.dumps({"data": [b64(PNG)], "usage": {form: 1}, "size": form}).encode(), headers=JSON)
    stream = json.dumps({"type": "error", "error": {"message": form}})
    yield "a stream", response(f"data: {stream}\n\n".encode(), headers="content-type: text/event-stream\r\n")
    details = {"categories": [form], "moderation_stage": "output"}
    yield "categories", refusal(code="moderation_blocked", moderation_details=details)


def outputs(answer: bytes, folder: Path, *options: str) -> str:
    """All that a run says and writes."""
    out, err = io.StringIO(), io.StringIO()
    with Web(answer) as web, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        (folder / "a.flow.yaml").write_text(FLOW.replace("URL", web.url))
        main(["run", "a.flow.yaml", "--private-addresses", "--out", "out", "--metadata", "full", *options])
    files = [path for path in (folder / "out").rglob("*") if path.is_file()]
    written = "".join(f"{path}{path.read_bytes().decode('latin-1')}" for path in files)
    return f"{out.getvalue()}{err.getvalue()}{written}"


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PICTURE_KEY", KEY)
    monkeypatch.setattr("flowdsl_steps.image.fetch._PAUSE_S", 0.0)
    monkeypatch.chdir(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("options", [[], ["--json"], ["--events"]], ids=["for people", "JSON", "events"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_key_that_a_service_says_back_is_in_no_output(form: str, options: list[str], tmp_path: Path) -> None:
    for place, answer in answers(form):
        said = outputs(answer, tmp_path, *options)
        assert form not in said and KEY not in said, place


@pytest.mark.parametrize("broken", [f"{KEY[:10]}\n{KEY[10:]}", f"{KEY[:5]}\r\n {KEY[5:]}", " ".join(KEY)])
def test_a_key_that_is_broken_over_lines_is_in_no_message(broken: str, tmp_path: Path) -> None:
    for place, answer in answers(broken):
        if place in ("a message", "a code", "a text", "no JSON", "a stream", "categories"):
            said = "".join(outputs(answer, tmp_path).split())
            assert KEY not in said, place


@pytest.mark.parametrize("options", [[], ["--json"], ["--events"]], ids=["for people", "JSON", "events"])
@pytest.mark.parametrize("broken", [f"{KEY[:10]}\n{KEY[10:]}", f"{KEY[:5]}\r\n {KEY[5:]}", " ".join(KEY)])
def test_a_key_that_is_broken_over_lines_beside_a_picture_is_hidden_and_loses_no_picture(
    broken: str, options: list[str], tmp_path: Path
) -> None:
    said = outputs(order({**b64(PNG), "revised_prompt": f"a {broken}\nboat"}), tmp_path, *options)
    assert KEY not in "".join(said.replace("\\n", "").replace("\\r", "").split())
    assert (tmp_path / "out" / "a-1.png").is_file()
    assert "a *** boat" in said or not options


@pytest.mark.parametrize("options", [[], ["--json"], ["--events"]], ids=["for people", "JSON", "events"])
@pytest.mark.parametrize("broken", [f"{KEY[:10]}\n{KEY[10:]}", f"{KEY[:5]} {KEY[5:]}", " ".join(KEY)])
def test_a_key_that_is_broken_by_blanks_inside_a_link_is_in_no_hint(
    broken: str, options: list[str], tmp_path: Path
) -> None:
    for url in (f"http://127.0.0.1:9/{broken}?k={broken}", f"http://{broken}/a.png", f"{broken}/a.png"):
        for answer in (order({"url": url}), order({"url": url}, {"url": url})):
            said = outputs(answer, tmp_path, *options)
            assert "***" in said and "image-not-fetched" in said, url
            together = said.replace("\\n", "").replace("%20", "").replace("%0A", "").replace("?", "")
            assert KEY not in "".join(together.split()), url
