"""Half a character (a lone surrogate), as JSON can hold it: what is paid for stands in the journal all the same."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from journaled import BOAT
from web_server import Web, response

from flowdsl import Environment, Storage
from flowdsl.errors import RunError
from flowdsl.journal.journal import Journal

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
HALF = "A boat \ud800"


def answer(status: str, body: object) -> bytes:
    return response(json.dumps(body).encode(), status, "content-type: application/json\r\n")


def environment(web: Web, folder: Path) -> Environment:
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": f"{web.url}/v1", "apiKey": "sk-of-a-test"}}
    return Environment(services=services, storage=Storage(images=folder / "pictures"))


def test_a_paid_picture_whose_prompt_the_service_revised_so_is_not_in_doubt(tmp_path: Path) -> None:
    picture = {"b64_json": base64.b64encode(PNG).decode(), "revised_prompt": HALF}
    with Web(answer("200 OK", {"data": [picture]})) as web:
        for resume in (None, "a-run"):  # the second time it is used again
            text = BOAT if resume else BOAT + "- step: RAISE\n  message: not today\n"
            with Journal(tmp_path / "state") as journal:
                if resume:
                    journal.resuming(resume)
                    result = environment(web, tmp_path).load(text).run(journal=journal, run_id=resume)
                    assert [image.revised_prompt for image in result.images] == [HALF]
                else:
                    with pytest.raises(RunError, match="not today"):
                        environment(web, tmp_path).load(text).run(journal=journal, run_id="a-run")
        assert len(web.seen) == 1


def test_an_error_that_the_service_says_so_is_told_and_its_request_is_not_in_doubt(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with Web(answer("400 Bad Request", {"error": {"message": HALF, "code": HALF}})) as web:
        with Journal(tmp_path / "state") as journal, pytest.raises(RunError) as caught:
            environment(web, tmp_path).load(BOAT).run(journal=journal)
        assert caught.value.code == "service-refused"
        with Journal(tmp_path / "state") as journal:
            states = [row["state"] for row in journal.database.read("SELECT state FROM ledger")]
    assert states == ["refused"]
    assert "A boat \\ud800" in caplog.text
    caplog.text.encode()  # a handler can write it
