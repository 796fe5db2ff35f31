"""The task `http.Request` of Kestra: what it sends, what it gives, and that it keeps the guards of REST."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from web_server import Web, response

from flowdsl import Environment, Host, Limits, RunError, Source, Storage
from flowdsl.document.converted import converted

TASK = "  - id: {id}\n    type: io.kestra.plugin.core.http.Request\n"
INPUTS = "inputs:\n  - {id: title, type: STRING, defaults: 'A \"red\" door'}\n"
SAID = '  - id: said\n    type: io.kestra.plugin.core.debug.Return\n    format: "{{ TEXT }}"\n'


def flow(*tasks: str) -> Source:
    return Source("id: f\nnamespace: company.ai\n" + INPUTS + "tasks:\n" + "".join(tasks), "f.yaml")


def request(url: str, *lines: str, id: str = "call") -> str:
    return TASK.format(id=id) + "".join(f"    {line}\n" for line in (f"uri: {url}/item?page=1", *lines))


def said(text: str) -> str:
    return SAID.replace("TEXT", text)


def environment(folder: Path, *, private: bool = True) -> Environment:
    return Environment(
        storage=Storage(images=folder, output=folder / "files"),
        host=Host(secrets=lambda name: f"the-{name}-of-the-run"),
        limits=Limits(private_addresses=private),
    )


def ran(folder: Path, source: Source) -> dict[str, Any]:
    found: dict[str, Any] = environment(folder).run(source).to_json()
    return dict(found["outputs"])


def test_outputs_are_code_body_headers_and_uri(tmp_path: Path) -> None:
    with Web(response(b'{"topic": "a harbour"}', headers="x-kind: a\r\n")) as web:
        text = "fromJson(outputs.call.body).topic ~ outputs.call.code ~ outputs.call.headers['x-kind'][0]"
        found = ran(tmp_path, flow(request(web.url), said(text)))
    (seen,) = web.seen
    assert (seen.method, seen.target, seen.body) == ("GET", "/item?page=1", b"")
    assert found["said"]["value"] == "a harbour200a"
    assert found["call"]["uri"] == f"{web.url}/item?page=1"
    assert found["call"]["body"] == '{"topic": "a harbour"}'


@pytest.mark.parametrize(
    ("lines", "kind", "body"),
    [
        (["body: |", "  {{ {'title': inputs.title} }}"], "application/json", '{"title":"A \\"red\\" door"}\n'),
        (["body: plain", "contentType: text/plain"], "text/plain", "plain"),
        (["formData: {user: 'Ada {{ inputs.title }}', n: 1}"], "application/x-www-form-urlencoded",
         "user=Ada%20A%20%22red%22%20door&n=1"),
        (["body: plain", "headers: {Content-Type: text/csv}"], "text/csv", "plain"),
    ],
    ids=["json", "text", "form", "own header"],
)  # fmt: skip
def test_body_and_form_are_sent_with_their_type(lines: list[str], kind: str, body: str, tmp_path: Path) -> None:
    with Web(response(body=b"ok")) as web:
        ran(tmp_path, flow(request(web.url, "method: POST", *lines)))
    (seen,) = web.seen
    assert (seen.method, seen.headers["content-type"], seen.body.decode()) == ("POST", kind, body)


def test_form_of_several_parts_is_sent_as_such(tmp_path: Path) -> None:
    with Web(response(body=b"ok")) as web:
        lines = ["method: POST", "contentType: multipart/form-data", "formData: {user: Ada}"]
        ran(tmp_path, flow(request(web.url, *lines)))
    (seen,) = web.seen
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert b'name="user"\r\n\r\nAda\r\n' in seen.body


BASIC = "Basic " + base64.b64encode(b"ada:the-PW-of-the-run").decode()


@pytest.mark.parametrize(
    ("options", "sent"),
    [
        ("auth: {type: BASIC, username: ada, password: \"{{ secret('PW') }}\"}", BASIC),
        ("auth: {type: BEARER, token: \"{{ secret('PW') }}\"}", "Bearer the-PW-of-the-run"),
        ("basicAuthUser: ada\n      basicAuthPassword: \"{{ secret('PW') }}\"", BASIC),
    ],
    ids=["basic", "bearer", "old names"],
)
def test_login_is_a_header_and_stands_nowhere_else(options: str, sent: str, tmp_path: Path) -> None:
    with Web(response(body=b"ok")) as web:
        found = ran(tmp_path, flow(request(web.url, "options:", f"  {options}")))
    (seen,) = web.seen
    assert seen.headers["authorization"] == sent
    assert "the-PW" not in json.dumps(found)
    assert sent not in json.dumps(found)


def test_private_address_is_refused_unless_the_run_allows_it(tmp_path: Path) -> None:
    with Web(response(body=b"ok")) as web, pytest.raises(RunError) as caught:
        environment(tmp_path, private=False).run(flow(request(web.url)))
    assert caught.value.code == "private-address"
    assert web.seen == []


def test_status_that_is_no_success_fails_the_task_and_allow_failure_goes_on(tmp_path: Path) -> None:
    with Web(response(b"no", "404 Not Found")) as web:
        with pytest.raises(RunError, match="404"):
            ran(tmp_path, flow(request(web.url)))
        found = ran(tmp_path, flow(request(web.url, "allowFailure: true"), said("outputs.call.code ?? 'none'")))
    assert found["said"]["value"] == "none"


def test_body_that_is_too_large_is_an_error(tmp_path: Path) -> None:
    with Web(response(body=b"0123456789")) as web, pytest.raises(RunError) as caught:
        ran(tmp_path, flow(request(web.url, "options: {maxContentLength: 4}")))
    assert caught.value.code == "response-too-large"


def test_flow_that_it_becomes_sends_the_same(tmp_path: Path) -> None:
    with Web(response(body=b"ok")) as web:
        lines = ["method: POST", "formData: {user: 'Ada {{ inputs.title }}'}"]
        source = flow(request(web.url, *lines), said("outputs.call.body ~ outputs.call.code"))
        text = converted(source, environment(tmp_path).examined(source).diagnostics).text
        assert text is not None
        first, second = (ran(tmp_path, each) for each in (source, Source(text, "f.flow.yaml")))
    assert first["said"] == second["said"] == {"value": "ok200"}
    assert [(seen.method, seen.target, seen.body) for seen in web.seen[:1]] == [
        (seen.method, seen.target, seen.body) for seen in web.seen[1:]
    ]
