"""Tasks `generate_image` of a task gateway: they run as they are, and give the result that the vendor's page shows."""

from __future__ import annotations

import json
import re
import sys
import uuid
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import jsonschema
import pytest
import yaml

import flowdsl
from flowdsl import Diagnostic, Dialect, Environment, Host, Source, Storage
from flowdsl.cli import main
from flowdsl.diagnostics import fixed
from flowdsl.document import dialects
from flowdsl.events import Emitted, Event
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.image.simulator.stand_in import overrides

AS_OF = date(2026, 11, 21)
GOLDEN = Path(__file__).parents[1] / "golden" / "systems" / "generate_image"
SCHEMAS = Path(__file__).parents[2] / "schemas"
EXAMPLE = Path(__file__).parents[2] / "examples" / "systems" / "generate_image.json"
PROMPT = "A white cat sitting on a red sports car."
SHAPE = {
    "success": bool,
    "payload": {
        "request": {"prompt": str, "size": str, "model": str, "quality": str, "n": int},
        "response": {
            "created": int,
            "data": [
                {
                    "revised_prompt": str,
                    "url": str,
                    "image": {
                        "filename": str,
                        "originalname": str,
                        "fileuuid": str,
                        "contentType": str,
                        "revised_prompt": str,
                    },
                }
            ],
        },
    },
}
"""The result that the page shows, with the type of each value, in its order."""
_VARYING = (
    (re.compile(r"\b\d{4}-\d\d-\d\d_[0-9a-f-]{36}_"), "DAY_UUID_"),
    (re.compile(r'("fileuuid": )"[^"]+"'), r'\1"UUID"'),
    (re.compile(r'("created": )\d+'), r"\1CREATED"),
    (re.compile(r"file://\S*/"), "file:///FOLDER/"),
)


def task(around: dict[str, Any] | None = None, **params: Any) -> str:
    return json.dumps({"tasktype": "generate_image", **(around or {}), "params": {"prompt": PROMPT, **params}})


def check(text: str, **settings: Any) -> list[Diagnostic]:
    return Environment(as_of=AS_OF, **settings).check(Source(text, "task.json"))


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def simulated(simulator: Simulator, folder: Path, **settings: Any) -> Environment:
    storage = Storage(images=folder, output=folder / "files")
    return Environment(overrides=overrides(simulator.url, simulator.key), storage=storage, as_of=AS_OF, **settings)


def made(simulator: Simulator, folder: Path, text: str, **settings: Any) -> dict[str, Any]:
    """The payload of a task that ran."""
    result = simulated(simulator, folder, **settings).run(Source(text, "task.json"))
    payload: dict[str, Any] = result.to_json()["payload"]
    return payload


def sent(simulator: Simulator) -> list[dict[str, Any]]:
    """The bodies that the vendor was sent."""
    return [request.json for request in simulator.requests if isinstance(request.json, dict)]


