"""What is wrong with a request for a run is told in one go."""

from __future__ import annotations

from pathlib import Path

import pytest
from gateways import running_gateway

FLOW = "inputs: {city: {type: string}, count: {type: integer, maximum: 4, default: 1}}\nflow: [{step: SET, a: 1}]\n"


@pytest.mark.parametrize(
    "body, params",
    [
        (
            {"citi": 1, "extra": 2, "inputs": {"city": 5, "count": 9, "cuont": 1}},
            {"citi", "extra", "inputs.city", "inputs.count", "inputs.cuont"},
        ),
        ({"city": 5, "inputs": {"count": 9}}, {"city", "inputs.city", "inputs.count"}),
        ({"extra": 1, "inputs": []}, {"extra", "inputs"}),
        ({"extra": 1, "inputs": {}}, {"extra", "inputs.city"}),
    ],
    ids=["names and values", "an input beside them", "no object", "missing"],
)
def test_unknown_names_and_wrong_values_of_a_run_are_told_at_once(
    tmp_path: Path, body: dict[str, object], params: set[str]
) -> None:
    (tmp_path / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["a.flow.yaml"]\n') as gateway:
        for headers in ({}, {"Prefer": "respond-async"}, {"Accept": "text/event-stream"}):
            found = gateway.post(body, "/flows/a/runs", headers=headers)
            error = found.json()["error"]
            assert found.status_code == 400
            assert {each["param"] for each in error["problems"]} == params, error
            assert error["param"] == error["problems"][0]["param"]
