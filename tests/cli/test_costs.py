"""`flowdsl costs`: sums of what was paid, and the view that other tools read."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Limits, Storage
from flowdsl.cli import main
from flowdsl.errors import ServiceError
from flowdsl.journal.journal import Journal
from flowdsl_steps.image.simulator import Simulator

pytestmark = pytest.mark.usefixtures("noon")  # costs are summed by day
BOAT = "- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: a boat, size: 1024x1024, quality: low}\n"
COST = 0.0059


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWDSL_STATE")
    return tmp_path


def bought(
    place: Path,
    *tags: dict[str, str],
    simulated: bool = False,
    text: str = BOAT,
    fault: str = "",
    resumed: str | None = None,
) -> None:
    """Runs that buy, each with its tags; or one that goes on."""
    (place / "boat.flow.yaml").write_text(text)
    with Simulator(plain=True) as simulator, Journal(place / ".flowdsl", simulated=simulated) as journal:
        if fault:
            simulator.faults.add(fault)
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        storage = Storage(images=place / "pictures", output=place / "out")
        environment = Environment(services=services, storage=storage, limits=Limits(private_addresses=True))
        flow = environment.load(place / "boat.flow.yaml")
        if resumed is not None:
            journal.resuming(resumed)
        for each in tags:
            flow.run(journal=journal, tags=each, run_id=resumed)


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    assert main(["costs", "--json", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_request_with_two_tags_counts_at_both_and_once_in_the_sum(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bought(place, {"team": "ads", "season": "spring"}, {"team": "ads"}, {})
    found = said(capsys, "--by", "tag")
    assert {row["key"]: row["requests"] for row in found["costs"]} == {"team=ads": 2, "season=spring": 1, None: 1}
    assert found["total"]["requests"] == 3
    assert found["total"]["usd"] == pytest.approx(3 * COST, abs=1e-3)


def test_what_a_gateway_notes_of_each_request_is_no_tag_to_sum_by(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noted = [{"gateway-request": f"{each}f13", "gateway-service": '[null, "gpt-image-2"]'} for each in range(3)]
    bought(place, noted[0], noted[1], {**noted[2], "token": "shop"})
    found = said(capsys, "--by", "tag")
    assert {row["key"]: row["requests"] for row in found["costs"]} == {None: 2, "token=shop": 1}
    assert found["total"]["requests"] == 3


def test_costs_are_of_flows_services_models_and_days(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bought(place, {}, {})
    for by, key in (("flow", str(place / "boat.flow.yaml")), ("service", "OPENAI_IMAGE_GENERATION")):
        assert [(row["key"], row["requests"]) for row in said(capsys, "--by", by)["costs"]] == [(key, 2)]
    assert main(["costs", "--by", "flow"]) == 0
    assert capsys.readouterr().out == (
        "flow            requests  images   cost\n"
        "boat.flow.yaml         2       2  $0.01\n"
        "all                    2       2  $0.01\n"
    )
    assert said(capsys, "--since", "2999-01-01")["costs"] == []
    assert len(said(capsys)["costs"]) == 1


def test_what_is_simulated_is_no_cost_and_is_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs"]) == 0
    assert capsys.readouterr().out == "nothing was paid here\n"
    assert not (place / ".flowdsl").exists()
    bought(place, {}, simulated=True)
    assert main(["costs"]) == 0
    assert capsys.readouterr().out == "nothing was paid here; `--simulated` shows what was simulated\n"
    assert said(capsys, "--simulated")["total"]["requests"] == 1


def test_what_is_in_doubt_stands_beside_the_cost_and_what_was_refused_is_none(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    again = "- step: TRY\n  try:\n    " + BOAT.replace("\n", "\n    ").rstrip() + "\n  catch: []\n"
    bought(place, {}, text=again, fault="moderation")
    bought(place, {}, text=again, fault="reset")
    bought(place, {})
    total = said(capsys)["total"]
    assert (total["requests"], total["in_doubt"]) == (2, 1)
    assert total["usd"] == pytest.approx(COST, abs=1e-3)
    assert total["in_doubt_usd"] >= total["usd"]
    assert main(["costs"]) == 0
    assert "1, up to $0." in capsys.readouterr().out


def test_a_doubt_that_was_released_is_looked_up_in_the_account_and_not_among_the_runs(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ServiceError):
        bought(place, {}, fault="reset")
    assert main(["costs"]) == 0
    assert "nobody knows what became of it; `flowdsl runs` shows the runs" in capsys.readouterr().out
    with Journal(place / ".flowdsl") as journal:
        [run] = journal.runs.all()
        assert journal.runs.release(run.id) == 1
    bought(place, {}, resumed=run.id)
    assert main(["costs"]) == 0
    out = capsys.readouterr().out
    assert "in doubt, and released to be sent again: 1; only the vendor's own account says" in out
    assert "`flowdsl runs`" not in out
    total = said(capsys)["total"]
    assert (total["requests"], total["in_doubt"], total["released"]) == (2, 1, 1)


def test_what_came_and_is_bought_anew_is_not_in_doubt(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bought(place, {})
    before = said(capsys)["total"]
    with Journal(place / ".flowdsl") as journal:
        [run] = journal.runs.all()
        [request] = journal.runs.requests(run.id)
        assert journal.runs.release(run.id, [request.id]) == 1
    assert said(capsys)["total"] == before


def test_the_view_of_the_file_has_the_sums_that_the_command_has(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bought(place, {"team": "ads"}, {})
    with sqlite3.connect(place / ".flowdsl" / "journal.sqlite") as connection:
        rows = connection.execute("SELECT sum(usd), sum(images), min(day), min(tags) FROM costs").fetchall()
    connection.close()
    found = said(capsys)
    assert rows == [(found["total"]["usd"], 2, found["costs"][0]["key"], '{"team": "ads"}')]


def test_a_day_that_is_none_is_refused(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["costs", "--since", "yesterday"]) == 2
    assert "yesterday" in capsys.readouterr().err
