"""Checking many files: folders with modules and kits, the hook, and paths that are wrong beside good ones."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import pytest
import yaml

from flowdsl.cli import main

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("good.flow.yaml").write_text("- {step: SET, text: a}\n", encoding="utf-8")
    Path("bad.flow.yaml").write_text("- {step: SETT, text: a}\n", encoding="utf-8")


def test_one_missing_path_does_not_stop_the_check_of_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    Path("empty").mkdir()
    assert main(["validate", "bad.flow.yaml", "nobody.flow.yaml", "empty", "good.flow.yaml"]) == 2
    printed = capsys.readouterr()
    assert "bad.flow.yaml:1:10: error: Step not found: SETT" in printed.out
    assert printed.out.endswith("2 files: 1 error\n")
    assert printed.err.splitlines() == [
        "flowdsl: there is no file or folder `nobody.flow.yaml`",
        "flowdsl: the folder `empty` holds no flow: no file in it ends in .flow.yaml, .module.yaml or .ai-kit.yaml",
    ]


def test_json_has_the_findings_of_the_files_that_are_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["validate", "bad.flow.yaml", "nobody.flow.yaml", "--format", "json"]) == 2
    assert [finding["code"] for finding in json.loads(capsys.readouterr().out)] == ["unknown-step"]


def test_a_broken_settings_file_does_not_stop_the_check_of_other_folders(capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("one", "two"):
        Path(name).mkdir()
        Path(name, "a.flow.yaml").write_text("- {step: SETT, text: a}\n", encoding="utf-8")
    Path("one/flowdsl.toml").write_text("max_requests = true\n", encoding="utf-8")
    assert main(["validate", "one", "two"]) == 2
    printed = capsys.readouterr()
    assert "two/a.flow.yaml:1:10: error" in printed.out
    assert printed.err.startswith("flowdsl: one/a.flow.yaml: ")
    assert "max_requests must be a whole number" in printed.err


def test_the_hook_checks_modules_and_kits_whichever_file_changed(capsys: pytest.CaptureFixture[str]) -> None:
    hook, *_ = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    Path("sub").mkdir()
    Path("sub/a.module.yaml").write_text("blocks: {flows: {x: [{step: SETT}]}}\n", encoding="utf-8")
    Path("a.ai-kit.yaml").write_text(
        "AI_KIT: {SECTIONS: [{section: S, actions: [{title: T, flow: [{step: SETT}]}]}]}\n", encoding="utf-8"
    )
    command = [*shlex.split(hook["entry"]), *hook["args"]]
    assert (command[0], hook["pass_filenames"]) == ("flowdsl", False)
    assert main(command[1:]) == 1
    printed = capsys.readouterr().out
    assert {"sub/a.module.yaml", "a.ai-kit.yaml", "bad.flow.yaml"} == set(re.findall(r"^([\w./-]+):\d", printed, re.M))
    for name in ("a.flow.yaml", "sub/a.module.yml", "a.ai-kit.yaml", "flowdsl.toml"):
        assert re.search(hook["files"], name)
    assert not re.search(hook["files"], "values.yaml")


@pytest.mark.parametrize("page", ["docs/checking.md", "docs/guide/ci.md"])
def test_the_hook_that_a_page_shows_hears_of_the_files_of_the_hook_that_is_shipped(page: str) -> None:
    hook, *_ = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert f"files: {hook['files']}\n" in (ROOT / page).read_text(encoding="utf-8")


def test_without_a_path_the_folder_is_checked_as_fmt_formats_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = tmp_path / "alone"
    (alone / "deep").mkdir(parents=True)
    monkeypatch.chdir(alone)
    (alone / "deep" / "a.flow.yaml").write_text("- {step: SET, a: 1}\n")
    assert main(["validate", "--strict", "--no-cache"]) == 0
    assert capsys.readouterr().out == "1 file, no findings\n"
    (alone / "b.flow.yaml").write_text("- {step: SETT, a: 1}\n")
    assert main(["validate"]) == 1
    assert "b.flow.yaml:1:10: error" in capsys.readouterr().out