def shape(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    return [shape(item) for item in value] if isinstance(value, list) else type(value)


def ordered(value: Any) -> str:
    return json.dumps(value, default=str)


def command(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    code = main(arguments)
    printed = capsys.readouterr()
    return code, printed.out, printed.err


# What runs, and what it prints


@pytest.mark.parametrize("path", sorted((GOLDEN / "right").glob("*.[jy]*")), ids=lambda path: path.stem)
def test_a_task_gives_the_result_of_the_page(
    path: Path, tmp_path: Path, simulator: Simulator, update_golden: bool
) -> None:
    result = simulated(simulator, tmp_path).run(path)
    printed = json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
    for pattern, name in _VARYING:
        printed = pattern.sub(name, printed)
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8")
    assert len(sent(simulator)) == len(result.made) == 1


@pytest.mark.parametrize("path", sorted((GOLDEN / "wrong").glob("*.json")), ids=lambda path: path.stem)
def test_a_wrong_task_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = flowdsl.check(path, environment=Environment(as_of=AS_OF))
    printed = flowdsl.render(found).replace(str(path), path.name) + "\n"
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert found
    assert printed == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((GOLDEN / "wrong").glob("*.json")), ids=lambda path: path.stem)
def test_a_fix_edits_the_tasks_own_file_and_leaves_json(path: Path) -> None:
    source = Source(path.read_text(encoding="utf-8"), path.name)
    for finding in Environment(as_of=AS_OF).check(source):
        for fix in finding.fixes:
            assert all(edit.span.source is source for edit in fix.edits)
            assert fixed(source, fix) != source.text
            if "syntax" not in finding.code:  # of which a file may have several
                json.loads(fixed(source, fix))


def test_the_example_runs_with_one_command_and_prints_the_documented_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert json.loads(EXAMPLE.read_text(encoding="utf-8"))["params"] == {"prompt": PROMPT}  # the page's own
    code, out, err = command(["run", str(EXAMPLE), "--simulate", "--json"], capsys)
    assert code == 0
    printed = json.loads(out)
    assert ordered(shape(printed)) == ordered(SHAPE)
    assert printed["success"] is True
    assert printed["payload"]["request"] == {
        "prompt": PROMPT,
        "size": "1024x1024",
        "model": "dall-e-3",
        "quality": "standard",
        "n": 1,
    }
    (item,) = printed["payload"]["response"]["data"]
    file = Path(unquote(urlsplit(item["url"]).path))
    assert file.parent == (tmp_path / "flowdsl-images").resolve()
    assert re.fullmatch(r"\d{4}-\d\d-\d\d_[0-9a-f-]{36}_generate_image\.png", file.name)
    assert item["image"]["filename"] == item["image"]["originalname"] == file.name
    assert item["image"]["contentType"] == "image/png"
    assert item["image"]["revised_prompt"] == item["revised_prompt"]
    assert file.read_bytes().startswith(b"\x89PNG")
    assert err.count("warning") == err.count("note") + 1 == 1


def test_the_uuid_of_a_file_is_that_of_its_bytes(tmp_path: Path, simulator: Simulator) -> None:
    result = simulated(simulator, tmp_path).run(Source(task(), "task.json"))
    found = result.to_json()["payload"]["response"]["data"][0]["image"]["fileuuid"]
    assert found == str(uuid.uuid5(uuid.NAMESPACE_OID, result.made[0].sha256))
    assert uuid.UUID(found).version == 5


# The parameters


def test_prompt_is_sent_as_it_is(tmp_path: Path, simulator: Simulator) -> None:
    text = 'A {{ name }} {% if %} {# x #} {city} ${{ github.ref }} "quoted" 100%'
    payload = made(simulator, tmp_path, task(prompt=text, model="gpt-image-2"))
    assert sent(simulator)[0]["prompt"] == payload["request"]["prompt"] == text
    assert check(task(prompt=text, model="gpt-image-2")) == []


def test_prompt_keeps_braces_that_a_host_has_a_name_for(tmp_path: Path, simulator: Simulator) -> None:
    host = Host(variables={"city": lambda: "Lisbon"})
    payload = made(simulator, tmp_path, task(prompt="{city} {{ city }}", model="gpt-image-2"), host=host)
    assert payload["request"]["prompt"] == "{city} {{ city }}"


def test_model_is_dall_e_3_unless_the_task_names_another(tmp_path: Path, simulator: Simulator) -> None:
    assert made(simulator, tmp_path, task())["request"]["model"] == "dall-e-3"
    assert made(simulator, tmp_path, task(model="gpt-image-2"))["request"]["model"] == "gpt-image-2"
    assert [body.get("model") for body in sent(simulator)] == ["dall-e-3", "gpt-image-2"]


@pytest.mark.long
def test_size_and_quality_are_those_of_the_page_or_of_the_model(tmp_path: Path, simulator: Simulator) -> None:
    for size in ("1024x1024", "1024x1792", "1792x1024"):
        for quality in ("standard", "hd"):
            request = made(simulator, tmp_path, task(size=size, quality=quality))["request"]
            assert (request["size"], request["quality"]) == (size, quality)
    request = made(simulator, tmp_path, task(model="gpt-image-2", size="1536x1024", quality="low"))["request"]
    assert (request["size"], request["quality"]) == ("1536x1024", "low")
    asked = [(body["size"], body["quality"]) for body in sent(simulator)]
    assert (asked[0], asked[-1]) == (("1024x1024", "standard"), ("1536x1024", "low"))


@pytest.mark.parametrize(
    ("filename", "file"),
    [
        ("cat", "cat.png"),
        ("cat.png", "cat.png"),
        ("White Cat.JPG", "White Cat.png"),
        ("cat.v2", "cat.v2.png"),
        ("a/b\\c", "a_b_c.png"),
        ("../../etc/passwd", "_.._etc_passwd.png"),
        ('who? "me" <you>: *', "who_ _me_ _you__ _.png"),
        ("CON", "_CON.png"),
        ("猫" * 100, "猫" * 60 + ".png"),
    ],
    ids=["plain", "ending", "other ending", "dots", "folders", "upwards", "signs", "device", "long"],
)
def test_filename_names_the_picture_on_every_file_system(
    filename: str, file: str, tmp_path: Path, simulator: Simulator
) -> None:
    payload = made(simulator, tmp_path / "out", task(model="gpt-image-2", quality="low", filename=filename))
    image = payload["response"]["data"][0]["image"]
    assert (image["filename"], image["originalname"]) == (file, file)
    assert [path.name for path in (tmp_path / "out").glob("*.png")] == [file]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_filename_that_is_taken_gets_a_number_and_nothing_is_written_over(tmp_path: Path, simulator: Simulator) -> None:
    (tmp_path / "cat.png").write_bytes(b"somebody's own")
    found = [made(simulator, tmp_path, task(model="gpt-image-2", filename="cat.png")) for _ in range(2)]
    images = [payload["response"]["data"][0]["image"] for payload in found]
    assert [(image["filename"], image["originalname"]) for image in images] == [
        ("cat-2.png", "cat.png"),
        ("cat-3.png", "cat.png"),
    ]
    assert (tmp_path / "cat.png").read_bytes() == b"somebody's own"


def test_without_filename_the_same_task_has_the_same_name(tmp_path: Path, simulator: Simulator) -> None:
    names = [made(simulator, tmp_path / folder, task())["response"]["data"][0]["image"] for folder in ("a", "b")]
    assert names[0]["filename"] == names[1]["filename"]
    other = made(simulator, tmp_path / "a", task(prompt="A dog."))["response"]["data"][0]["image"]
    assert other["filename"] != names[0]["filename"]


@pytest.mark.long
@pytest.mark.parametrize("value", [True, "true", "True"], ids=["boolean", "text", "capital"])
def test_disable_model_response_shows_no_picture_and_keeps_it_in_the_payload(
    value: Any, tmp_path: Path, simulator: Simulator
) -> None:
    assert [event.name for event in emitted(simulator, tmp_path, task(filename="cat"))] == ["SHOW_RESPONSE"]
    assert emitted(simulator, tmp_path, task(disable_model_response="false")) != []
    assert emitted(simulator, tmp_path, task(disable_model_response=value)) == []
    assert made(simulator, tmp_path, task(disable_model_response=value))["response"]["data"][0]["url"]


def test_the_picture_is_shown_as_a_response(tmp_path: Path, simulator: Simulator) -> None:
    (event,) = emitted(simulator, tmp_path, task(filename="my [cat]"))
    url = (tmp_path / "my [cat].png").resolve().as_uri()
    assert event.payload == {"message": f"![my \\[cat\\].png]({url})", "mode": "markdown"}


def emitted(simulator: Simulator, folder: Path, text: str) -> list[Emitted]:
    events: list[Event] = []
    simulated(simulator, folder).run(Source(text, "task.json"), on_event=events.append)
    return [event for event in events if isinstance(event, Emitted)]


# A model that is shut down


def test_for_real_a_retired_model_stops_before_anything_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-used")
    Path("task.json").write_text(task(size="1792x1024", quality="hd"), encoding="utf-8")
    code, out, err = command(["run", "task.json", "--json", "--as-of", str(AS_OF)], capsys)
    printed = json.loads(out)
    assert code == 1
    assert printed["success"] is False
    assert printed["error"]["message"] == ("the task's default model `dall-e-3` was shut down by OpenAI on 2026-05-12")
    assert printed["error"]["diagnostics"][0]["hint"] == (
        'set `"model": "gpt-image-2.5-sunburst"`, `"quality": "high"` for `hd`'
    )
    assert 'hint: set `"model": "gpt-image-2.5-sunburst"`, `"quality": "high"` for `hd`' in err
    assert not Path("flowdsl-images").exists()


def test_what_goes_with_the_retired_model_is_what_the_catalogue_says() -> None:
    """The model that takes its place has other qualities. On Azure it is one that has other sizes as well."""
    (found,) = (each for each in check(task(quality="standard")) if each.severity == "error")
    assert found.hint == 'set `"model": "gpt-image-2.5-sunburst"`, `"quality": "medium"` for `standard`'
    (size,) = (each for each in check(task(model="gpt-image-1-mini", size="1792x1024")) if each.severity == "error")
    assert (size.code, size.hint) == (
        "unsupported-value",
        "use `1536x1024`; supported: 1024x1024, 1536x1024, 1024x1536, or auto",
    )


def test_at_another_endpoint_the_model_is_the_endpoints_business(tmp_path: Path) -> None:
    services = {"OPENAI_IMAGE_GENERATION": {"endpoint": "http://127.0.0.1:9/v1", "apiKey": "sk-own"}}
    (found,) = check(task(quality="hd"), services=services)
    assert (found.code, found.severity, found.span.text) == ("retired-model", "note", '"generate_image"')
    assert found.message.endswith("this endpoint may still serve it")
    with Simulator() as simulator:
        services = {"OPENAI_IMAGE_GENERATION": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
        environment = Environment(services=services, storage=Storage(images=tmp_path), as_of=AS_OF)
        assert environment.run(Source(task(), "task.json")).outputs["success"] is True
        assert environment.run(Source(task(model="dall-e-2", size="512x512"), "task.json")).outputs["success"] is True


# Failures


def test_a_run_that_fails_prints_the_error_in_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("task.json").write_text(task(model="gpt-image-2"), encoding="utf-8")
    fault = ["--fault", "GENERATE_IMAGE=moderation"]
    code, out, err = command(["run", "task.json", "--simulate", "--json", "-q", *fault], capsys)
    printed = json.loads(out)
    assert code == 4
    assert list(printed)[:2] == ["success", "error"]
    assert printed["success"] is False
    assert printed["error"]["code"] == "content-refused"
    assert "moderation of OPENAI_IMAGE_GENERATION refused the prompt" in printed["error"]["message"]
    assert (printed["error"]["file"], printed["error"]["line"]) == ("task.json", 1)
    assert printed["images"] == []
    assert "error: moderation of OPENAI_IMAGE_GENERATION refused the prompt" in err


@pytest.mark.parametrize("name", ["comments", "broken_off", "list_of_tasks", "no_prompt"])
def test_a_task_that_cannot_run_says_so_as_json(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    path = GOLDEN / "wrong" / f"{name}.json"
    code, out, err = command(["run", str(path), "--simulate", "--json"], capsys)
    printed = json.loads(out)
    assert (code, printed["success"], printed["error"]["type"][-5:]) == (1, False, "Error")
    assert printed["error"]["message"]
    assert "error: " in err


def test_a_native_flow_prints_what_it_always_did(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.flow.yaml").write_text("- step: SETT\n", encoding="utf-8")
    Path("fails.flow.yaml").write_text("- step: RAISE\n  message: no\n", encoding="utf-8")
    assert command(["run", "wrong.flow.yaml", "--json"], capsys)[:2] == (1, "")
    code, out, _ = command(["run", "fails.flow.yaml", "--json"], capsys)
    assert (code, list(json.loads(out))) == (4, ["error", "failed", "images", "cost_usd", "in_doubt"])


def test_a_dialect_without_a_form_for_failures_prints_that_of_flows(monkeypatch: pytest.MonkeyPatch) -> None:
    class Plain(Dialect):
        """Any map."""

        def recognises(self, source: Source, root: Any) -> bool:
            return True

    monkeypatch.setattr(dialects, "_of_plugins", lambda: iter([Plain()]))
    assert dialects.failure(Source("a: 1"), {"error": None}) is None


# The step, and what the dialect costs others


def test_the_step_takes_the_same_keys_and_gives_the_payload(tmp_path: Path, simulator: Simulator) -> None:
    flow = """\
- step: SET
  animal: cat
- step: GENERATE_IMAGE
  prompt: "A white {{ flowContext.animal }}"
  model: gpt-image-2
  filename: "{{ flowContext.animal }}"
  disable_model_response: true
  outputs:
    - {type: imageList, name: pictures}
    - {type: object, name: payload}
- step: SET
  address: "{{ flowContext.payload.response.data[0].url }}"
"""
    result = simulated(simulator, tmp_path).run(flow)
    (picture,) = result.outputs["pictures"]
    assert Path(picture.path).name == "cat.png"
    assert result.outputs["address"] == Path(picture.path).as_uri()
    assert result.outputs["payload"]["request"]["prompt"] == "A white cat"


def test_a_secret_in_a_file_name_is_hidden(tmp_path: Path, simulator: Simulator) -> None:
    flow = """\
- step: GENERATE_IMAGE
  prompt: A cat
  model: gpt-image-2
  filename: "cat-{{ secret('TOKEN') }}"
"""
    host = Host(secrets={"TOKEN": "tok-abcdef123"}.get)
    simulated(simulator, tmp_path, host=host).run(flow)
    assert [path.name for path in tmp_path.glob("*.png")] == ["___.png"]


def test_pictures_of_a_loop_that_share_a_file_name_get_numbers(tmp_path: Path, simulator: Simulator) -> None:
    flow = """\
- step: FOR
  var: it
  items: [a, b]
  do:
    - step: GENERATE_IMAGE
      prompt: "A cat, {{ flowContext.it }}"
      model: gpt-image-2
      filename: cat
"""
    environment = simulated(simulator, tmp_path)
    assert "same-file-name" in [found.code for found in environment.check(flow)]
    environment.run(flow)
    assert sorted(path.name for path in tmp_path.glob("*.png")) == ["cat-2.png", "cat.png"]


def test_a_link_that_stays_is_the_address_and_one_that_ends_is_not(tmp_path: Path, simulator: Simulator) -> None:
    """dall-e-3 sends links that live for an hour: the result has the file's address, which stays."""
    result = simulated(simulator, tmp_path).run(Source(task(filename="cat"), "task.json"))
    assert str(result.made[0].url).startswith(simulator.url)
    url = result.to_json()["payload"]["response"]["data"][0]["url"]
    assert url == (tmp_path / "cat.png").resolve().as_uri()
    from flowdsl_steps.image.generate_image import address_of

    lasting = flowdsl.Image(path="/x/a.png", mime="image/png", bytes=1, sha256="0" * 64, url="https://img.test/a.png")
    kept = flowdsl.Image(path="s3://bucket/a.png", mime="image/png", bytes=1, sha256="0" * 64)
    assert (address_of(lasting), address_of(kept)) == ("https://img.test/a.png", "s3://bucket/a.png")


@pytest.mark.parametrize("path", sorted(GOLDEN.glob("*/*.[jy]*")), ids=lambda path: path.stem)
def test_the_schema_for_editors_takes_what_runs_and_refuses_what_is_wrong_in_form(path: Path) -> None:
    """What a model accepts is not in it."""
    schema = json.loads((SCHEMAS / "generate_image.schema.json").read_text(encoding="utf-8"))
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError:
        return
    codes = {found.code for found in Environment(as_of=AS_OF).check(path)}
    in_form = {"unknown-key", "missing-key", "wrong-type", "misnested-key", "not-a-choice", "empty-file"}
    wrong = path.parent.name == "wrong" and bool(codes & in_form)
    assert bool(list(jsonschema.Draft202012Validator(schema).iter_errors(content))) == wrong


def test_native_files_and_kits_import_no_dialect_of_tasks() -> None:
    for name in [name for name in sys.modules if name.startswith("flowdsl_steps.dialects")]:
        del sys.modules[name]
    for text in ("- step: END\n", "flow:\n  - step: END\n", "AI_KIT:\n  SECTIONS: []\n"):
        assert Environment().check(text) == []
    assert "flowdsl_steps.dialects.generate_image" not in sys.modules


def test_every_parameter_of_the_page_is_in_the_docs_with_its_tests() -> None:
    page = (EXAMPLE.parents[2] / "docs" / "systems.md").read_text(encoding="utf-8")
    section = page.partition("\n## Tasks `generate_image`\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| `(\w+)` \| .* \| (`test_.*`) \|$", section, re.MULTILINE)
    assert [name for name, _ in rows] == ["prompt", "model", "filename", "size", "quality", "disable_model_response"]
    named = {test for _, tests in rows for test in re.findall(r"`(\w+)`", tests)}
    assert named - globals().keys() == set()


def test_explain_shows_a_task_in_its_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = command(["explain", f"{EXAMPLE}:5"], capsys)
    assert out.splitlines()[0].endswith("generate_image.json:1 generate_image (params)")
    assert f"  prompt                  {PROMPT}  params" in out
    assert re.search(r"^  model +dall-e-3 +default of generate_image$", out, re.MULTILINE)
    assert "service OPENAI_IMAGE_GENERATION" in out
    assert command(["explain", str(EXAMPLE)], capsys)[1] == out
    assert (code, "retired-model" in err) == (1, True)
