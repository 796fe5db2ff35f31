"""What flows mention with all that they call: the same as a walk from each of them finds, in any net of calls."""

from __future__ import annotations

import random

import pytest

from flowdsl import Source
from flowdsl.checker.flow.mentions import Mentions
from flowdsl.document.build import build
from flowdsl.document.dialects import lowered
from flowdsl.document.document import Document
from flowdsl.document.files import Files
from flowdsl.step.registry import installed


def document_of(calls: dict[int, list[int]], unknown: set[int]) -> Document:
    """A document of flows that set a name of their own each, call others, and read what cannot be known."""
    flows = ""
    for flow, called in calls.items():
        steps = [f"{{step: SET, v{flow}: 1}}", *(f"{{step: CALL_FLOW, ref: local.flows.f{each}}}" for each in called)]
        steps += ["{step: SET, w: '{{ flowContext | length }}'}"] if flow in unknown else []
        flows += f"    f{flow}: [{', '.join(steps)}]\n"
    source = Source(f"blocks:\n  flows:\n{flows}flow:\n- {{step: CALL_FLOW, ref: local.flows.f0}}\n")
    files = Files(source)
    nodes, _ = lowered(source, files.include)
    assert nodes is not None
    file = build(nodes, installed(), files)
    assert file is not None
    return file.documents[0]


def reached(calls: dict[int, list[int]], start: int) -> set[int]:
    found, waiting = {start}, [start]
    while waiting:
        new = set(calls[waiting.pop()]) - found
        found |= new
        waiting += new
    return found


@pytest.mark.parametrize("seed", range(40))
def test_a_net_of_calls_mentions_what_a_walk_from_each_flow_finds(seed: int) -> None:
    chance = random.Random(seed)
    count = chance.randint(1, 14)
    calls = {flow: chance.choices(range(count), k=chance.randint(0, 2)) for flow in range(count)}
    unknown = {flow for flow in range(count) if chance.random() < 0.04}
    document = document_of(calls, unknown)
    mentions = Mentions(document)
    flows = document.scopes["local"].flows
    for flow in chance.sample(range(count), count):
        found = mentions.of(flows[f"f{flow}"], None)
        all_of = reached(calls, flow)
        if all_of & unknown:
            assert found is None
        else:
            assert found is not None
            assert {name for name in found if name[:1] == "v"} == {f"v{each}" for each in all_of}


def test_flows_that_add_no_name_share_one_set() -> None:
    document = document_of({0: [1], 1: [2], 2: [1, 3], 3: []}, set())
    mentions, flows = Mentions(document), document.scopes["local"].flows
    assert mentions.of(flows["f1"], None) is mentions.of(flows["f2"], None)
