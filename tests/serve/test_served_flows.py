"""Flows behind addresses: started with inputs, followed by their events, ended, asked for later."""

from __future__ import annotations

import json
import re
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from gateways import SMALL, Running, running_gateway

import flowdsl
from flowdsl.cli import main
from flowdsl.cli.run import parser as run_parser
from flowdsl.cli.serve import parser as serve_parser
from flowdsl.cli.served_arguments import served_arguments
from flowdsl.serve.tokens import Tokens

SKYLINE = """\
title: Skylines
inputs:
  city: {type: string}
  count: {type: integer, default: 1, maximum: 4}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    n: "{{ inputs.count }}"
    instruction: "The skyline of {{ inputs.city }}"
outputs:
  pictures: "{{ flowContext.imageList }}"
  city: "{{ inputs.city }}"
"""
SAVED = """\
inputs: {name: {type: string}}
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, quality: low, instruction: "A kite"}
  - {step: SAVE_IMAGES, filename: "{{ inputs.name }}"}
  - {step: IF, condition: "{{ inputs.name == '127.0.0.1' }}", then: [{step: REST, url: "http://{{ inputs.name }}/"}]}
outputs:
  said: "{{ flowContext.list[0] }}, of {{ flowContext.imageList[0].path }}"
  files: "{{ flowContext.list }}"
"""
WAITING = "flow:\n  - {step: SLEEP, delay: 60000}\n"


def write_flows(folder: Path) -> None:
    """The flows of a project."""
    (folder / "flows").mkdir()
    (folder / "flows" / "skyline.flow.yaml").write_text(SKYLINE, encoding="utf-8")
    (folder / "flows" / "saved.flow.yaml").write_text(SAVED, encoding="utf-8")
    (folder / "flows" / "waiting.flow.yaml").write_text(WAITING, encoding="utf-8")


