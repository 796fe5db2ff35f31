"""Files and batches of the simulator, as the official client asks for them."""

from __future__ import annotations

import base64
import io
import json
import time
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.long

ENDPOINT: Any = "/v1/images/generations"
EDITS: Any = "/v1/images/edits"


@pytest.fixture(scope="module")
def running() -> Iterator[Simulator]:
    with Simulator(plain=True) as simulator:
        yield simulator


@pytest.fixture
def client(sim: Simulator) -> Iterator[openai.OpenAI]:
    with client_of(sim) as opened:
        yield opened


def client_of(sim: Simulator) -> openai.OpenAI:
    return openai.OpenAI(api_key=sim.key, base_url=sim.openai_base_url, max_retries=0)


def line(number: int, url: str = ENDPOINT, **body: object) -> dict[str, object]:
    fields = {"model": "gpt-image-2", "prompt": f"Picture {number}", "quality": "low", **body}
    return {"custom_id": f"c{number}", "method": "POST", "url": url, "body": fields}


def uploaded(client: openai.OpenAI, lines: list[dict[str, object]]) -> str:
    content = "".join(json.dumps(each) + "\n" for each in lines).encode()
    return client.files.create(file=("requests.jsonl", content), purpose="batch").id


def created(client: openai.OpenAI, file: str, endpoint: Any = ENDPOINT, **more: Any) -> Any:
    return client.batches.create(input_file_id=file, endpoint=endpoint, completion_window="24h", **more)


def ended(client: openai.OpenAI, identity: str) -> Any:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        batch = client.batches.retrieve(identity)
        if batch.status in ("completed", "failed", "expired", "cancelled"):
            return batch
        time.sleep(0.02)
    raise AssertionError("the batch did not end")


def lines_of(client: openai.OpenAI, file: str | None) -> list[dict[str, Any]]:
    if file is None:
        return []
    return [json.loads(each) for each in client.files.content(file).text.splitlines()]


def png() -> bytes:
    out = io.BytesIO()
    Image.new("RGBA", (64, 64), (200, 30, 30, 0)).save(out, "PNG")
    return out.getvalue()


def test_a_batch_goes_from_its_file_to_its_pictures(client: openai.OpenAI, sim: Simulator) -> None:
    file = uploaded(client, [line(number) for number in range(5)])
    kept = client.files.retrieve(file)
    assert (kept.purpose, kept.status, kept.filename) == ("batch", "processed", "requests.jsonl")
    batch = created(client, file, metadata={"flowdsl": "x"})
    assert (batch.status, batch.object, batch.input_file_id) == ("validating", "batch", file)
    batch = ended(client, batch.id)
    assert (batch.status, batch.model, batch.metadata) == ("completed", "gpt-image-2", {"flowdsl": "x"})
    assert batch.request_counts.model_dump() == {"completed": 5, "failed": 0, "total": 5}
    assert batch.error_file_id is None
    found = {each["custom_id"]: each for each in lines_of(client, batch.output_file_id)}
    assert sorted(found) == [f"c{number}" for number in range(5)]
    assert found["c3"]["error"] is None
    assert found["c3"]["response"]["status_code"] == 200
    answer = openai.types.ImagesResponse.model_validate(found["c3"]["response"]["body"])
    assert answer.data is not None
    assert answer.usage is not None
    Image.open(io.BytesIO(base64.b64decode(answer.data[0].b64_json or ""))).verify()
    assert sim.request_count == 5  # each is as billed as one that is asked for directly
    assert client.files.delete(file).deleted
    with pytest.raises(openai.NotFoundError):
        client.files.retrieve(file)


