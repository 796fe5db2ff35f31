"""An order that a vendor has taken is asked for when its run is resumed, however the attempt before ended, and nothing
is ordered twice."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from bfl_fake import KEY, BlackForestLabsFake
from fake_vendor import Asked, Reply, running
from mistral_fake import KEY as MISTRAL_KEY
from mistral_fake import MistralFake
from zhipu_fake import KEY as ZHIPU_KEY
from zhipu_fake import ZhipuFake

from flowdsl.cli import main
from flowdsl.journal.database import Database
from flowdsl.journal.journal import Journal

FLOW = """\
inputs: {what: {type: string, default: a lighthouse}}
services:
  PICTURES: {provider: bfl, endpoint: URL, model: flux-2-pro, maxRetries: 0, apiKey: "{{ secret('BFL_KEY') }}"}
flow:
  - step: OPENAI_IMAGE_GENERATION
    service: PICTURES
    instruction: "{{ inputs.what }}"
"""


class Slow(BlackForestLabsFake):
    """Refuses questions for an order, which says nothing of that, until it `knows` something; `forgets` them all."""

    knows = False
    forgets = False

    def result(self, name: str) -> Reply:
        if self.forgets:
            return Reply({"detail": "Not found"}, 404)
        return super().result(name) if self.knows else Reply({"detail": "Not now"}, 403)


@pytest.fixture
def vendor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Slow]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BFL_KEY", KEY)
    monkeypatch.setattr("flowdsl_steps.image.vendors.bfl._PAUSE_S", 0.0)
    with running(Slow()) as found:
        Path("a.flow.yaml").write_text(FLOW.replace("URL", found.url), encoding="utf-8")
        Path("a.csv").write_text("what\na lighthouse\na boat\n", encoding="utf-8")
        yield found


def broken_off(*command: str) -> None:
    """A real run that asks for its order in vain."""
    assert main([*(command or ("run", "a.flow.yaml")), "-q", "--private-addresses"]) == 4


def shown(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> tuple[str, str]:
    capsys.readouterr()
    assert main([*arguments]) == code, capsys.readouterr().err
    printed = capsys.readouterr()
    return printed.out, printed.err


def ids() -> list[str]:
    with Journal("state") as journal:
        return [run.id for run in journal.runs.all()]


def test_an_order_is_asked_for_and_not_ordered_again(vendor: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    broken_off()
    assert len(vendor.orders) == 1
    out, _ = shown(capsys, "runs", "show", "last")
    assert "at the vendor: 1. `flowdsl resume" in out
    assert "in doubt" not in out
    assert "lets one be ordered again" in out
    assert KEY not in Path("state/journal.sqlite").read_bytes().decode("latin-1")
    assert "at the vendor" in shown(capsys, "costs")[0]
    vendor.knows = True
    out, err = shown(capsys, "resume", "--yes")
    assert "1 at the vendor" in err
    assert "1 image in " in out
    assert "cost $0.0300" in out  # what the order said when it was taken
    assert len(vendor.orders) == 1


def test_an_order_of_a_process_that_was_killed_is_asked_for(vendor: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    broken_off()
    with Journal("state") as journal:  # as a killed one leaves it
        for change in ("ledger SET state = 'started', result = NULL, is_final = 0", "runs SET status = 'running'"):
            journal.database.submit(lambda db, change=change: db.execute(f"UPDATE {change}")).result(30)
    vendor.knows = True
    assert "1 image in " in shown(capsys, "resume", "--yes")[0]
    assert len(vendor.orders) == 1


def test_an_order_is_not_lost_where_a_resume_is_broken_off_before_it_asks_for_it(
    vendor: Slow, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off()
    submit = Database.submit

    def broken(self: Database, operation: Any, **how: Any) -> Any:
        found = submit(self, operation, **how)
        if operation.__name__ == "begun" and (task := asyncio.current_task()) is not None:
            task.cancel()  # as Ctrl-C does, or the failure of another item of a loop
        return found

    with monkeypatch.context() as patch, contextlib.suppress(asyncio.CancelledError):
        patch.setattr(Database, "submit", broken)
        main(["resume", "--yes", "-q"])
    assert "at the vendor: 1." in shown(capsys, "runs", "show", "last")[0]
    vendor.knows = True
    assert "1 image in " in shown(capsys, "resume", "--yes")[0]
    assert len(vendor.orders) == 1


def test_an_order_that_the_vendor_does_not_know_is_held_until_it_is_released(
    vendor: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off()
    vendor.forgets = True
    shown(capsys, "resume", "--yes", code=4)
    assert "in doubt: 1." in shown(capsys, "runs", "show", "last")[0]
    assert "--resend    sends them again" in shown(capsys, "resume", "--yes", code=1)[1]
    assert len(vendor.orders) == 1
    vendor.forgets, vendor.knows = False, True
    assert "1 image in " in shown(capsys, "resume", "--yes", "--resend")[0]
    assert len(vendor.orders) == 2


@pytest.mark.parametrize(
    ("word", "state"), [("forbidden", "refused"), ("indecent", "in doubt"), ("doomed", "in doubt")]
)
def test_what_the_vendor_says_of_an_order_that_failed_ends_it(
    word: str, state: str, vendor: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off("run", "a.flow.yaml", "-i", f"what=something {word}")
    vendor.knows = True
    shown(capsys, "resume", "--yes", code=4)
    assert shown(capsys, "runs", "show", "last")[0].splitlines()[2].startswith(state)
    assert len(vendor.orders) == 1


def test_the_order_of_another_attempt_is_asked_for_where_one_is_sent_again(
    vendor: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off()
    [run], vendor.forgets = ids(), True
    shown(capsys, "resume", "--yes", code=4)
    vendor.forgets = False
    shown(capsys, "resume", "--yes", "--resend", code=4)
    assert len(vendor.orders) == 2
    vendor.knows = True
    shown(capsys, "resume", run, "--yes")
    assert vendor.asked[-2].target.endswith("?id=order-2")
    assert len(vendor.orders) == 2


def test_of_two_orders_of_one_request_the_last_is_asked_for(vendor: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    text = FLOW.replace("URL", vendor.url).replace("maxRetries: 0", "maxRetries: 1, onUnknown: resend")
    Path("a.flow.yaml").write_text(text, encoding="utf-8")
    broken_off()
    assert len(vendor.orders) == 2
    vendor.knows = True
    before = len(vendor.asked)
    shown(capsys, "resume", "--yes")
    assert vendor.asked[before].target.endswith("?id=order-2")
    assert len(vendor.orders) == 2


def test_records_of_a_batch_wait_for_their_orders(vendor: Slow, capsys: pytest.CaptureFixture[str]) -> None:
    broken_off("batch", "a.flow.yaml", "--over", "a.csv", "--out", "cards", "--json")
    out, err = capsys.readouterr()
    assert (json.loads(out)["held"], json.loads(out)["failed"]) == (0, 0)
    assert "the vendor goes on with 2 requests, and bills them: `flowdsl resume" in err
    vendor.knows = True
    assert shown(capsys, "resume", "--yes")[0].startswith("2 records done, cost $0.06\n")
    assert len(vendor.orders) == 2


class Patient(ZhipuFake):
    """Refuses questions for an order until it `knows` something."""

    knows = False

    def respond(self, asked: Asked) -> Any:
        is_question = asked.method == "GET" and "/async-result/" in asked.path
        return Reply({}, 403) if is_question and not self.knows else super().respond(asked)


class BusyFiles(MistralFake):
    """Mistral, which gives no file until it `knows` them."""

    knows = False

    def respond(self, asked: Asked) -> Reply:
        is_question = asked.method == "GET" and not self.knows
        return Reply({"detail": "Not now"}, 403) if is_question else super().respond(asked)


def written(url: str, provider: str, model: str) -> None:
    """A flow that asks another vendor."""
    text = FLOW.replace("provider: bfl", f"provider: {provider}").replace("flux-2-pro", model)
    Path("a.flow.yaml").write_text(text.replace("URL", url), encoding="utf-8")


def ordered(fake: Patient | BusyFiles) -> int:
    return sum(asked.method == "POST" for asked in fake.asked)


OTHERS = [
    (Patient, ZHIPU_KEY, ("zhipu", "glm-image")),
    (BusyFiles, MISTRAL_KEY, ("mistral", "mistral-medium-latest")),
]


@pytest.fixture(params=OTHERS, ids=["zhipu", "mistral"])
def other(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[tuple[Patient | BusyFiles, tuple[str, str]]]:
    fake, key, named = request.param
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("BFL_KEY", key)
    monkeypatch.setattr("flowdsl_steps.image.vendors.zhipu._PAUSE_S", 0.0)
    with running(fake()) as found:
        written(found.url, *named)
        yield found, named


def test_a_vendor_whose_responses_name_no_address_is_asked_too(
    other: tuple[Patient | BusyFiles, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, _ = other
    broken_off()
    fake.knows = True
    assert "1 image in " in shown(capsys, "resume", "--yes")[0]
    assert ordered(fake) == 1


def test_an_order_is_asked_for_nowhere_else_than_where_it_was_taken(
    other: tuple[Patient | BusyFiles, tuple[str, str]], capsys: pytest.CaptureFixture[str]
) -> None:
    fake, named = other
    broken_off()
    fake.knows = True
    with running(type(fake)()) as elsewhere:
        written(elsewhere.url, *named)
        err = shown(capsys, "resume", "--yes", code=4)[1]
        assert f"PICTURES goes to {elsewhere.url}/" in err
        assert f"where nobody knows what was ordered at {fake.url}/" in err
        assert "put `endpoint` and other settings of PICTURES back" in err
        assert elsewhere.asked == []
    written(fake.url, *named)
    assert "1 image in " in shown(capsys, "resume", "--yes")[0]
    assert ordered(fake) == 1


def test_an_order_whose_own_address_is_elsewhere_now_is_told_as_that(
    vendor: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off()
    vendor.knows = True
    with running(Slow()) as elsewhere:
        Path("a.flow.yaml").write_text(FLOW.replace("URL", elsewhere.url), encoding="utf-8")
        err = shown(capsys, "resume", "--yes", code=4)[1]
        assert "where nobody knows what was ordered at" in err
        assert elsewhere.asked == []
    assert "at the vendor: 1." in shown(capsys, "runs", "show", "last")[0]
    Path("a.flow.yaml").write_text(FLOW.replace("URL", vendor.url), encoding="utf-8")
    assert "1 image in " in shown(capsys, "resume", "--yes")[0]
    assert len(vendor.orders) == 1


@pytest.mark.parametrize("command", ["run", "batch"])
def test_what_is_given_up_with_an_order_says_that_the_vendor_goes_on(
    command: str, vendor: Slow, capsys: pytest.CaptureFixture[str]
) -> None:
    broken_off(command, "a.flow.yaml", *(("--over", "a.csv", "--limit", "1") if command == "batch" else ()))
    said = "the vendor goes on with 1 request, and bills it: look in your account there\n"
    assert shown(capsys, "runs", "cancel", "last")[1] == said
