"""Severities of findings that a project, its user or a host sets."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowdsl
from flowdsl import Environment
from flowdsl.cli import main

FLOW = "- {step: SET, a: 1, b: '{a}'}\n- {step: OPENAI_IMAGE_GENERATION, model: dream-9, instruction: a boat, n: 2}\n"


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    path = tmp_path / "a.flow.yaml"
    path.write_text(FLOW)
    return path


def found(path: Path, environment: Environment | None = None) -> dict[str, str]:
    return {each.code: each.severity for each in flowdsl.check(path, environment=environment)}


def severity(folder: Path, text: str, name: str = "flowdsl.toml") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(f"[severity]\n{text}\n")


@pytest.mark.parametrize(
    ("word", "expected"), [("error", "error"), ("warning", "warning"), ("note", "note"), ("off", None)]
)
def test_a_project_says_what_a_finding_counts_as(flow: Path, word: str, expected: str | None) -> None:
    assert found(flow)["single-braces"] == "warning"
    severity(flow.parent, f'single-braces = "{word}"')
    assert found(flow).get("single-braces") == expected


def test_a_warning_that_counts_as_an_error_keeps_a_flow_from_running(
    flow: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["validate", str(flow)]) == 0
    severity(flow.parent, 'single-braces = "error"')
    assert main(["validate", str(flow)]) == 1
    assert main(["run", "--simulate", str(flow)]) == 1
    assert capsys.readouterr().err.count("error: ") == 1
    with pytest.raises(flowdsl.FlowCheckError):
        flowdsl.load(flow)


def test_the_user_comes_before_the_project_and_the_host_before_both(flow: Path) -> None:
    severity(flow.parent, 'single-braces = "error"\nfan-out = "off"\nunknown-model = "warning"')
    severity(flow.parent / "config" / "flowdsl", 'single-braces = "note"\nunknown-model = "error"', "config.toml")
    assert found(flow) == {"single-braces": "note", "unknown-model": "error"}
    host = Environment(severities={"unknown-model": "off"})
    assert found(flow, host) == {"single-braces": "note"}


def test_what_is_an_error_stays_one(flow: Path) -> None:
    flow.write_text("- {step: SET, a: '{{ flowContext.nobody }}'}\n")
    before = found(flow)
    severity(flow.parent, 'undefined-variable = "off"')
    assert found(flow) == before == {"undefined-variable": "error"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('fan-ot = "off"', ":2:1: error: no finding has the code `fan-ot` "),
        ('unknown-step = "note"', ":2:1: error: `unknown-step` is always an error, because a flow with it cannot run "),
        ('fan-out = "hidden"', ":2:11: error: fan-out = 'hidden' is no severity "),
    ],
    ids=["unknown", "an error", "another word"],
)
def test_a_severity_that_cannot_be_set_is_refused(
    flow: Path, line: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    severity(flow.parent, line)
    assert main(["validate", str(flow)]) == 2
    assert message in capsys.readouterr().err
    name, _, word = line.partition(" = ")
    with pytest.raises(flowdsl.UsageError, match="Environment: "):
        Environment(severities={name: word.strip('"')})


SECRETS = ("secret-leak", "plain-secret", "key-for-foreign-host")


@pytest.mark.parametrize("code", SECRETS)
@pytest.mark.parametrize("word", ["off", "note"])
@pytest.mark.parametrize("name", ["flowdsl.toml", "pyproject.toml"])
def test_a_project_makes_little_of_no_secret(
    flow: Path, code: str, word: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    table = "[severity]" if name == "flowdsl.toml" else "[tool.flowdsl.severity]"
    (flow.parent / name).write_text(f'{table}\n{code} = "{word}"\n')
    assert main(["validate", str(flow)]) == 2
    said = capsys.readouterr().err
    assert f'{name}:2:{len(code) + 4}: error: {code} = "{word}" cannot stand in a file of the project' in said
    assert "~/.config/flowdsl/config.toml" in said and "Environment(severities=" in said
    assert main(["run", "--simulate", str(flow)]) == 2


def test_the_user_and_a_host_may_make_little_of_a_secret(flow: Path) -> None:
    text = 'secret-leak = "off"\nplain-secret = "off"'
    severity(flow.parent / "config" / "flowdsl", text, "config.toml")
    flow.write_text("- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: \"{{ secret('A') }}\"}\n")
    assert "secret-leak" not in found(flow)
    severity(flow.parent / "config" / "flowdsl", "", "config.toml")
    assert "secret-leak" in found(flow)
    assert "secret-leak" not in found(flow, Environment(severities={"secret-leak": "off"}))
    assert "secret-leak" not in found(flow, Environment(settings=str(_named(flow.parent))))


def _named(folder: Path) -> Path:
    """A settings file that a host names: it is the host's own choice."""
    (folder / "host.toml").write_text('[severity]\nsecret-leak = "off"\n')
    return folder / "host.toml"


def test_a_project_may_make_more_of_a_secret(flow: Path) -> None:
    flow.write_text("- {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: \"{{ secret('A') }}\"}\n")
    severity(flow.parent, 'secret-leak = "error"\nplain-secret = "warning"')
    assert found(flow)["secret-leak"] == "error"
