"""Which findings a project wants to hear of: its settings, and what is wrong in them."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl.cli import main
from flowdsl.settings.toml_places import Places

FLOW = """\
- {step: SET, a: 1, b: "{a}"}
- {step: OPENAI_IMAGE_GENERATION, model: dream-9, instruction: a boat, user: a@b.example}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    Path("flows").mkdir()
    Path("flows/a.flow.yaml").write_text(FLOW, encoding="utf-8")
    return tmp_path


def found(text: str, name: str = "flowdsl.toml") -> set[str]:
    Path(name).write_text(text, encoding="utf-8")
    return {each.code for each in flowdsl.check(Path("flows/a.flow.yaml"))}


def test_a_project_ignores_codes_selects_them_and_ignores_them_in_some_files(project: Path) -> None:
    assert found("") == {"single-braces", "unknown-model", "personal-identifier"}
    assert found('ignore = ["personal-identifier"]\n') == {"single-braces", "unknown-model"}
    assert found('select = ["personal-identifier"]\n') == {"personal-identifier"}
    assert found('[per-file-ignores]\n"a.*" = ["personal-identifier"]\n"flows/b*" = ["single-braces"]\n') == {
        "single-braces",
        "unknown-model",
    }
    (project / "flowdsl.toml").unlink()
    assert found('[tool.flowdsl]\nignore = ["personal-identifier"]\n', "pyproject.toml") == {
        "single-braces",
        "unknown-model",
    }


def test_an_error_is_never_left_out(project: Path) -> None:
    Path("flows/a.flow.yaml").write_text("- step: SOT\n", encoding="utf-8")
    assert found('select = ["fan-out"]\n') == {"unknown-step"}