@pytest.fixture(scope="module")
def flows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway with two flows."""
    folder = tmp_path_factory.mktemp("flows")
    write_flows(folder)
    with running_gateway(folder, '[serve]\nflows = ["flows"]\n') as found:
        yield found


def run(gateway: Running, flow: str = "skyline", **options: Any) -> httpx.Response:
    """The response to a run with these inputs."""
    headers = options.pop("headers", {})
    return gateway.post({"inputs": options}, f"/flows/{flow}/runs", headers=headers)


def events_of(text: str) -> list[tuple[str, Any]]:
    """The events of a stream: their kinds and what they say."""
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines())
        found.append((lines["event"], json.loads(lines["data"])))
    return found


def test_a_run_gives_its_outputs_with_pictures_by_address(flows: Running) -> None:
    found = run(flows, city="Lisbon", count=2)
    said = found.json()
    assert (found.status_code, said["status"], said["outputs"]["city"]) == (200, "done", "Lisbon")
    assert [httpx.get(each["url"]).status_code for each in said["outputs"]["pictures"]] == [200, 200]
    assert found.headers["location"] == f"/runs/{said['run']}"
    assert str(flows.folder) not in found.text and said["cost_usd"] > 0


def test_a_run_is_found_again_by_its_address(flows: Running) -> None:
    first = run(flows, city="Lisbon")
    again = httpx.get(f"{flows.url}{first.headers['location']}").json()
    assert (again["run"], again["outputs"]["city"]) == (first.json()["run"], "Lisbon")


def test_the_events_of_a_run_are_streamed_and_can_be_read_again_from_one_of_them(flows: Running) -> None:
    found = run(flows, city="Lisbon", headers={"Accept": "text/event-stream"})
    events = events_of(found.text)
    kinds = [kind for kind, _ in events]
    assert kinds[0] == "StepStarted" and kinds[-2:] == ["FlowFinished", "result"]
    assert events[-1][1]["status"] == "done" and str(flows.folder) not in found.text
    url = f"{flows.url}{found.headers['location']}/events"
    later = events_of(httpx.get(url, headers={"Last-Event-ID": "1"}).text)
    assert [kind for kind, _ in later] == kinds[2:]


def test_a_run_that_is_not_waited_for_is_cancelled_by_its_address(flows: Running) -> None:
    found = run(flows, "waiting", headers={"Prefer": "respond-async"})
    assert (found.status_code, found.json()["status"]) == (202, "running")
    ended = httpx.post(f"{flows.url}{found.headers['location']}/cancel").json()
    assert (ended["status"], ended["images"], ended["in_doubt"]) == ("cancelled", [], 0)
    assert httpx.get(f"{flows.url}{found.headers['location']}").json() == ended


def test_a_run_that_fails_says_by_its_address_what_it_had_bought(flows: Running) -> None:
    failed = run(flows, "saved", name="127.0.0.1", headers={"Prefer": "respond-async"}).headers["location"]
    while (found := httpx.get(f"{flows.url}{failed}").json())["status"] == "running":
        pass
    assert (found["status"], found["error"]["code"]) == ("failed", "private_address")
    assert httpx.get(found["images"][0]["url"]).status_code == 200 and found["cost_usd"] > 0


def test_no_path_of_this_machine_leaves_it(flows: Running) -> None:
    found = run(flows, "saved", name="kite")
    assert re.fullmatch(r"kite.png, of saved-[12].png", found.json()["outputs"]["said"])
    assert found.json()["outputs"]["files"] == ["kite.png"]
    again = httpx.get(f"{flows.url}{found.headers['location']}/events")
    assert str(flows.folder) not in found.text + again.text


def test_a_picture_that_no_output_holds_has_its_address_all_the_same(flows: Running) -> None:
    found = run(flows, "saved", name="lion").json()
    assert (found["status"], found["images"], len(found["made"])) == ("done", [], 1)
    assert httpx.get(found["made"][0]["url"]).status_code == 200 and "path" not in found["made"][0]


def test_a_folder_that_takes_no_pictures_is_told_without_its_path(tmp_path: Path) -> None:
    with running_gateway(tmp_path) as gateway:
        (tmp_path / "pictures").write_text("no folder")
        found = gateway.post({**SMALL, "prompt": "A kite"})
        assert found.json()["error"]["code"] == "image_unwritable" and str(tmp_path) not in found.text


def test_a_key_runs_a_flow_once(flows: Running) -> None:
    before = flows.bought
    first, again = (run(flows, city="Porto", headers={"Idempotency-Key": "porto"}).json() for _ in range(2))
    assert first["run"] == again["run"] and flows.bought == before + 1
    other = run(flows, city="Faro", headers={"Idempotency-Key": "porto"})
    assert (other.status_code, other.json()["error"]["code"]) == (422, "idempotency_key_reused")


def test_a_run_that_fails_says_why_in_the_shape_of_refusals(flows: Running) -> None:
    flows.simulator.faults.add("moderation")
    found = run(flows, city="Lisbon")
    error = found.json()["error"]
    assert (found.status_code, error["type"]) == (400, "image_generation_user_error")
    assert httpx.get(f"{flows.url}/runs/{error['run']}").json()["status"] == "failed"


@pytest.mark.parametrize(
    "body, param, code",
    [
        ({"inputs": {}}, "inputs.city", "missing_input"),
        ({"inputs": {"city": 5}}, "inputs.city", "invalid_input"),
        ({"inputs": {"city": "Lisbon", "count": 9}}, "inputs.count", "invalid_input"),
        ({"inputs": {"city": "Lisbon", "citty": "x"}}, "inputs.citty", "undefined_input"),
        ({"inputs": []}, "inputs", "invalid_type"),
        ({"city": "Lisbon"}, "city", "unknown_parameter"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(flows: Running, body: Any, param: str, code: str) -> None:
    before = flows.bought
    found = flows.post(body, "/flows/skyline/runs")
    error = found.json()["error"]
    assert (found.status_code, error["param"], error["code"]) == (400, param, code), error
    assert flows.bought == before


def test_the_flows_are_listed_with_the_schemas_of_their_inputs(flows: Running) -> None:
    found = {each["id"]: each for each in httpx.get(f"{flows.url}/flows").json()["data"]}
    assert found.keys() == {"saved", "skyline", "waiting"}
    assert found["skyline"]["title"] == "Skylines" and found["skyline"]["inputs"]["required"] == ["city"]


def test_a_flow_and_a_run_that_are_not_there_are_404(flows: Running) -> None:
    flow, unknown = run(flows, "skylin", city="Lisbon"), httpx.get(f"{flows.url}/runs/nothing")
    assert flow.status_code == unknown.status_code == 404
    assert "did you mean 'skyline'" in flow.json()["error"]["message"]


def test_the_run_of_one_token_is_not_there_for_another(tmp_path: Path) -> None:
    write_flows(tmp_path)
    tokens = Tokens(tmp_path / "state")
    own, other = ({"Authorization": f"Bearer {tokens.create(name)}"} for name in ("own", "other"))
    with running_gateway(tmp_path, '[serve]\nflows = ["flows"]\n') as gateway:
        where = gateway.url + run(gateway, city="Lisbon", headers=own).headers["location"]
        assert [httpx.get(where, headers=each).status_code for each in (own, other, {})] == [200, 404, 401]
        assert httpx.post(f"{where}/cancel", headers=other).status_code == 404
        models = {"Authorization": f"Bearer {tokens.create('models', models=('gpt-image-2',))}"}
        refused = run(gateway, city="Lisbon", headers=models)
        assert (refused.status_code, refused.json()["error"]["code"]) == (403, "flow_not_allowed")
        assert httpx.get(f"{gateway.url}/flows", headers=models).json()["data"] == []


@pytest.mark.long
def test_a_run_of_an_earlier_process_is_known_with_its_pictures_and_says_what_is_not_kept_of_it(tmp_path: Path) -> None:
    write_flows(tmp_path)
    settings, key = '[serve]\nflows = ["flows"]\n', {"Idempotency-Key": "order-1"}
    with running_gateway(tmp_path, settings) as gateway:
        first = run(gateway, city="Lisbon", count=2, headers=key).json()
        failed = run(gateway, "saved", name="127.0.0.1").json()["error"]["run"]
    with running_gateway(tmp_path, settings) as gateway:
        found = httpx.get(f"{gateway.url}/runs/{first['run']}")
        said, broken = found.json(), httpx.get(f"{gateway.url}/runs/{failed}").json()
        assert [httpx.get(each["url"]).status_code for each in (*said["made"], *broken["made"])] == [200] * 3
        assert [each["sha256"] for each in said["made"]] == [each["sha256"] for each in first["made"]]
        assert {name: said[name] for name in said.keys() - {"made"}} == {
            **{name: first[name] for name in ("run", "flow", "status", "cost_usd")},
            "forgotten": sorted(first.keys() - said.keys()),
        }
        assert (broken["status"], broken["forgotten"]) == ("failed", [])
        assert {**broken["error"], "message": ""} == {
            "message": "",
            "type": "invalid_request_error",
            "param": None,
            "code": "private_address",
        }
        assert str(tmp_path) not in found.text
        assert httpx.post(f"{gateway.url}/runs/{first['run']}/cancel").json()["status"] == "done"
        gone = httpx.get(f"{gateway.url}/runs/{first['run']}/events")
        assert (gone.status_code, gone.json()["error"]["code"]) == (409, "run_of_another_process")
        assert "gone once that has ended; GET /runs/RUN says how it stands" in gone.json()["error"]["message"]
        again = run(gateway, city="Lisbon", count=2, headers=key).json()
        assert (again["run"], again["outputs"]["city"], gateway.bought) == (first["run"], "Lisbon", 0)


def test_a_picture_of_an_earlier_process_whose_file_is_gone_has_no_address(tmp_path: Path) -> None:
    write_flows(tmp_path)
    with running_gateway(tmp_path, '[serve]\nflows = ["flows"]\n') as gateway:
        first = run(gateway, city="Lisbon", count=2).json()
    next(each for each in tmp_path.rglob(f"{first['made'][0]['sha256']}.*")).unlink()
    with running_gateway(tmp_path, '[serve]\nflows = ["flows"]\n') as gateway:
        said = httpx.get(f"{gateway.url}/runs/{first['run']}").json()
        assert [each["sha256"] for each in said["made"]] == [first["made"][1]["sha256"]]


ECHO = """\
inputs: {text: {}}
flow:
  - {step: PARSE_JSON, in: "{{ inputs.text }}"}
  - {step: FOR, var: each, items: "{{ [inputs.text] }}", do: [{step: SET, a: "{{ flowContext.each }}"}]}
