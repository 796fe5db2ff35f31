"""A key that stands in a file in plain text shows in no finding, and is a finding of its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import flowdsl
from flowdsl import Source
from flowdsl.cli import main
from flowdsl.diagnostics import Diagnostic, render
from flowdsl.secrets.plain import names_secret, plain_secrets
from flowdsl.step.registry import installed

KEY = "hunter2-Hunter2"
STEPS = "\nflow:\n  - {step: SET, x: 1}\n"
SERVICES = {
    "apiKey": f"services: {{}}\nflow: []\n# apiKey: {KEY}\nservices: {{A: {{apiKey: {KEY}}}}}\n",
    "authKey-bad-provider": f"services:\n  A: {{provider: nobody, authKey: {KEY}}}{STEPS}",
    "typo": f"services:\n  A:\n    apiKeyy: {KEY}{STEPS}",
    "unknown-name": f"services:\n  A:\n    credit: {KEY}{STEPS}",
    "next-line": f"services:\n  A:\n    apiKey:\n      {KEY}{STEPS}",
    "block": f"services:\n  A:\n    apiKey: |\n      {KEY}{STEPS}",
    "quoted-over-lines": f'services:\n  A: {{endpoint: x, apiKey: "{KEY}\n     {KEY}"}}{STEPS}',
    "in-a-list": f"services:\n  A: {{apiKey: [{KEY}]}}{STEPS}",
    "service-is-no-map": f"services:\n  apiKey: {KEY}{STEPS}",
    "header": f"services:\n  A: {{headers: {{Authorization: Bearer {KEY}}}, endpoint: x}}{STEPS}",
    "header-of-a-step": f"flow:\n  - {{step: REST, uurl: 'http://a', headers: {{X-Api-Key: {KEY}}}}}\n",
    "bad-yaml": f"services:\n  A: {{apiKey: {KEY}\nflow: [\n",
    "tab": f"services:\n  A:\n\t  apiKey: {KEY}{STEPS}",
    "anchor": f"services:\n  A: {{endpoint: x, apiKey: &k {KEY}, b: *k}}{STEPS}",
    "vendor-like": "flow:\n  - {step: SET, txt: sk-0123456789hunter, output: [}\n",
    "address": f"flow:\n  - {{step: REST, uurl: 'https://me:{KEY}@h/?api_key={KEY}'}}\n",
    "json-value-on-the-next-line": f'{{"services": {{"A": {{"apiKey":\n   "{KEY}", "zzz": 1}}}}, "flow": [}}',
    "no-blank": f"services:\n  A:\n    apiKey:{KEY}{STEPS}",
    "equals": f"services:\n  A: {{apiKey={KEY}: 1}}{STEPS}",
    "user-name-alone": f"flow:\n  - {{step: REST, uurl: 'https://{KEY}@h/'}}\n",
    "header-of-a-gateway": f"services:\n  A: {{headers: {{Ocp-Apim-Subscription-Key: {KEY}}}, b: 1}}{STEPS}",
    "folded": f"services:\n  A:\n    apiKey: >-\n      {KEY}\n      {KEY}\n    zzz: 1{STEPS}",
    "wrong-place": f"flow:\n  - step: SET\n    apiKey: {KEY}\n   text: a\n",
}


@pytest.mark.parametrize("name", SERVICES)
def test_no_finding_shows_a_key_of_the_file(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.flow.yaml"
    path.write_text(SERVICES[name])
    main(["validate", str(path)])
    main(["validate", "--format", "json", str(path)])
    main(["run", str(path)])
    shown = "".join(capsys.readouterr())
    assert shown.count("a.flow.yaml") > 1
    assert "unter" not in shown
    found = flowdsl.check(Source(SERVICES[name]))
    assert "unter" not in repr(found) + "".join(f"{finding.message}{finding.hint}" for finding in found)


def test_marks_stand_under_what_they_mean() -> None:
    source = Source("a: {apiKey: hunter22, b: 1, c: x}")
    spans = [source.text.index(text) for text in ("apiKey", "hunter22", "b:", "x}")]
    shown = [render([Diagnostic("unknown-key", "m", flowdsl.Span(source, at, at + 1))]).splitlines() for at in spans]
    assert {lines[1] for lines in shown} == {"   1 | a: {apiKey: ***, b: 1, c: x}"}
    assert [lines[1][lines[2].index("^")] for lines in shown] == ["a", "*", "b", "x"]


def test_a_header_with_a_key_is_a_finding_with_a_fix() -> None:
    headers = f'{{Authorization: Bearer {KEY}, X-Trace: a, Cookie: "{{{{ x }}}}"}}'
    text = f"services:\n  A: {{provider: openai, headers: {headers}}}{STEPS}"
    found = [finding for finding in flowdsl.check(Source(text)) if finding.code == "plain-secret"]
    assert [finding.message.split("`")[1] for finding in found] == ["Authorization"]
    assert found[0].fixes[0].edits[0].text == "\"Bearer {{ secret('MY_KEY') }}\""


@pytest.mark.parametrize(
    "setting", ["apiKey = 'KEY'", 'headers = {Authorization = "Bearer KEY"}'], ids=["key", "header"]
)
@pytest.mark.parametrize("file", ["flowdsl.toml", "pyproject.toml"], ids=["flowdsl-toml", "pyproject"])
def test_a_key_in_the_settings_file_is_a_finding(
    file: str, setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    head = "[services.A]" if file == "flowdsl.toml" else "[tool.flowdsl.services.A]"
    (tmp_path / file).write_text(f"{head}\n{setting.replace('KEY', KEY)}\n")
    path = tmp_path / "a.flow.yaml"
    path.write_text(STEPS)
    main(["validate", "--format", "json", str(path)])
    findings = json.loads(capsys.readouterr().out)
    main(["validate", str(path)])
    assert [(f["code"], Path(f["path"]).name, f["line"]) for f in findings] == [("plain-secret", file, 2)]
    assert KEY not in json.dumps(findings) + capsys.readouterr().out


def test_the_path_of_a_certificate_is_no_secret(tmp_path: Path) -> None:
    flow = "services:\n  A:\n    clientPem: PEM" + STEPS
    assert [found.code for found in flowdsl.check(flow.replace("PEM", "certificates/client.pem"))] == []
    assert [found.code for found in flowdsl.check(flow.replace("PEM", '"-----BEGIN PRIVATE KEY-----"'))] == [
        "plain-secret"
    ]
    (tmp_path / "flowdsl.toml").write_text('[services.A]\nclientPem = "certificates/client.pem"\n')
    (tmp_path / "a.flow.yaml").write_text(STEPS)
    assert main(["validate", "--strict", str(tmp_path / "a.flow.yaml")]) == 0


def test_explain_shows_no_key_of_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.flow.yaml"
    path.write_text(f"flow:\n  - step: REST\n    url: http://h/\n    headers: {{Authorization: Bearer {KEY}}}\n")
    main(["explain", f"{path}:2"])
    main(["explain", "--format", "json", f"{path}:2"])
    shown = capsys.readouterr().out
    assert shown.count("Authorization") == 2
    assert KEY not in shown


def test_keys_of_the_language_name_no_secret() -> None:
    specs = [installed().spec(name) for name in installed()]
    keys = {key for spec in specs if spec is not None for key in spec.keys}
    assert [key for key in sorted(keys) if names_secret(key)] == []


@pytest.mark.parametrize(
    "line",
    ["apiKey: \"{{ secret('A') }}\"", "apiKey: '{{ x }}'", "outputKey: posters", "maxTokens: 100", "token: true"],
)
def test_what_is_no_secret_is_shown(line: str) -> None:
    assert plain_secrets(f"a:\n  {line}\n  text: Bearer bonds and basic training\n") == []


@pytest.mark.parametrize(
    ("option", "found"),
    [
        ("headers: {Authorization: Bearer KEY, X-Api-Key: KEY, Accept: text/plain}", ["Authorization", "X-Api-Key"]),
        ("headers: {api-key: \"{{ secret('A') }}\"}", []),
        ("parameters: {key: KEY-0123456789, page: 1, sort_key: city, api_key: KEY}", ["key", "api_key"]),
        ("parameters: {key: city}", []),
        ("method: POST, formData: {password: KEY, maxTokens: many}", ["password"]),
        ("method: POST, body: {client_secret: KEY, name: a}", ["client_secret"]),
    ],
    ids=["headers", "a secret that is read", "query parameters", "a plain key", "form", "body"],
)
def test_a_key_in_a_request_of_a_step_is_a_finding(option: str, found: list[str]) -> None:
    text = f"flow:\n  - {{step: REST, url: 'https://example.com/', {option.replace('KEY', KEY)}}}\n"
    findings = [finding for finding in flowdsl.check(Source(text)) if finding.code == "plain-secret"]
    assert [finding.message.split("`")[1] for finding in findings] == found
    for finding in findings:
        mended = flowdsl.check(Source(flowdsl.diagnostics.fixed(finding.span.source, finding.fixes[0])))
        assert len([each for each in mended if each.code == "plain-secret"]) == len(found) - 1
        assert KEY not in render([finding])