def test_refused_lines_of_a_batch_stand_in_its_error_file(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("moderation,when=Picture 2", "server_error,when=Picture 3")
    file = uploaded(client, [*(line(number) for number in range(4)), line(4, size="99x99")])
    batch = ended(client, created(client, file).id)
    assert batch.status == "completed"
    assert batch.request_counts.model_dump() == {"completed": 2, "failed": 3, "total": 5}
    found = {each["custom_id"]: each["response"] for each in lines_of(client, batch.error_file_id)}
    assert {name: each["status_code"] for name, each in found.items()} == {"c2": 400, "c3": 500, "c4": 400}
    assert found["c2"]["body"]["error"]["code"] == "moderation_blocked"


def test_edits_of_a_batch_have_their_pictures_as_json(client: openai.OpenAI) -> None:
    url = "data:image/png;base64," + base64.b64encode(png()).decode()
    picture = client.files.create(file=("a.png", png(), "image/png"), purpose="vision").id
    images: list[list[dict[str, str]]] = [[{"image_url": url}], [{"file_id": picture}], [{"file_id": "file-none"}]]
    lines = [line(number, EDITS, images=each, mask={"image_url": url}) for number, each in enumerate(images)]
    batch = ended(client, created(client, uploaded(client, lines), EDITS).id)
    assert [each["custom_id"] for each in lines_of(client, batch.error_file_id)] == ["c2"]
    assert len(lines_of(client, batch.output_file_id)) == 2


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        pytest.param([line(1), line(1)], "duplicate_custom_id", id="one id twice"),
        pytest.param([line(1), line(2, model="gpt-image-1.5")], "mismatched_model", id="two models"),
        pytest.param([line(1, EDITS)], "mismatched_endpoint", id="another endpoint"),
        pytest.param([{"custom_id": "a"}], "invalid_method", id="a line without a method"),
        pytest.param([], "empty_file", id="nothing"),
    ],
)
def test_a_file_that_is_none_for_a_batch_fails_it(
    client: openai.OpenAI, sim: Simulator, lines: list[dict[str, object]], code: str
) -> None:
    if not lines:
        file = client.files.create(file=("a.jsonl", b"\n\n"), purpose="batch").id
        code = "invalid_json_line"
    else:
        file = uploaded(client, lines)
    batch = ended(client, created(client, file).id)
    assert batch.status == "failed"
    assert batch.errors is not None
    assert batch.errors.data is not None
    assert batch.errors.data[0].code == code
    assert sim.request_count == 0


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        pytest.param((2, 10_000), "task_count_exceeded", id="too many requests"),
        pytest.param((9, 100), "max_file_size", id="too many bytes"),
    ],
)
def test_a_file_over_the_limits_fails_its_batch(limits: tuple[int, int], code: str) -> None:
    with Simulator(batch_limits=limits) as sim, client_of(sim) as client:
        batch = ended(client, created(client, uploaded(client, [line(number) for number in range(3)])).id)
        assert batch.errors.data[0].code == code


def test_a_batch_that_expires_leaves_what_is_done_and_names_what_is_not(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("batch_expired")
    batch = ended(client, created(client, uploaded(client, [line(number) for number in range(6)])).id)
    assert batch.status == "expired"
    assert len(lines_of(client, batch.output_file_id)) == 3
    left = lines_of(client, batch.error_file_id)
    assert [(each["response"], each["error"]["code"]) for each in left] == [(None, "batch_expired")] * 3
    assert sim.request_count == 3


def test_a_batch_can_be_cancelled_and_not_twice() -> None:
    with Simulator(batch_s=20, plain=True) as sim, client_of(sim) as client:
        batch = created(client, uploaded(client, [line(number) for number in range(200)]))
        while client.batches.retrieve(batch.id).request_counts.completed < 2:  # type: ignore[union-attr]
            time.sleep(0.02)
        assert client.batches.cancel(batch.id).status == "cancelling"
        batch = ended(client, batch.id)
        assert batch.status == "cancelled"
        done, left = lines_of(client, batch.output_file_id), lines_of(client, batch.error_file_id)
        assert len(done) + len(left) == 200
        assert len(done) == sim.request_count >= 2
        with pytest.raises(openai.ConflictError):
            client.batches.cancel(batch.id)


def test_a_batch_whose_answer_is_lost_is_there_and_is_found_by_its_metadata(
    client: openai.OpenAI, sim: Simulator
) -> None:
    sim.faults.add("batch_lost")
    file = uploaded(client, [line(1)])
    with pytest.raises(openai.APIConnectionError):
        created(client, file, metadata={"flowdsl": "mine"})
    for _ in range(3):
        created(client, file)
    pages = client.batches.list(limit=2)
    assert [len(each.data) for each in pages.iter_pages()] == [2, 2]
    assert [each.metadata for each in client.batches.list(limit=1) if each.metadata] == [{"flowdsl": "mine"}]


def test_files_are_listed_by_purpose_and_a_lost_upload_is_among_them(client: openai.OpenAI, sim: Simulator) -> None:
    sim.faults.add("upload_lost")
    with pytest.raises(openai.APIConnectionError):
        uploaded(client, [line(1)])
    client.files.create(file=("a.png", png(), "image/png"), purpose="vision")
    assert [each.filename for each in client.files.list(purpose="batch")] == ["requests.jsonl"]
    uploads = [each.filename for each in client.files.list() if each.purpose != "batch_output"]  # of a test before
    assert sorted(uploads) == ["a.png", "requests.jsonl"]


def test_the_content_of_a_file_may_break_off(client: openai.OpenAI, sim: Simulator) -> None:
    file = uploaded(client, [line(1)])
    sim.faults.add("batch_cut")
    with pytest.raises(openai.APIConnectionError):
        client.files.content(file)
    assert client.files.content(file).content.endswith(b"\n")


def test_a_batch_of_a_file_that_is_not_there_and_odd_bodies_are_refused(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        created(client, "file-none")
    file = uploaded(client, [line(1)])
    with pytest.raises(openai.BadRequestError):
        created(client, file, "/v1/images/variations")
    with pytest.raises(openai.BadRequestError):
        created(client, file, metadata={"a" * 65: "b"})
    with pytest.raises(openai.BadRequestError):
        client.files.create(file=("a.txt", b"{}"), purpose="batch")
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch_none")