outputs: {said: "{{ flowContext.object }}", a: "{{ flowContext.a }}"}
"""


def test_a_client_that_knows_the_digest_of_a_picture_gets_no_new_address_of_it(tmp_path: Path) -> None:
    write_flows(tmp_path)
    (tmp_path / "flows" / "echo.flow.yaml").write_text(ECHO, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["flows"]\n') as gateway:
        made = run(gateway, city="Lisbon").json()["made"][0]
        forged = json.dumps({"path": "a.png", "mime": "image/png", "sha256": made["sha256"]})
        for text in (forged, json.dumps([{"x": json.loads(forged)}])):
            found = run(gateway, "echo", text=text)
            assert found.status_code == 200 and "/pictures/" not in found.text, found.text
            events = run(gateway, "echo", text=text, headers={"Accept": "text/event-stream"})
            assert made["sha256"] in events.text and "/pictures/" not in events.text


@pytest.mark.long
def test_a_gateway_that_ends_waits_for_a_run_that_nobody_waits_for(tmp_path: Path) -> None:
    write_flows(tmp_path)
    with running_gateway(tmp_path, '[serve]\nflows = ["flows"]\n') as gateway:
        gateway.simulator.faults.add("slow,delay_s=0.5")
        run(gateway, city="Lisbon", headers={"Prefer": "respond-async"})
        end = time.monotonic() + 30
        while gateway.bought == 0:
            assert time.monotonic() < end
            time.sleep(0.005)
    assert [found.status for found in gateway.journal.runs.all()] == ["done"]


@pytest.mark.parametrize(
    "files, said",
    [
        ({"a/x.flow.yaml": WAITING, "b/x.flow.yaml": WAITING}, "two flows have the id `x`"),
        ({}, "there is no flow at `a`"),
        ({"a/x y.flow.yaml": WAITING, "b/z.flow.yaml": WAITING}, "cannot be part of an address"),
        ({"a/x.flow.yaml": "flow:\n- step: SLEEEP\n", "b/z.flow.yaml": WAITING}, "did you mean `SLEEP`?"),
    ],
    ids=["twice", "nothing", "odd name", "wrong flow"],
)
def test_flows_that_cannot_be_served_are_told_by_check(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], files: dict[str, str], said: str
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    settings = tmp_path / "flowdsl.toml"
    settings.write_text('[serve]\nflows = ["a", "b"]\n', encoding="utf-8")
    assert main(["serve", "--config", str(settings), "--check", "--as-of", "2026-11-21"]) in (1, 2)
    err = capsys.readouterr().err
    assert said in err and "Traceback" not in err


KIT = """\
AI_KIT:
  SECTIONS:
    - section: Print
      actions:
        - id: sign
          title: Shop sign
          inputs: {word: {type: string}}
          flow: [{step: SET, text: "OPEN {{ inputs.word }}"}]
        - {id: bill, title: Handbill, flow: [{step: SET, text: bill}]}
