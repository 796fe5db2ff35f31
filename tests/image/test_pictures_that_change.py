"""Pictures to edit that are changed, or taken away, around a run: before it sends anything, while it sends, between two
attempts. What is sent is what was there when the step began."""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from edits_server import KEY, edits_server
from image_pictures import drawn

from flowdsl import Environment, Event, Limits, Storage
from flowdsl.errors import RunError
from flowdsl.events import StepFinished
from flowdsl_steps.http.multipart import Multipart, Part, UnreadPart

pytestmark = pytest.mark.long
EDIT = "- {step: OPENAI_IMAGE_EDIT, model: gpt-image-2, instruction: Snow, images: house.png, maxRetries: 2}\n"
LARGE = 12_000_000


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "flowdsl.toml").write_text("", encoding="utf-8")
    (tmp_path / "house.png").write_bytes(drawn("PNG", (64, 48)) + b"\0" * LARGE)
    return tmp_path


def run(folder: Path, url: str, flow: str = EDIT, on_event: Callable[[Event], None] | None = None) -> RunError | None:
    """The error of a run, if there is one."""
    entry = {"endpoint": f"{url}/v1", "apiKey": KEY}
    environment = Environment(
        services={"OPENAI_IMAGE_GENERATION": entry},
        storage=Storage(images=folder / "images"),
        limits=Limits(private_addresses=True),
    )
    file = folder / "a.flow.yaml"
    file.write_text(flow, encoding="utf-8")
    try:
        environment.load(file).run(on_event=on_event)
    except RunError as error:
        return error
    return None


@contextmanager
def slow(
    change: Callable[[], None],
    status: bytes = b"400 Bad Request",
    afterwards: bool = False,
    response: dict[str, object] | None = None,
) -> Iterator[tuple[str, list[int]]]:
    """A server that lets something be done when the first bytes of a request are there, or `afterwards`, when all are;
    its address, and how many bytes each request brought."""
    brought: list[int] = []
    body = json.dumps(response or {"error": {"message": "no", "code": "rate_limit_exceeded"}}).encode()
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\nretry-after: 0.01\r\nconnection: close\r\n" % status

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(1)
                size = len(connection.recv(65536))
                if not afterwards:
                    change()
                try:
                    while chunk := connection.recv(1 << 20):
                        size += len(chunk)
                except TimeoutError:
                    if afterwards:
                        change()
                    connection.sendall(head + b"content-length: %d\r\n\r\n" % len(body) + body)
                brought.append(size)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", brought
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def originals(folder: Path) -> list[Path]:
    return [*(folder / "images" / ".originals").glob("*.png")]


@pytest.mark.parametrize("change", ["gone", "shorter", "longer"])
def test_what_becomes_of_a_file_of_the_project_changes_nothing_that_is_sent(change: str, project: Path) -> None:
    file = project / "house.png"
    actions = {"gone": file.unlink, "shorter": lambda: os.truncate(file, 99), "longer": lambda: file.write_bytes(b"x")}
    done = threading.Event()

    def once() -> None:
        if not done.is_set():
            actions[change]()
            done.set()

    with slow(once, b"429 Too Many Requests") as (url, brought):
        error = run(project, url)
    assert error is not None
    assert (error.charge_possible, len(brought), len(set(brought))) == (False, 3, 1)
    assert brought[0] > LARGE


@pytest.mark.parametrize("change", ["shorter", "longer"])
def test_a_stored_picture_that_changes_while_it_is_sent_may_be_billed_and_is_not_sent_again(
    change: str, project: Path
) -> None:
    def now() -> None:
        for path in originals(project):
            os.truncate(path, 1_000_000 if change == "shorter" else 2 * LARGE)

    with slow(now) as (url, brought):
        error = run(project, url)
    assert error is not None
    assert error.message.startswith("the request to OPENAI_IMAGE_GENERATION could not be sent whole: ")
    assert f"image-1.png was {change} than before while it was sent" in error.message
    assert (error.code, error.charge_possible, len(brought)) == ("image-unreadable", True, 1)


@pytest.mark.parametrize("change", ["gone", "shorter"])
def test_a_stored_picture_that_is_lost_before_the_next_attempt_is_told_without_a_charge(
    change: str, project: Path
) -> None:
    def now() -> None:
        for path in originals(project):
            path.unlink() if change == "gone" else os.truncate(path, 99)

    with slow(now, b"429 Too Many Requests", afterwards=True) as (url, brought):
        error = run(project, url)
    assert error is not None
    assert (error.code, error.charge_possible, len(brought)) == ("image-unreadable", False, 1)
    assert error.result is not None
    assert error.result.in_doubt == ()


@pytest.mark.parametrize("change", ["gone", "empty"])
def test_a_picture_of_a_step_before_that_is_taken_away_is_told_before_anything_is_sent(
    change: str, project: Path
) -> None:
    first = EDIT.replace(", maxRetries: 2", ", outputKey: first")
    second = "- {step: OPENAI_IMAGE_EDIT, instruction: Rain, images: '{{ flowContext.first }}', maxRetries: 0}\n"

    def taken(event: Event) -> None:
        if isinstance(event, StepFinished) and event.path == "flow[0]":
            for path in (project / "images").rglob("*.png"):
                path.unlink() if change == "gone" else os.truncate(path, 0)

    with edits_server() as server:
        error = run(project, server.url, first + second, taken)
        assert error is not None
        assert (error.path, error.charge_possible, len(server.forms)) == ("flow[1]", False, 1)


def test_a_file_that_cannot_be_opened_is_none_of_the_connection(tmp_path: Path) -> None:
    form = Multipart([Part("image", filename="image-1.png", path=str(tmp_path / "none.png"))])
    with pytest.raises(UnreadPart, match=r"image-1\.png cannot be read: No such file"):
        _ = form.length


@pytest.mark.parametrize("change", ["gone", "shorter"])
def test_a_picture_that_is_paid_for_is_not_lost_with_the_one_it_was_made_of(change: str, project: Path) -> None:
    def now() -> None:
        for path in originals(project):
            path.unlink() if change == "gone" else os.truncate(path, 99)

    made = {"data": [{"b64_json": base64.b64encode(drawn("PNG", (32, 24))).decode()}]}
    flow = f"- step: TRY\n  retry: {{max: 3}}\n  try:\n  {EDIT}"
    ended: list[str] = []

    def hear(event: Event) -> None:
        if isinstance(event, StepFinished):
            ended.append(event.path)

    with slow(now, b"200 OK", True, made) as (url, brought):
        assert run(project, url, flow, hear) is None
    assert (len(brought), ended) == (1, ["flow[0].try[0]", "flow[0]"])
