"""How many requests go at the same time, whatever services they are for."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Limits, Storage
from flowdsl.cli import main
from flowdsl.journal.database import Database
from flowdsl.journal.pace import Pace
from flowdsl_steps.image.connection import AllServices, Connection
from flowdsl_steps.image.paced import Paced
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.vendor import Endpoint

BOAT = "{step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, instruction: a boat"
BOTH = f"""\
- step: FOR
  var: n
  start: 1
  end: 3
  concurrency: 3
  do:
    - step: PARALLEL
      steps:
        - [{BOAT}, service: NEAR}}]
        - [{BOAT}, service: FAR}}]
"""


def environment(simulator: Simulator, folder: Path, *, slow: str = "", **limits: Any) -> Environment:
    entry = {"provider": "openai", "endpoint": simulator.openai_base_url, "apiKey": simulator.key}
    services = {name: {**entry, "rateLimit": 1} if name == slow else entry for name in ("NEAR", "FAR")}
    return Environment(services=services, storage=Storage(images=folder / "images"), limits=Limits(**limits))


@pytest.fixture(params=["with a journal", "without one"])
def journal(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    if request.param == "without one":
        yield None
        return
    with flowdsl.Journal(tmp_path / "state") as journal:
        yield journal


@pytest.mark.long
def test_services_share_the_places_of_the_host(tmp_path: Path, journal: Any) -> None:
    with Simulator(plain=True, latency_s=0.1) as simulator:
        environment(simulator, tmp_path, concurrency=3).run(BOTH, journal=journal)
        assert (simulator.request_count, simulator.peak_concurrency) == (6, 3)


def test_where_nobody_limits_them_no_place_is_looked_for(tmp_path: Path) -> None:
    with Simulator(plain=True) as simulator, flowdsl.Journal(tmp_path / "state") as journal:
        environment(simulator, tmp_path).run(f"- {BOAT}, service: NEAR}}\n", journal=journal)
        assert not (tmp_path / "state" / "slots").exists()
        environment(simulator, tmp_path, concurrency=3).run(f"- {BOAT}, service: NEAR}}\n", journal=journal)
        assert (tmp_path / "state" / "slots").exists()


@pytest.mark.long
@pytest.mark.parametrize("fault", ["server_error", "moderation", "reset"])
def test_a_request_that_fails_gives_its_place_back(fault: str, tmp_path: Path, journal: Any) -> None:
    trying = f"- {{step: TRY, try: [{BOAT}, service: NEAR}}], catch: []}}\n"
    with Simulator(plain=True) as simulator:
        simulator.faults.add(fault)
        environment(simulator, tmp_path, concurrency=1).run(f"{trying}- {BOAT}, service: FAR}}\n", journal=journal)
        assert simulator.request_count >= 2


@pytest.mark.long
def test_a_service_that_has_to_wait_for_its_rate_keeps_no_place_from_others(tmp_path: Path, journal: Any) -> None:
    slow, fast = (f"[{', '.join([f'{BOAT}, service: {name}}}'] * 3)}]" for name in ("FAR", "NEAR"))
    flow = f"- {{step: PARALLEL, steps: [{slow}, {slow}, {fast}]}}\n"

    async def go(simulator: Simulator) -> None:
        at = environment(simulator, tmp_path, slow="FAR", concurrency=1)
        running = asyncio.ensure_future(at.arun(flow, journal=journal))
        while simulator.request_count < 4:  # three of the one, and the first of the other
            assert not running.done()
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    with Simulator(plain=True) as simulator:
        asyncio.run(asyncio.wait_for(go(simulator), 20))


@pytest.mark.long
@pytest.mark.parametrize("is_paced", [True, False])
def test_those_that_waited_for_a_place_keep_the_rate_of_their_service(is_paced: bool, tmp_path: Path) -> None:
    async def times_of_two() -> list[float]:
        with Database(tmp_path) as database:
            among, pace, times = AllServices(2), Pace(database), []
            paced = Paced(pace, Endpoint("PICTURES", "http://a.example", {}, "a")) if is_paced else None
            ways = [Connection(None, None, None, 600, None, None, among) for _ in range(2)]  # type: ignore[arg-type]

            async def ask(way: Connection) -> None:
                async with way.turn(1, paced):
                    times.append(perf_counter())

            async with AsyncExitStack() as held:
                for _ in range(2):
                    await held.enter_async_context(among.place(paced))
                asking = [asyncio.ensure_future(ask(ways[is_paced * number])) for number in range(2)]
                await asyncio.sleep(0.15)  # both turns would go by
                assert not times
            await asyncio.gather(*asking)
            return times

    first, second = asyncio.run(times_of_two())
    assert second - first >= 0.1 - 0.001


@pytest.mark.parametrize("value", ["0", "-1", "1025", "true", "2.0", '"8"'])
def test_a_number_of_places_that_cannot_be_is_shown_with_what_can(
    value: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("a.flow.yaml").write_text("- {step: SET, a: 1}\n")
    Path("flowdsl.toml").write_text(f"concurrency = {value}\n")
    assert main(["validate", "a.flow.yaml"]) == 2
    said = capsys.readouterr().err
    assert "flowdsl.toml:1:15: error: concurrency must be a whole number from 1 to 1024" in said
    assert f"| concurrency = {value}\n     |               ^" in said
    assert "hint: write `concurrency = 8`" in said
    Path("flowdsl.toml").write_text("concurrency = 8\n")
    assert main(["validate", "a.flow.yaml"]) == 0


def test_of_two_files_that_limit_them_the_lower_number_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    own = tmp_path / "config" / "flowdsl" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text("concurrency = 2\n")
    Path("flowdsl.toml").write_text("concurrency = 3\n")
    assert main(["config", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["settings"]
    assert [(row["value"], row["in_force"]) for row in rows if row["name"] == "concurrency"] == [(3, False), (2, True)]
    with Simulator(plain=True, latency_s=0.1) as simulator:
        at = environment(simulator, tmp_path, concurrency=4)
        Path("both.flow.yaml").write_text(BOTH)
        at.run(Path("both.flow.yaml"))
        assert simulator.peak_concurrency == 2


def test_a_host_that_lets_no_request_go_is_told(tmp_path: Path) -> None:
    with Simulator(plain=True) as simulator, pytest.raises(flowdsl.ConfigError, match=r"concurrency=0.*from 1 on"):
        environment(simulator, tmp_path, concurrency=0).run(BOTH)
