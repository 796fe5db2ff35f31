"""Flows of Kestra: they run as they are, and what is wrong with one is told in its file and in its words."""

from __future__ import annotations

import json
import re
import ssl
import subprocess
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

import flowdsl
from flowdsl import Environment, Host, Source, Storage
from flowdsl.cli import main
from flowdsl.diagnostics import fixed
from flowdsl.document import dialects
from flowdsl.syntax.yaml_reader import read
from flowdsl_steps.dialects.kestra_schema import OWN
from tests.systems.tiny_pictures import TinyPictures

AS_OF = date(2026, 11, 21)
GOLDEN = Path(__file__).parents[1] / "golden" / "systems" / "kestra"
EXAMPLE = Path(__file__).parents[2] / "examples" / "systems" / "comic_page.kestra.yml"
RIGHT = sorted((GOLDEN / "right").glob("*.yaml"))
SCHEMA = Draft202012Validator(
    json.loads((Path(__file__).parents[2] / "schemas" / "kestra.schema.json").read_text(encoding="utf-8"))
)
WRONG = sorted((GOLDEN / "wrong").glob("*.yaml"))


@pytest.fixture(scope="module")
def running() -> Iterator[TinyPictures]:
    with TinyPictures() as pictures:
        yield pictures


@pytest.fixture
def pictures(running: TinyPictures) -> TinyPictures:
    running.bodies.clear()
    running.keys.clear()
    return running


def environment(pictures: TinyPictures, folder: Path, **host: Any) -> Environment:
    return Environment(
        overrides={"openai": {"endpoint": pictures.url, "apiKey": "sk-simulated"}},
        storage=Storage(images=folder, output=folder / "files"),
        host=Host(**{"secrets": lambda name: f"sk-of-{name}", **host}),
        as_of=AS_OF,
    )


def flow(tasks: str, around: str = "") -> Source:
    return Source(f"id: f\nnamespace: company.ai\n{around}\ntasks:\n{tasks}", "f.yaml")


IMAGE = """\
  - id: page
    type: io.kestra.plugin.ai.completion.ImageGeneration
    prompt: PROMPT
    provider: {type: OpenAI, apiKey: KEY, modelName: gpt-image-2}
"""


def image(prompt: str, key: str = "k-1") -> str:
    return IMAGE.replace("PROMPT", prompt).replace("KEY", key)


@pytest.mark.parametrize("path", RIGHT, ids=lambda path: path.stem)
def test_flow_sends_these_requests_and_gives_these_outputs(
    path: Path, tmp_path: Path, pictures: TinyPictures, update_golden: bool
) -> None:
    surroundings = environment(pictures, tmp_path)
    found = [each for each in surroundings.check(path) if each.severity != "note"]
    assert [each for each in found if each.severity == "error"] == []
    said: list[str] = []
    host = surroundings.host
    surroundings = environment(pictures, tmp_path, sink=lambda name, payload: said.append(payload["message"]))
    assert host.sink is None
    result = surroundings.run(path)
    lines = [f"{body['model']}: {body['prompt'].rstrip()}" for body in pictures.bodies]
    if "concurrencyLimit: 2" in path.read_text(encoding="utf-8"):
        lines.sort()
    printed = "".join(f"request {line}\n" for line in lines) + "".join(f"says {line}\n" for line in said)
    printed += "".join(f"{each.severity}: {each.message}\n" for each in found)
    printed += json.dumps(result.to_json(), indent=2, ensure_ascii=False) + "\n"
    printed = re.sub(r"file://\S*/", "file:///FOLDER/", printed)
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert printed == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_wrong_flow_has_exactly_these_findings(path: Path, update_golden: bool) -> None:
    found = flowdsl.check(path, environment=Environment(as_of=AS_OF))
    printed = flowdsl.render(found).replace(str(path), path.name) + "\n"
    expected = path.with_suffix(".txt")
    if update_golden:
        expected.write_text(printed, encoding="utf-8")
    assert [each for each in found if each.severity == "error"]
    assert printed == expected.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WRONG, ids=lambda path: path.stem)
