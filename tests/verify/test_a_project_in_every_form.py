"""Three hundred flows, thirty of them broken in thirty ways: every form names each of the thirty with its line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
from broken_project import BROKEN, FLOWS, Broken, make

from flowdsl.cli import main
from flowdsl.cli.reporting import FORMS

GOLDEN = Path(__file__).parents[1] / "golden" / "forms_of_a_project"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("project")


@pytest.fixture(scope="module")
def broken(folder: Path) -> list[Broken]:
    return make(folder)


def said(form: str, capsys: pytest.CaptureFixture[str], *paths: str) -> str:
    assert main(["validate", *paths, "--format", form, "--as-of", "2026-11-21"]) == 1
    return capsys.readouterr().out


def named(form: str, text: str) -> Iterator[tuple[str, str, int]]:
    """Path, code and line of everything that a form names."""
    if form in ("text", "concise"):
        for found in re.finditer(r"^(\S+):(\d+):\d+: error: .* \[([\w-]+)\]", text, re.MULTILINE):
            yield found[1], found[3], int(found[2])
    elif form == "github":
        for found in re.finditer(r"^::error file=([^,]+),line=(\d+),.*title=([\w-]+) \(error\)::", text, re.MULTILINE):
            yield found[1], found[3], int(found[2])
    elif form == "junit":
        for suite in ElementTree.fromstring(text):
            for case in suite.iter("testcase"):
                code, _, place = case.attrib["name"].partition(" at ")
                if case.find("failure") is not None:
                    yield suite.attrib["name"], code, int(place.partition(":")[0])
    elif form == "sarif":
        for result in json.loads(text)["runs"][0]["results"]:
            place = result["locations"][0]["physicalLocation"]
            yield unquote(place["artifactLocation"]["uri"]), result["ruleId"], place["region"]["startLine"]
    else:
        rows = json.loads(text)
        for row in rows["diagnostics"] if form == "rdjson" else rows:
            if form == "json":
                yield row["path"], row["code"], row["line"]
            elif form == "gitlab":
                yield row["location"]["path"], row["check_name"], row["location"]["lines"]["begin"]
            else:
                yield row["location"]["path"], row["code"]["value"], row["location"]["range"]["start"]["line"]


def test_thirty_flows_are_broken_in_thirty_ways(folder: Path, broken: list[Broken]) -> None:
    assert len(list(folder.rglob("*.flow.yaml"))) == FLOWS
    assert len({one.code for one in broken}) == len({one.path for one in broken}) == BROKEN


@pytest.mark.parametrize("form", FORMS)
def test_every_form_names_each_with_its_line_and_no_other_flow(
    form: str,
    folder: Path,
    broken: list[Broken],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    found = set(named(form, said(form, capsys, ".")))
    assert set(broken) - {Broken(*one) for one in found} == set()
    assert {path for path, _, _ in found} == {one.path for one in broken}


@pytest.mark.parametrize("form", FORMS)
def test_what_each_form_prints_for_three_of_them(
    form: str,
    folder: Path,
    broken: list[Broken],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    update_golden: bool,
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    wanted = ("unknown-step", "unsupported-value", "duplicate-key")
    chosen = [one.path for one in broken if one.code in wanted] or [one.path for one in broken[:3]]
    text = said(form, capsys, *chosen)
    golden = GOLDEN / f"{form}.txt"
    if update_golden:
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(text, encoding="utf-8")
    assert text == golden.read_text(encoding="utf-8")
