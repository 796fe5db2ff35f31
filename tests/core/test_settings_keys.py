"""Keys of flowdsl.toml that nobody reads are told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowdsl.cli import main
from flowdsl.errors import FlowError
from flowdsl.settings.files import check_keys, plain_settings


@pytest.mark.parametrize(
    ("file", "text", "hint"),
    [
        ("flowdsl.toml", "max_request = 3\n", "flowdsl.toml:1:1: error: unknown key `max_request` "),
        ("flowdsl.toml", "[service.OPENAI]\n", "flowdsl.toml:1:2: error: unknown key `service` "),
        ("pyproject.toml", "[tool.flowdsl]\ncolour = 1\n", "pyproject.toml:2:1: error: unknown key `colour` "),
        ("pyproject.toml", "[[tool.flowdsl]]\nx = 1\n", "tool.flowdsl must be a table"),
        ("pyproject.toml", "[tool]\nflowdsl = 3  # not [tool.flowdsl]\n", "tool.flowdsl must be a table"),
    ],
)
def test_an_unknown_key_names_the_nearest(file: str, text: str, hint: str, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / file).write_text(text, encoding="utf-8")
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("- step: SET\n  text: a\n", encoding="utf-8")
    for command in ("validate", "run"):
        assert main([command, str(flow)]) == 2
        assert hint in capsys.readouterr().err


def test_every_unknown_key_code_and_model_is_told_at_once(tmp_path: Path, capsys: Any) -> None:
    flow = tmp_path / "a.flow.yaml"
    flow.write_text("- step: SET\n  text: a\n", encoding="utf-8")
    for text, said in (
        ("max_request = 3\n[model.x]\n", ("1:1: error: unknown key `max_request`", "2:2: error: unknown key `model`")),
        ('ignore = ["fan-ot", "fan-out", "x"]\n', ("1:11: error: no finding has the code", "1:32: error: no finding")),
        ("[models]\na = 1\nb = 2\n", ("2:5: error: models.a must be a table", "3:5: error: models.b must be a table")),
    ):
        (tmp_path / "flowdsl.toml").write_text(text, encoding="utf-8")
        assert main(["validate", str(flow)]) == 2
        found = capsys.readouterr().err
        assert [each for each in said if each not in found] == [], found


def test_a_pyproject_file_whose_tool_is_no_table_is_nobodys_settings(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("tool = 5  # no [tool.flowdsl]\n", encoding="utf-8")
    (tmp_path / "a.flow.yaml").write_text("- step: SET\n  text: a\n", encoding="utf-8")
    assert main(["validate", str(tmp_path / "a.flow.yaml")]) == 0


@pytest.mark.parametrize(
    ("of_user", "content", "said"),
    [
        (False, {"foo": {}}, "there are services, private_addresses"),
        (False, {"zzz": 1}, "kv, serve, routes, tokens, select"),
        (True, {"zzz": 1}, "policy, allow_endpoints"),
        (False, {"serv": {}}, "did you mean `serve`?"),
        (False, {"allow_endpoints": []}, "it is a key of your own `config.toml`"),
        (True, {"serve": {}}, "it is a key of the `flowdsl.toml` of a project"),
        (False, {"tool": {"flowdsl": {}}}, "goes before the keys in a `pyproject.toml` alone: leave it out here"),
        (False, {"tool": {"other": {}}}, "there are services"),
    ],
)
def test_a_key_that_there_is_not_is_told_with_those_there_are_or_where_it_goes(
    of_user: bool, content: dict[str, Any], said: str, tmp_path: Path
) -> None:
    path = tmp_path / "settings.toml"
    path.write_text("".join(f"{key} = 1\n" for key in content), encoding="utf-8")
    with pytest.raises(FlowError) as raised:
        check_keys((str(path), content), of_user=of_user)
    assert said in str(raised.value)


@pytest.mark.parametrize("named", ["$SHOP_KEY", "${SHOP_KEY}", "%SHOP_KEY%"])
def test_a_variable_of_a_shell_is_no_plain_secret_and_told_as_the_variable_it_names(named: str, tmp_path: Path) -> None:
    path = tmp_path / "flowdsl.toml"
    path.write_text(f'[services.main]\nprovider = "openai"\napiKey = "{named}"\n', encoding="utf-8")
    (found,) = plain_settings(str(path), {"services": {"main": {"provider": "openai", "apiKey": named}}})
    assert found.message == "`apiKey` is this text itself, and no environment variable"
    assert found.hint == "write `apiKey = \"{{ secret('SHOP_KEY') }}\"`"
