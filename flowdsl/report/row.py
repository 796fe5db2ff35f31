"""A row of a report."""

from __future__ import annotations

from typing import NamedTuple

DONE, FAILED, IN_DOUBT, RELEASED, UNDER_WAY = "done", "failed", "in doubt", "released", "under way"


class Row(NamedTuple):
    """A picture, or what came in its place: a request or a record without one.

    `path` is absolute, None where there is no picture; `cost_usd` is the share of one picture; of a request in doubt
    `most_usd` is what it may have cost. `place` is where the step stands (`card.flow.yaml:7`, `flow[0].do[0]`),
    `iteration` counts from 1, `2.1` inside another loop. `seconds` is how long the request took, `made` a Unix time in
    seconds. `simulated` is None where that of all rows counts, or nobody knows.
    """

    path: str | None = None
    prompt: str | None = None
    revised_prompt: str | None = None
    model: str | None = None
    service: str | None = None
    size: str | None = None
    cost_usd: float | None = None
    most_usd: float | None = None
    seconds: float | None = None
    step: str | None = None
    place: str | None = None
    record: int | None = None
    iteration: str | None = None
    status: str = DONE
    error: str | None = None
    request_id: str | None = None
    run: str | None = None
    made: float | None = None
    simulated: bool | None = None
