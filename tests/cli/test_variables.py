"""`{{ env.NAME }}` on the command line: which variables templates may read; others are found before a run."""

from __future__ import annotations

from pathlib import Path

import pytest

import flowdsl
from flowdsl.cli import main

FLOW = '- {step: SET, text: "{{ env.BRAND }}", other: "{{ env.OTHER | default(\'none\') }}"}\n'


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("BRAND", "Harbour Ltd")
    monkeypatch.setenv("OTHER", "hidden")
    Path("flows").mkdir()
    Path("flows/a.flow.yaml").write_text(FLOW, encoding="utf-8")


def test_a_variable_that_nothing_lets_a_template_read_is_found_before_the_run(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for command in (["validate"], ["run", "-q"]):
        assert main([*command, "flows/a.flow.yaml"]) == 1
        printed = "".join(capsys.readouterr())
        assert "flows/a.flow.yaml:1:25: error: `env.BRAND` is undefined" in printed
        assert (
            'hint: let it be read: `env = ["BRAND"]` in flowdsl.toml, `flowdsl run --env BRAND`, or in a host'
            in printed
        )
        assert "`env.OTHER`" not in printed


@pytest.mark.parametrize(
    ("name", "text"),
    [("flowdsl.toml", 'env = ["BRAND"]\n'), ("pyproject.toml", '[tool.flowdsl]\nenv = ["BRAND"]\n')],
    ids=["own-file", "pyproject"],
)
def test_the_settings_file_names_the_variables_that_templates_read(
    name: str, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(name).write_text(text, encoding="utf-8")
    assert main(["validate", "flows", "--strict"]) == 0
    assert main(["explain", "flows/a.flow.yaml:1"]) == 0
    capsys.readouterr()
    for more in ([], ["--simulate"]):
        assert main(["run", "flows/a.flow.yaml", "-q", *more]) == 0
        assert capsys.readouterr().out.startswith("text: Harbour Ltd\nother: none\n")


def test_an_option_of_a_run_names_a_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "flows/a.flow.yaml", "-q", "--env", "BRAND", "--env", "OTHER"]) == 0
    assert capsys.readouterr().out.startswith("text: Harbour Ltd\nother: hidden\n")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('env = "BRAND"', 'write `env = ["BRAND"]`'),
        ("env = [1]", "`1` is not the name of an environment variable"),
        ('env = ["OPENAI_API_KEY"]', "read it with `{{ secret('OPENAI_API_KEY') }}`, which hides it"),
    ],
    ids=["no-list", "number", "secret"],
)
def test_a_settings_file_cannot_let_a_secret_be_read_in_clear(
    content: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flowdsl.toml").write_text(content, encoding="utf-8")
    assert main(["validate", "flows/a.flow.yaml"]) == 2
    assert said in capsys.readouterr().err
    assert main(["run", "flows/a.flow.yaml", "--env", "MY_TOKEN"]) == 2


def test_a_settings_file_opens_no_variable_to_a_host_application() -> None:
    Path("flowdsl.toml").write_text('env = ["BRAND"]\n', encoding="utf-8")
    assert [finding.code for finding in flowdsl.check("flows/a.flow.yaml")] == ["undefined-variable"]
    host = flowdsl.Environment(host=flowdsl.Host(env=["BRAND"]))
    assert host.run("flows/a.flow.yaml").outputs["text"] == "Harbour Ltd"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ env.BRND }}", "did you mean `env.BRAND`?"),
        ("{{ env.MY_API_KEY }}", "a secret is read with `secret('MY_API_KEY')`"),
        ("{{ env.BRAND }} {{ env.HOME }}", '`env = ["HOME"]` in flowdsl.toml'),
    ],
    ids=["misspelt", "secret", "second"],
)
def test_a_hint_for_a_variable_says_what_can_be_done(
    template: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flowdsl.toml").write_text('env = ["BRAND"]\n', encoding="utf-8")
    Path("b.flow.yaml").write_text(f'- {{step: SET, text: "{template}"}}\n', encoding="utf-8")
    assert main(["validate", "b.flow.yaml"]) == 1
    assert said in capsys.readouterr().out


def test_a_service_entry_reads_only_variables_that_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    Path("b.flow.yaml").write_text(
        'services: {HUB: {endpoint: "{{ env.GATEWAY }}"}}\nflow: [{step: SET, text: x}]\n', encoding="utf-8"
    )
    assert main(["validate", "b.flow.yaml"]) == 1
    assert "`env.GATEWAY` is undefined" in capsys.readouterr().out


def test_a_variable_that_an_imported_module_reads_is_named_like_any_other(capsys: pytest.CaptureFixture[str]) -> None:
    Path("house.module.yaml").write_text('blocks: {vars: {brand: "{{ env.BRAND }}"}}\n', encoding="utf-8")
    Path("b.flow.yaml").write_text(
        "imports: [{from: ./house.module.yaml, as: house}]\n"
        'flow: [{step: SET, text: "{{ imports.house.vars.brand }}"}]\n',
        encoding="utf-8",
    )
    assert main(["validate", "b.flow.yaml"]) == 1
    assert main(["run", "b.flow.yaml", "-q", "--env", "BRAND"]) == 0
    assert "text: Harbour Ltd" in capsys.readouterr().out
