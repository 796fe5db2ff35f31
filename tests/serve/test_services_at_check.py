"""What is wrong with the services of a gateway is told before a request meets it: with its place, and as a mistake
where no request could ever be made."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowdsl.cli import main

MAIN = '[services.main]\nprovider = "openai"\n'
ROUTE = '[routes]\nposter = "main/gpt-image-2"\n'
FLOW = """\
- step: OPENAI_IMAGE_GENERATION
  service: main
  model: gpt-image-2
  instruction: A kite
"""


def checked(folder: Path, capsys: pytest.CaptureFixture[str], settings: str, *options: str) -> tuple[int, str]:
    """The exit code of a check of settings, and what it says."""
    file = folder / "flowdsl.toml"
    file.write_text(settings, encoding="utf-8")
    code = main(["serve", "--config", str(file), "--check", "--as-of", "2026-11-21", *options])
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return code, err


@pytest.mark.parametrize(
    "setting, said",
    [
        ('caPem = "nowhere.pem"', "the `caPem` of the service main cannot be used: No such file or directory"),
        ('clientPem = "nowhere.pem"', "the `clientPem` of the service main cannot be used: No such file or directory"),
        ('caPem = "{folder}"', "the `caPem` of the service main cannot be used"),
        ('caPem = "{folder}/flowdsl.toml"', "the `caPem` of the service main cannot be used"),
        ("apiKey = 'Bearer abc'", "begins with a word of a header"),
        ("apiKey = '\"abc\"'", "is in quotes"),
    ],
)
@pytest.mark.parametrize("reached_by", [ROUTE, "[serve]\n", '[serve]\nflows = ["kite.flow.yaml"]\n' + ROUTE])
def test_a_setting_with_which_no_request_could_be_made_is_a_mistake_with_its_place(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    setting: str,
    said: str,
    reached_by: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-own-123456")
    (tmp_path / "kite.flow.yaml").write_text(FLOW, encoding="utf-8")
    setting = setting.format(folder=tmp_path)
    code, err = checked(tmp_path, capsys, f"{reached_by}{MAIN}{setting}\n")
    assert code == 2 and said in err and "^" in err and "hint: " in err, err
    line = f"{reached_by}{MAIN}".count("\n") + 1
    assert f"flowdsl.toml:{line}:{setting.index('=') + 3}: error: " in err and err.count(said) == 1


def test_all_mistakes_of_services_are_told_with_those_of_routes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    spare = '[services.spare]\nprovider = "openai"\nclientPem = "gone.pem"\n'
    routes = '[serve]\nport = 99999\n[routes]\nposter = ["main/gpt-image-2", "spare/gpt-image-2"]\n'
    code, err = checked(tmp_path, capsys, f'{routes}{MAIN}caPem = "nowhere.pem"\napiKey = "sk-own"\n{spare}')
    assert code == 2
    for said in ("serve.port must be", "`caPem` of the service main", "`clientPem` of the service spare"):
        assert said in err


@pytest.mark.parametrize("settings", [ROUTE + MAIN, ROUTE + MAIN + 'caPem = "{{ env.PEM }}"\n'])
def test_a_key_that_may_be_there_where_the_gateway_runs_is_a_warning_with_the_place_of_its_service(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, settings: str
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    code, err = checked(tmp_path, capsys, settings)
    assert (
        code == 0 and "flowdsl.toml:3:11: warning: Service not configured: main has no `apiKey`" in err and "^" in err
    )


def test_what_no_request_asks_is_no_mistake(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = '[services.other]\nprovider = "openai"\ncaPem = "nowhere.pem"\n'
    assert checked(tmp_path, capsys, f'{ROUTE}{MAIN}apiKey = "sk-own-123"\n{other}')[0] == 0
    code, err = checked(tmp_path, capsys, f'{ROUTE}{MAIN}caPem = "nowhere.pem"\n', "--simulate")
    assert code == 0 and "caPem" not in err


def test_a_model_that_nobody_knows_is_a_warning_with_its_place_and_the_one_that_is_meant(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = '[routes]\nposter = "main/gpt-imgae-2"\n'
    code, err = checked(tmp_path, capsys, f'{route}{MAIN}apiKey = "sk-own-123"\n')
    assert code == 0 and "flowdsl.toml:2:10: warning: " in err and "did you mean `gpt-image-2`?" in err, err


def test_a_gateway_does_not_start_with_a_service_that_no_request_reaches(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(f'{ROUTE}{MAIN}caPem = "nowhere.pem"\napiKey = "sk-own-123"\n', encoding="utf-8")
    assert main(["serve", "--config", str(file), "--port", "0"]) == 2
    assert "`caPem` of the service main cannot be used" in capsys.readouterr().err


def test_a_setting_that_lacks_is_told_as_the_settings_file_has_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    route = ROUTE.replace("main", "spare")
    _, err = checked(tmp_path, capsys, f'{route}[services.spare]\nprovider = "azure"\n')
    assert "add `endpoint = …` to the service spare, or set AZURE_OPENAI_ENDPOINT in the environment" in err