"""


def test_each_action_of_a_kit_is_a_flow(tmp_path: Path) -> None:
    (tmp_path / "jobs").mkdir()
    (tmp_path / "jobs" / "print.ai-kit.yaml").write_text(KIT, encoding="utf-8")
    with running_gateway(tmp_path, '[serve]\nflows = ["jobs"]\n') as gateway:
        listed = httpx.get(f"{gateway.url}/flows").json()["data"]
        assert [(each["id"], each["title"]) for each in listed] == [
            ("print-sign", "Shop sign"),
            ("print-bill", "Handbill"),
        ]
        assert run(gateway, "print-sign", word="late").json()["outputs"]["text"] == "OPEN late"
        assert "/flows/print-sign/runs" in httpx.get(f"{gateway.url}/openapi.json").json()["paths"]


def test_an_action_is_chosen_by_its_id_before_another_one_that_is_titled_so() -> None:
    kit = KIT.replace("title: Shop sign", "title: bill")
    flow = flowdsl.Environment(settings=None).load(flowdsl.Source(kit, "a.ai-kit.yaml"), action="bill")
    assert (flow.document.id, flow.title) == ("bill", "Handbill")


@pytest.mark.parametrize(
    "kit, said",
    [
        (KIT.replace("id: bill, ", ""), "the action `Handbill` of print.ai-kit.yaml has no `id`"),
        (KIT.replace("id: bill, ", ""), "write `id: handbill` at the action"),
        (KIT.replace("id: sign", "id: a sign"), "write `id: a-sign` at the action"),
        (KIT, "two flows have the id `print-sign`"),
        ("AI_KIT: {SECTIONS: []}\n", "print.ai-kit.yaml: this kit has no actions"),
    ],
)
def test_an_action_without_an_address_of_its_own_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kit: str, said: str
) -> None:
    (tmp_path / "print.ai-kit.yaml").write_text(kit, encoding="utf-8")
    (tmp_path / "print-sign.flow.yaml").write_text("flow: [{step: SET, text: sign}]\n", encoding="utf-8")
    files = ["print.ai-kit.yaml", *(["print-sign.flow.yaml"] if kit == KIT else [])]
    (tmp_path / "flowdsl.toml").write_text(f"[serve]\nflows = {json.dumps(files)}\n", encoding="utf-8")
    assert main(["serve", "--check", "--config", str(tmp_path / "flowdsl.toml")]) == 2
    err = capsys.readouterr().err
    assert said in err and "flowdsl.toml:2:" in err and "Traceback" not in err


def test_the_command_that_goes_on_with_a_run_of_a_kit_names_its_action() -> None:
    kit = Path(__file__).parents[2] / "examples" / "studio.ai-kit.yaml"
    flow = flowdsl.Environment(settings=None).load(kit, action="Menu picture")
    given = served_arguments(
        Namespace(simulate=True, out="pictures", allow_endpoint=["https://sk-1234567890@a.example"]), flow
    )
    assert given["argv"][:6] == ["run", str(kit), "--action", "menu", "--simulate", "--out"]
    assert "sk-1234567890" not in str(given)


def test_a_kit_with_a_name_like_any_other_is_resumed_as_its_action_too(tmp_path: Path) -> None:
    actions = "".join(f"    - {{id: {id}, flow: [{{step: SET, a: 1}}]}}\n" for id in ("poster", "menu"))
    kit, flow = tmp_path / "studio.yaml", tmp_path / "a.ai-kit.flow.yaml"
    kit.write_text(f"AI_KIT:\n  SECTIONS:\n  - section: Print\n    actions:\n{actions}", encoding="utf-8")
    flow.write_text("title: One\nflow: [{step: SET, a: 1}]\n", encoding="utf-8")
    environment, options = flowdsl.Environment(settings=None), Namespace(simulate=False, allow_endpoint=[])
    given = served_arguments(options, environment.load(kit, action="menu"))
    assert given["argv"] == ["run", str(kit), "--action", "menu"]
    assert served_arguments(options, environment.load(flow))["argv"] == ["run", str(flow)]


def test_a_run_that_was_served_as_of_a_day_is_resumed_as_of_it(tmp_path: Path) -> None:
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("flow: [{step: SET, a: 1}]\n", encoding="utf-8")
    options = serve_parser().parse(["--as-of", "2026-04-01"])
    argv = served_arguments(options, flowdsl.Environment(settings=None).load(flow))["argv"]
    assert run_parser().parse(argv[1:]).as_of == options.as_of