def test_what_is_excluded_is_not_checked_and_what_is_named_is(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flowdsl.toml").write_text('exclude = ["drafts", "flows/old/*"]\n', encoding="utf-8")
    for name in ("drafts/d.flow.yaml", "flows/old/o.flow.yaml"):
        Path(name).parent.mkdir()
        Path(name).write_text("- step: SOT\n", encoding="utf-8")
    assert main(["validate", "."]) == 0
    assert main(["validate", str(project)]) == 0
    assert main(["validate", "flows"]) == 0
    assert main(["validate", "drafts/d.flow.yaml"]) == 1


def test_a_project_says_what_fails_and_an_option_comes_first(project: Path) -> None:
    Path("flowdsl.toml").write_text('fail-on = "note"\n', encoding="utf-8")
    assert main(["validate", "flows"]) == 1
    assert main(["validate", "flows", "--fail-on", "error"]) == 0


@pytest.mark.parametrize(
    ("text", "first", "hint"),
    [
        (
            'ignore = [\n  "fan-out",\n  "unknown-modl",\n]\n',
            "3:3: error: no finding has the code `unknown-modl`",
            "did you mean `unknown-model`?",
        ),
        ('select = ["fan-ot"]\n', "1:11: error: no finding has the code `fan-ot`", "did you mean `fan-out`?"),
        ("ignore = 'fan-out'\n", "1:10: error: ignore must be a list of codes, such as `fan-out`", ""),
        ('ignore = ["unknown-step"]\n', "1:11: error: `unknown-step` is always an error", "`exclude`"),
        ('ignore = ["plain-secret"]\n', "1:11: error: `plain-secret` says where a secret goes", "your own"),
        (
            'select = ["fan-out"]\nignore = ["fan-out"]\n',
            "2:11: error: `fan-out` is ignored and selected",
            "one of the two",
        ),
        (
            'ignore = ["fan-out"]\n[severity]\nfan-out = "error"\n',
            '1:11: error: `fan-out` is ignored, and [severity] makes it "error"',
            "one of the two",
        ),
        ('fail-on = "warnings"\n', "1:11: error: fail-on is one of error, warning, note", "did you mean `warning`?"),
        ('per-file-ignores = ["a"]\n', "1:1: error: per-file-ignores must be a table", "write"),
        ('[per-file-ignores]\n"a.*" = ["fan-ot"]\n', "2:10: error: no finding has the code `fan-ot`", "did you mean"),
        ("exclude = [1]\n", "1:1: error: exclude must be a list of globs", ""),
        ('per_file_ignores = "a"\n', "1:1: error: unknown key `per_file_ignores`", "did you mean `per-file-ignores`?"),
    ],
)
def test_a_wrong_setting_is_marked(
    text: str, first: str, hint: str, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("flowdsl.toml").write_text(text, encoding="utf-8")
    Path("flows/b.flow.yaml").write_text(FLOW, encoding="utf-8")
    assert main(["validate", "flows"]) == 2
    said = capsys.readouterr().err
    assert f"flowdsl.toml:{first}" in said
    assert "^" in said
    assert hint in said
    assert said.count("flowdsl.toml:") == 1  # and not once for each flow


def test_settings_in_two_files_are_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("flowdsl.toml").write_text('ignore = ["fan-out"]\n', encoding="utf-8")
    Path("pyproject.toml").write_text(
        '[project]\nname = "a"\n\n[tool.flowdsl.severity]\nfan-out = "error"\n', encoding="utf-8"
    )
    assert main(["validate", "flows"]) == 0
    said = capsys.readouterr().out
    assert "pyproject.toml:4:1: warning: `[tool.flowdsl]` has no effect: the `flowdsl.toml` beside it counts" in said


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    if isinstance(value, (dict, list)):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from leaves(item, (*path, key))
    else:
        yield path, value


TOML = '''# a comment = 1
select = ["a", 'b', # "c"
  "d"]
fail-on = "note" # x
"per-file-ignores" = {"x/*" = ["q"], y = {z = 3, t = []}}
long = """
[no.table]
key = 1
"""
[tool.flowdsl.per-file-ignores]
"a.b" = ["unknown-model"]
a.b.c = 1
[ x . "y.z" ]
d = [[1, 2], [3]]
'''


def test_every_value_of_a_file_has_its_place() -> None:
    places = Places(TOML)
    found = dict(leaves(tomllib.loads(TOML)))
    assert places.values.keys() == found.keys()
    for path, (start, end) in places.values.items():
        assert tomllib.loads(f"value = {TOML[start:end]}")["value"] == found[path], path
    for path, (start, end) in places.keys.items():
        assert TOML[start:end].strip("\"'") == path[-1], path


def test_config_shows_what_counts_and_where_it_comes_from(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = "sk-proj-abcdefghijklmnopqrstuvwxyz0123456789"
    Path("flowdsl.toml").write_text(
        f'max_requests = 9\nignore = ["fan-out"]\n[severity]\nunknown-model = "error"\n[services.A]\napiKey = "{key}"\n'
        '[per-file-ignores]\n"a.*" = ["single-braces"]\n',
        encoding="utf-8",
    )
    own = project / "config" / "flowdsl" / "config.toml"
    own.parent.mkdir(parents=True)
    own.write_text('max_requests = 4\n[severity]\nunknown-model = "note"\n', encoding="utf-8")
    assert main(["config", "flows/a.flow.yaml", "--json"]) == 0
    said = capsys.readouterr().out
    assert key not in said
    rows = [
        (row["name"], row["value"], row["file"], row["line"], row["in_force"]) for row in json.loads(said)["settings"]
    ]
    assert ("max_requests", 9, "flowdsl.toml", 1, False) in rows
    assert ("max_requests", 4, "config/flowdsl/config.toml", 1, True) in rows
    assert ("severity.unknown-model", "error", "flowdsl.toml", 4, False) in rows
    assert ("severity.unknown-model", "note", "config/flowdsl/config.toml", 3, True) in rows
    assert ("services.A.apiKey", "***", "flowdsl.toml", 6, True) in rows
    assert ("fail-on", "error", None, None, True) in rows
    assert ('ignore."of this file"', ["single-braces"], None, None, True) in rows
    assert main(["config"]) == 0
    said = capsys.readouterr().out
    assert "flowdsl.toml:1, does not count: another file comes first" in said
    assert main(["config", "nosuch"]) == 2
    Path("flowdsl.toml").write_text("max_request = 9\n", encoding="utf-8")
    assert main(["config"]) == 2


def test_a_flow_that_was_clean_is_checked_again_when_settings_or_a_comment_change(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(project / "cache"))
    flow, settings = Path("flows/a.flow.yaml"), Path("flowdsl.toml")
    settings.write_text('ignore = ["single-braces", "unknown-model", "personal-identifier"]\n', encoding="utf-8")
    for _ in range(2):
        assert main(["validate", "flows", "--strict"]) == 0
    settings.write_text('ignore = ["single-braces", "unknown-model"]\n', encoding="utf-8")
    assert main(["validate", "flows", "--fail-on", "note"]) == 1
    flow.write_text(FLOW.replace("b.example}", "b.example}  # flowdsl: ignore[personal-identifier]"), encoding="utf-8")
    for _ in range(2):
        assert main(["validate", "flows", "--fail-on", "note"]) == 0
    settings.write_text('ignore = ["single-braces"]\n', encoding="utf-8")
    assert main(["validate", "flows", "--fail-on", "note"]) == 1
