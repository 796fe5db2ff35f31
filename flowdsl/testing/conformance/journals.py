"""What every journal keeps, whatever it is made of: a class of tests to be subclassed. Each test runs flows against a
simulator that counts, through the protocol of `flowdsl.engine.effects.Journal` alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Limits, Outcome, Storage, batch
from flowdsl.engine.effects import Began, Journal, Journaling
from flowdsl.errors import LimitExceeded, RunError, UsageError

PICTURE = "step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, size: 1024x1024, quality: low, maxRetries: 0"
BOAT = f"- {{{PICTURE}, instruction: a boat}}\n"
SHIP = f"- {{{PICTURE}, instruction: a ship}}\n"
FOUR = f"- {{step: FOR, var: i, start: 1, end: 4, concurrency: 2, do: [{BOAT[2:-1]}]}}\n"
SPLIT = BOAT.replace("gpt-image-2", "dall-e-3").replace("low", "standard, n: 3")
CAUGHT = f"- {{step: TRY, try: [{BOAT[2:-1]}], catch: [{SHIP[2:-1]}]}}\n"
DRAWN = f'- {{{PICTURE}, instruction: "{{{{ [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12] | random }}}} boats"}}\n'
FAIL = "- {step: RAISE, message: not today}\n"
RECORD = f"""
inputs: {{name: {{type: string}}, fails: {{type: boolean, default: false}}}}
flow:
- {{{PICTURE}, instruction: "a boat for {{{{ inputs.name }}}}"}}
- {{step: IF, condition: "{{{{ inputs.fails }}}}", then: [{FAIL[2:-1]}]}}
"""


class Shop:
    """A simulator, a place for a journal, and runs of flows."""

    def __init__(self, conformance: JournalConformance, folder: Path, simulator: Any) -> None:
        self.conformance = conformance
        self.folder = folder
        self.simulator = simulator

    @property
    def bought(self) -> int:
        """How many requests it was sent."""
        return int(self.simulator.request_count)

    def flow(self, text: str, **limits: Any) -> Any:
        """A flow that asks the simulator."""
        services = {
            "OPENAI_IMAGE_GENERATION": {"endpoint": self.simulator.openai_base_url, "apiKey": self.simulator.key}
        }
        storage = Storage(images=self.folder / "pictures", output=self.folder / "out")
        limited = Limits(private_addresses=True, **limits)
        return Environment(services=services, storage=storage, limits=limited).load(text)

    def first(self, text: str, run: str = "one", **limits: Any) -> Any:
        """The result of the first attempt of a run, or the error that it ended with."""
        with self.conformance.opened(self.folder) as journal:
            return _ended(self.flow(text, **limits), journal, run)

    def again(self, text: str, run: str = "one", **limits: Any) -> Any:
        """The same of a further attempt."""
        with self.conformance.opened(self.folder) as journal:
            return _ended(self.flow(text, **limits), self.conformance.resuming(journal, run), run)

    def batch(self, records: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """What becomes of records, one after the other: each buys a picture."""

        async def outcomes(journal: Journal) -> list[Outcome]:
            coming = batch(self.flow(RECORD), records, journal=journal, batch_id="boats", concurrency=1)
            return [outcome async for outcome in coming]

        with self.conformance.opened(self.folder) as journal:
            return asyncio.run(outcomes(journal))


def _ended(flow: Any, journal: Journal, run: str) -> Any:
    try:
        return flow.run(journal=journal, run_id=run)
    except (RunError, UsageError) as error:
        return error


class JournalConformance:
    """Subclass it, and say how a journal is opened and resumed, and where pictures come from: a
    `flowdsl_steps.image.simulator.Simulator`."""

    def opened(self, folder: Path) -> AbstractContextManager[Any]:
        """A journal of a place, the same one each time for the same folder."""
        raise NotImplementedError

    def resuming(self, journal: Any, run: str) -> Journal:
        """The journal, which lets the run of an id go on."""
        raise NotImplementedError

    def simulator(self, **options: Any) -> AbstractContextManager[Any]:
        """The simulator with these options."""
        raise NotImplementedError

    @pytest.fixture
    def shop(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
        with self.simulator(**getattr(request, "param", {})) as simulator:
            yield Shop(self, tmp_path, simulator)

    def test_a_door_is_one_that_journals(self, tmp_path: Path) -> None:
        document = Environment(services={"OPENAI_IMAGE_GENERATION": {"apiKey": "k"}}).load(BOAT).document
        began = Began("one", document, {}, [], {}, date(2026, 1, 2), lambda value: value)
        with self.opened(tmp_path) as journal:
            door = journal.door(began, None)
            assert isinstance(door, Journaling)
            assert (door.as_of, door.spent()) == (date(2026, 1, 2), (0, 0.0))
            door.end("done", None)

    def test_what_was_bought_is_used_again(self, shop: Shop) -> None:
        error = shop.first(BOAT + FAIL)
        result = shop.again(BOAT)
        assert (shop.bought, result.recovered, result.cost_usd) == (1, 1, error.result.cost_usd)
        assert [image.path for image in result.made] == [image.path for image in error.result.made]

    @pytest.mark.parametrize(("flow", "number"), [(FOUR, 4), (SPLIT, 3)], ids=["of a loop", "of one step"])
    def test_equal_requests_are_each_found_once(self, flow: str, number: int, shop: Shop) -> None:
        shop.first(flow + FAIL)
        result = shop.again(flow + BOAT.replace("boat", "car"))
        assert (shop.bought, result.recovered) == (number + 1, number)
        assert len({image.path for image in result.made}) == number + 1

    def test_what_moved_is_found_and_what_changed_is_bought(self, shop: Shop) -> None:
        shop.first(BOAT + SHIP + FAIL)
        assert shop.again(SHIP + BOAT + FAIL).result.recovered == 2
        assert shop.again(SHIP + BOAT.replace("boat", "car")).recovered == 1
        assert shop.bought == 3

    @pytest.mark.parametrize("shop", [{"faults": ["moderation:1"]}], indirect=True, ids=["a refusal"])
    def test_a_failure_that_the_flow_went_on_after_is_the_same_again(self, shop: Shop) -> None:
        shop.first(CAUGHT + FAIL)
        assert shop.again(CAUGHT).recovered == 1
        assert shop.bought == 2

    @pytest.mark.parametrize("shop", [{"faults": ["moderation:1"]}], indirect=True, ids=["a refusal"])
    def test_a_refusal_that_ended_the_run_is_asked_again(self, shop: Shop) -> None:
        assert shop.first(BOAT).code == "content-refused"
        assert len(shop.again(BOAT).images) == 1

    @pytest.mark.parametrize("shop", [{"faults": ["reset_before_body:1"]}], indirect=True, ids=["a lost response"])
    def test_what_is_in_doubt_is_not_sent_again(self, shop: Shop) -> None:
        assert shop.first(BOAT).charge_possible
        for _ in range(2):
            error = shop.again(BOAT)
            assert (error.code, error.charge_possible, shop.bought) == ("request-held", True, 1)

    @pytest.mark.parametrize("shop", [{"latency_s": 30.0}], indirect=True, ids=["slow"])
    def test_what_was_cancelled_is_in_doubt(self, shop: Shop) -> None:
        async def main() -> None:
            with self.opened(shop.folder) as journal:
                running = asyncio.ensure_future(shop.flow(BOAT).arun(journal=journal, run_id="one"))
                while not shop.bought:  # noqa: ASYNC110  the simulator lives in another thread
                    await asyncio.sleep(0.01)
                running.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await running

        asyncio.run(main())
        assert shop.again(BOAT).code == "request-held"
        assert shop.bought == 1

    def test_what_is_drawn_by_lot_stays(self, shop: Shop) -> None:
        for _ in range(3):
            shop.first(DRAWN + FAIL) if not shop.bought else shop.again(DRAWN + FAIL)
        assert shop.again(DRAWN).recovered == 1
        assert shop.bought == 1

    def test_what_is_spent_counts_towards_the_limits(self, shop: Shop) -> None:
        shop.first(BOAT + FAIL, max_requests=2)
        assert shop.again(BOAT + SHIP + FAIL, max_requests=2).code == "raised"
        error = shop.again(BOAT + SHIP + BOAT.replace("boat", "car"), max_requests=2)
        assert isinstance(error, LimitExceeded)
        assert shop.bought == 2

    @pytest.mark.parametrize("shop", [{"faults": ["reset_before_body:1"]}], indirect=True, ids=["a lost response"])
    def test_what_may_be_billed_counts_towards_the_limits(self, shop: Shop) -> None:
        dropped = f"- {{step: TRY, try: [{BOAT[2:-1]}], catch: []}}\n"
        shop.first(dropped + FAIL)
        assert shop.bought == 1
        error = shop.again(dropped + SHIP, max_usd=0.015)  # of about 0.011 each at most
        assert isinstance(error, LimitExceeded)
        assert shop.bought == 1
        assert len(shop.again(dropped + SHIP, max_usd=0.03).images) == 1

    def test_runs_are_kept_apart(self, shop: Shop) -> None:
        shop.first(BOAT + FAIL, "one")
        shop.first(BOAT + FAIL, "two")
        assert shop.bought == 2
        assert shop.again(BOAT, "one").recovered == 1
        assert shop.again(BOAT, "two").recovered == 1
        assert shop.bought == 2

    def test_an_id_that_is_taken_begins_no_run(self, shop: Shop) -> None:
        shop.first(BOAT)
        error = shop.first(SHIP)
        assert isinstance(error, (RunError, UsageError))
        assert "one" in str(error)
        assert shop.bought == 1

    def test_a_name_is_given_once(self, shop: Shop) -> None:
        shop.first(FOUR + FAIL)
        shop.again(FOUR + FAIL)
        shop.again(FOUR)
        named = [path.name for path in (shop.folder / "pictures").iterdir() if path.suffix == ".png"]
        assert len(named) == 4

    def test_records_of_a_batch_that_is_begun_again_go_on_with_what_they_bought(self, shop: Shop) -> None:
        ended = shop.batch([{"name": "Ada"}, {"name": "Bo", "fails": True}])
        assert [outcome.status for outcome in ended] == ["done", "failed"]
        again = shop.batch([{"name": "Ada"}, {"name": "Bo"}, {"name": "Cy"}])
        assert [outcome.result.recovered for outcome in again if outcome.result] == [1, 1, 0]
        assert shop.bought == 3

    @pytest.mark.parametrize("shop", [{"faults": ["reset_before_body:1"]}], indirect=True, ids=["a lost response"])
    def test_a_record_in_doubt_is_held_and_not_sent_again(self, shop: Shop) -> None:
        records = [{"name": "Ada"}, {"name": "Bo"}]
        for _ in range(2):
            assert [outcome.status for outcome in shop.batch(records)] == ["held", "done"]
        assert shop.bought == 2