def test_fix_edits_the_flow_file_and_leaves_yaml(path: Path) -> None:
    source = Source(path.read_text(encoding="utf-8"), path.name)
    for finding in Environment(as_of=AS_OF).check(source):
        for fix in finding.fixes:
            assert all(edit.span.source is source for edit in fix.edits)
            after = Source(fixed(source, fix), path.name)
            assert after.text != source.text
            assert "yaml-syntax" not in {each.code for each in Environment(as_of=AS_OF).check(after)}


def test_there_are_forty_documents_a_third_of_them_wrong() -> None:
    assert len(RIGHT) + len(WRONG) >= 40
    assert 3 * len(WRONG) >= len(RIGHT) + len(WRONG)


# The schema for editors


def plain(path: Path) -> Any:
    """The values of a file."""
    root, _ = read(Source(path.read_text(encoding="utf-8"), path.name))
    assert root is not None
    return root.plain()


@pytest.mark.parametrize("path", [*RIGHT, EXAMPLE], ids=lambda path: path.stem)
def test_the_schema_of_editors_takes_what_runs(path: Path) -> None:
    document = plain(path)
    assert [each.message for each in SCHEMA.iter_errors(document)] == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unknown_properties", "'promt', 'size'"),
        ("misspelt_task", "'io.kestra.plugin.ai.completion.ImageGenration' is not"),
        ("durations_and_retry", "'10m' does not match"),
        ("flow_keys", "'task' was unexpected"),
        ("no_tasks", "'tasks' is a required property"),
        ("provider_mistakes", "'tenantId' was unexpected"),
        ("request_properties", "'url' was unexpected"),
    ],
)
def test_the_schema_of_editors_shows_what_does_not(name: str, said: str) -> None:
    document = plain(GOLDEN / "wrong" / f"{name}.yaml")
    assert any(said in each.message for each in SCHEMA.iter_errors(document))


@pytest.mark.parametrize("type", OWN)
def test_the_schema_has_the_properties_that_the_task_has(type: str) -> None:
    """Each by itself: what a task does not have is an unknown key, whatever else is said of it."""
    for name in (*OWN[type], "no_such"):
        task = {"id": "a", "type": type, name: None}
        source = Source(json.dumps({"id": "f", "namespace": "a", "tasks": [task]}), "f.yaml")
        found = Environment(as_of=AS_OF).check(source)
        assert ("unknown-key" in {each.code for each in found}) == (name == "no_such")


# Stored values and secrets


