"""Each form of findings, judged by what reads it: its published schema, or a published parser."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from junitparser import JUnitXml

from flowdsl.cli import main

ROOT = Path(__file__).parents[2]
MODULES = ROOT / "scripts" / "node_modules"
BAD = ROOT / "tests" / "golden" / "bad"
SARIF_SCHEMA = MODULES / "@microsoft" / "jest-sarif" / "lib" / "schemas" / "sarif-2.1.0-rtm.5.json"
RDFORMAT = MODULES / "@umbrelladocs" / "rdformat-validator" / "bin" / "rdformat-validator.js"
STRANGE = "a, 100% right: ü&<b>.flow.yaml"
ISSUES = """\
import type { Issue } from "codeclimate-types"
type Row = Issue & Required<Pick<Issue, "severity" | "fingerprint">> // left to choice there, and GitLab needs them
"""
COMMANDS = """\
import * as core from "CORE";
import { readFileSync } from "node:fs";
for (const row of JSON.parse(readFileSync(0, "utf8"))) core[row.kind](row.message, row.properties);
"""

needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
needs_modules = pytest.mark.skipif(not MODULES.is_dir(), reason="no packages of node: npm ci --prefix scripts")
pytestmark = [needs_node, needs_modules]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with every wrong file of the golden files, one with a strange name, and one path that is not there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GITHUB_WORKSPACE", raising=False)
    shutil.copytree(BAD, tmp_path / "bad")
    shutil.copy(BAD / "conflicts.yaml", tmp_path / STRANGE)
    for path in (tmp_path / "bad").glob("*.yaml"):
        path.rename(path.with_name(f"{path.stem}.flow.yaml"))
    return tmp_path


def written(form: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert main(["validate", ".", "nosuch", "--format", form, "--as-of", "2026-11-21", "-q"]) == 2
    return capsys.readouterr().out


def run_node(*arguments: str | Path, text: str = "") -> subprocess.CompletedProcess[str]:
    command = ["node", *map(str, arguments)]
    return subprocess.run(command, input=text, capture_output=True, text=True, timeout=300, check=False)


def test_sarif_is_as_its_schema_says(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    log = json.loads(written("sarif", capsys))
    schema = json.loads(SARIF_SCHEMA.read_text(encoding="utf-8"))
    validator = jsonschema.Draft7Validator(schema, format_checker=jsonschema.FormatChecker())
    assert [(list(error.path), error.message) for error in validator.iter_errors(log)] == []
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert len(run["results"]) > 250
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert rules[result["ruleIndex"]]["helpUri"].endswith(f"/{result['ruleId']}.html")
    prints = [result["partialFingerprints"]["flowdsl/v1"] for result in run["results"]]
    assert len(prints) == len(set(prints))
    assert sum("fixes" in result for result in run["results"]) > 100


def test_rdjson_is_as_reviewdog_wants_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "report.json").write_text(written("rdjson", capsys), encoding="utf-8")
    done = run_node(RDFORMAT, "--strict", "--no-extra-fields", "--format", "json", project / "report.json")
    assert done.returncode == 0, done.stdout[:3000]


def test_gitlab_is_what_the_types_of_code_climate_allow(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = written("gitlab", capsys)
    (project / "node_modules").symlink_to(MODULES)
    (project / "report.ts").write_text(f"{ISSUES}export const rows: Row[] = {report}\n", encoding="utf-8")
    tsc = MODULES / "typescript" / "bin" / "tsc"
    done = run_node(
        tsc, "--noEmit", "--strict", "--moduleResolution", "bundler", "--module", "esnext", project / "report.ts"
    )
    assert (done.returncode, done.stdout[:3000]) == (0, "")
    prints = [row["fingerprint"] for row in json.loads(report)]
    assert len(prints) == len(set(prints)) > 250


def test_junit_is_read_by_a_parser_of_it(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = written("junit", capsys)
    findings = json.loads(written("json", capsys))
    tree = JUnitXml.fromstring(report.encode())
    counted = (tree.tests, tree.failures, tree.errors)
    tree.update_statistics()
    assert (tree.tests, tree.failures, tree.errors) == counted
    assert tree.failures == sum(finding["severity"] == "error" for finding in findings)
    assert tree.errors == 1
    assert {suite.name for suite in tree} >= {STRANGE, "nosuch", "bad/conflicts.flow.yaml"}


def test_commands_are_escaped_as_the_toolkit_of_actions_does(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = written("github", capsys).splitlines()
    asked = list(parsed(lines))
    script = project / "commands.mjs"
    script.write_text(COMMANDS.replace("CORE", (MODULES / "@actions/core/lib/core.js").as_uri()), encoding="utf-8")
    done = run_node(script, text=json.dumps(asked))
    assert done.returncode == 0, done.stderr
    theirs = done.stdout.splitlines()
    assert len(lines) == len(theirs) > 250
    for ours, their in zip(lines, theirs, strict=True):
        assert in_parts(ours) == in_parts(their)


NAMES = {"line": "startLine", "col": "startColumn"}


def in_parts(line: str) -> tuple[str, dict[str, str], str]:
    """A command as it is read: its name, its properties, its text."""
    command, _, text = line.removeprefix("::").partition("::")
    name, _, given = command.partition(" ")
    return name, dict(part.split("=", 1) for part in given.split(",")), text


def unescaped(text: str) -> str:
    for code, sign in (("%3A", ":"), ("%2C", ","), ("%0D", "\r"), ("%0A", "\n"), ("%25", "%")):
        text = text.replace(code, sign)
    return text


def parsed(lines: list[str]) -> Iterator[dict[str, Any]]:
    """What the toolkit is to be asked for, to write the same lines."""
    for line in lines:
        name, properties, text = in_parts(line)
        given = {NAMES.get(key, key): unescaped(value) for key, value in properties.items()}
        message = text.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        yield {"kind": name, "message": message, "properties": given}