def test_kv_gives_what_the_run_was_given_then_the_settings_file_then_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    text = "  - id: said\n    type: io.kestra.plugin.core.debug.Return\n    format: \"{{ kv('A') }} {{ kv('B') }}"
    text += " {{ kv('NONE', errorOnMissing=false) ?? 'no' }} {{ kv('PART') }}\"\n"
    Path("f.yaml").write_text(flow(text).text, encoding="utf-8")
    Path("flowdsl.toml").write_text('[kv]\nA = "of the file"\nB = "b"\n', encoding="utf-8")
    monkeypatch.setenv("PART", "of-the-environment")
    assert main(["run", "f.yaml", "--kv", "A=given", "--json", "--quiet"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed["outputs"]["said"]["value"] == "***"  # a variable of the environment may be a key
    Path("f.yaml").write_text(flow(text.replace(" {{ kv('PART') }}", "")).text, encoding="utf-8")
    assert main(["run", "f.yaml", "--kv", "A=given", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["outputs"]["said"]["value"] == "given b no"


def test_missing_key_and_secret_say_what_to_set(tmp_path: Path, pictures: TinyPictures) -> None:
    surroundings = environment(pictures, tmp_path, secrets={}.get)
    with pytest.raises(flowdsl.RunError, match=r"the key 'NONE' does not exist"):
        surroundings.run(flow(image("\"{{ kv('NONE') }}\"")))
    with pytest.raises(flowdsl.RunError, match=r"cannot find secret for key 'NONE'") as caught:
        surroundings.run(flow(image("A", "\"{{ secret('NONE') }}\"")))
    assert caught.value.hint == ("set the environment variable NONE, or SECRET_NONE to the secret in base64")
    assert not pictures.bodies


def test_missing_secret_of_a_later_task_is_told_before_a_picture_is_paid(
    tmp_path: Path, pictures: TinyPictures
) -> None:
    second = image("B", "\"{{ secret('NONE') }}\"").replace("page", "second")
    with pytest.raises(flowdsl.RunError, match=r"cannot find secret for key 'NONE'"):
        environment(pictures, tmp_path, secrets={}.get).run(flow(image("A") + second))
    assert not pictures.bodies


def test_under_simulate_a_missing_secret_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.yaml").write_text(flow(image("A", "\"{{ kv('NONE') }}{{ secret('NO') }}\"")).text, encoding="utf-8")
    assert main(["run", "f.yaml", "--simulate", "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert list(printed["outputs"]["page"]) == ["imageUrl", "finishReason", "tokenUsage"]
    assert list(printed["metrics"]["page"]) == ["input.token.count", "output.token.count", "total.token.count"]


def test_comic_page_gives_its_tokens_where_the_model_reports_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = EXAMPLE.read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    printed = []
    for text in (page, page.replace("dall-e-3", "gpt-image-2")):
        Path("page.kestra.yml").write_text(text, encoding="utf-8")
        assert main(["run", "page.kestra.yml", "--simulate", "--json"]) == 0
        printed.append(json.loads(capsys.readouterr().out))
    as_printed, living = printed
    outputs = [each["outputs"]["image_generation"] for each in printed]
    assert [list(each) for each in outputs] == [["imageUrl", "finishReason", "tokenUsage"]] * 2
    # The page's own model is shut down, and never said how many tokens it took.
    assert (outputs[0]["tokenUsage"], as_printed["metrics"]["image_generation"]) == (None, {})
    tokens = outputs[1]["tokenUsage"]
    assert tokens["inputTokenCount"] + tokens["outputTokenCount"] == tokens["totalTokenCount"] > 0
    assert living["metrics"]["image_generation"] == {
        "input.token.count": tokens["inputTokenCount"],
        "output.token.count": tokens["outputTokenCount"],
        "total.token.count": tokens["totalTokenCount"],
    }


def test_no_key_stands_in_what_a_run_prints(tmp_path: Path, pictures: TinyPictures) -> None:
    said = "  - id: said\n    type: io.kestra.plugin.core.debug.Return\n    format: \"{{ secret('K') }}\"\n"
    result = environment(pictures, tmp_path, secrets=lambda name: "sk-very-secret-key").run(
        flow(image("A", "\"{{ kv('K') }}\"") + said)
    )
    assert "sk-very-secret-key" not in json.dumps(result.to_json())


SECRET_INPUT = "inputs:\n  - {id: brand_key, type: SECRET}\n"
SAID = "  - id: said\n    type: io.kestra.plugin.core.debug.Return\n    format: KEY {{ inputs.brand_key | upper }}\n"


def test_secret_input_stands_nowhere_that_a_run_leaves(
    tmp_path: Path, pictures: TinyPictures, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-environment")
    text = flow(image("'A {{ inputs.brand_key }}'") + SAID, SECRET_INPUT).text
    Path("f.yaml").write_text(text, encoding="utf-8")
    for more in (["--json"], []):
        assert main(["run", "f.yaml", "--simulate", "-i", "brand_key=blue-harbour-77", "--out", "o", *more]) == 0
    shown = "".join(capsys.readouterr())
    shown += "".join(path.read_text("utf-8", "replace") for path in Path("o").rglob("*") if path.is_file())
    shown += "".join(str(path) for path in Path("o").rglob("*"))
    assert "***" in shown
    assert "blue-harbour-77" not in shown.lower()


def test_secret_input_is_a_key_of_a_provider(tmp_path: Path, pictures: TinyPictures) -> None:
    result = environment(pictures, tmp_path).run(
        flow(image("A", "'{{ inputs.brand_key }}'") + SAID, SECRET_INPUT), {"brand_key": "blue-harbour-77"}
    )
    assert result.to_json()["outputs"]["said"] == {"value": "***"}


def test_secret_input_that_does_not_fit_is_not_shown(tmp_path: Path, pictures: TinyPictures) -> None:
    declared = SECRET_INPUT.replace("SECRET", "SECRET, validator: 'k-[0-9]+'")
    with pytest.raises(flowdsl.ConfigError, match="it is a secret, and not shown") as caught:
        environment(pictures, tmp_path).run(flow(image("A"), declared), {"brand_key": "blue-harbour-77"})
    assert "harbour" not in f"{caught.value} {caught.value.hint}"


# Certificates


def _authority(folder: Path) -> None:
    """Makes `ca.pem` and `key.pem`, a certificate for localhost that is its own authority."""
    made = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
    made += "-addext subjectAltName=DNS:localhost,IP:127.0.0.1 -keyout key.pem -out ca.pem"
    try:
        subprocess.run(made.split(), cwd=folder, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("openssl cannot make a certificate here")


@pytest.mark.long
@pytest.mark.parametrize("given", ["caPem clientPem", "caPem", ""], ids=["both", "no client", "none"])
def test_certificates_of_a_provider_are_those_of_its_connection(given: str, tmp_path: Path) -> None:
    """A server that wants a certificate of the client, from an authority that nobody else knows."""
    _authority(tmp_path)
    whole = (tmp_path / "ca.pem").read_text()
    pems = {"caPem": whole, "clientPem": whole + (tmp_path / "key.pem").read_text()}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")
    context.load_verify_locations(tmp_path / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    with TinyPictures(context) as pictures:
        own = {name: pems[name] for name in given.split()}
        provider = {"type": "OpenAI", "apiKey": "k-1", "modelName": "gpt-image-2", "baseUrl": pictures.url, **own}
        task = {"id": "page", "type": "io.kestra.plugin.ai.completion.ImageGeneration", "prompt": "A harbour"}
        document = {"id": "f", "namespace": "a", "tasks": [{**task, "provider": provider}]}
        surroundings = Environment(
            storage=Storage(images=tmp_path / "images", output=tmp_path / "files"), as_of=AS_OF, host=Host()
        )
        if given == "caPem clientPem":
            found = surroundings.run(Source(json.dumps(document), "f.yaml"))
            assert found.to_json()["outputs"]["page"]["finishReason"] == "STOP"
            assert [body["prompt"] for body in pictures.bodies] == ["A harbour"]
        else:
            with pytest.raises(flowdsl.ServiceUnavailable):
                surroundings.run(Source(json.dumps(document), "f.yaml"))
            assert pictures.bodies == []


# The file as a whole


def test_example_is_the_comic_page_of_the_vendor_and_its_model_is_told(tmp_path: Path) -> None:
    found = Environment(as_of=AS_OF).check(EXAMPLE)
    assert [(each.code, each.span.text) for each in found] == [("retired-model", "dall-e-3")]
    lowered, _ = dialects.lowered(Source(EXAMPLE.read_text(encoding="utf-8"), "a.yaml"))
    assert lowered is not None
    (step,) = lowered.root.value["flow"].value
    assert step.value["prompt"].value.startswith("Four-panel comic page about a data engineer")


def test_failure_is_printed_with_its_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    path = GOLDEN / "wrong" / "undefined_output.yaml"
    assert main(["run", str(path), "--simulate", "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["state"] == "FAILED"


def test_errors_run_when_a_task_fails_and_the_run_stays_failed(tmp_path: Path, pictures: TinyPictures) -> None:
    said: list[str] = []
    surroundings = environment(pictures, tmp_path, sink=lambda name, payload: said.append(payload["message"]))
    tell = "errors:\n  - id: tell\n    type: io.kestra.plugin.core.log.Log\n    message: it failed\n"
    with pytest.raises(flowdsl.RunError):
        surroundings.run(flow(image("FAILS"), tell))
    assert said == ["it failed"]


@pytest.mark.parametrize(
    ("text", "seconds"), [("PT0.25S", 0.25), ("PT15M", 900), ("P6DT4H", 532_800), ("10m", None), ("P1W", None)]
)
def test_durations_are_those_of_java(text: str, seconds: float | None) -> None:
    from flowdsl_steps.dialects.kestra_values import seconds_of

    assert seconds_of(text) == seconds
