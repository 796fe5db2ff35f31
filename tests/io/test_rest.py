"""REST: what is sent, and what comes of the response."""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from typing import Any

import pytest
from web_server import Web, response

import flowdsl
from flowdsl.testing import Recorder

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
JSON = "content-type: application/json\r\n"


def failure(host: Any, flow: str, **settings: Any) -> flowdsl.RunError:
    with pytest.raises(flowdsl.RunError) as caught:
        host(flow, **settings)
    return caught.value


def test_a_get_sends_parameters_and_headers_and_writes_the_response_as_text(host: Any) -> None:
    with Web(response(b"dawn")) as web:
        result = host(
            f"- step: REST\n  url: {web.url}/a?x=1#part\n"
            "  parameters: {q: [sea, 'a b'], none: null, deep: true, n: 2.0}\n"
            "  headers: {X-Token: abc, Accept: application/json, Absent: null}\n"
        )
    assert result.context == {"text": "dawn"}
    (seen,) = web.seen
    assert (seen.method, seen.target, seen.body) == ("GET", "/a?x=1&q=sea&q=a+b&deep=true&n=2", b"")
    assert seen.headers["x-token"] == "abc"
    assert seen.headers["accept"] == "application/json"
    assert seen.headers["accept-encoding"] == "identity"
    assert "absent" not in seen.headers


@pytest.mark.parametrize(
    ("body", "sent", "content_type"),
    [
        ("dawn über der See", "dawn über der See".encode(), "text/plain; charset=utf-8"),
        ('{"a": [1, 2]}', b'{"a": [1, 2]}', "application/json"),
        ("{not json}", b"{not json}", "text/plain; charset=utf-8"),
        ({"a": [1, 2.5, None, True]}, b'{"a":[1,2.5,null,true]}', "application/json"),
        ([1], b"[1]", "application/json"),
        (5, b"5", "application/json"),
        (False, b"false", "application/json"),
    ],
)
def test_a_body_is_sent_by_its_kind(host: Any, body: Any, sent: bytes, content_type: str) -> None:
    with Web(response(b"ok")) as web:
        host(
            f"- step: REST\n  url: {web.url}\n  method: POST\n  body: '{{{{ flowContext.given }}}}'\n", {"given": body}
        )
    assert (web.seen[0].body, web.seen[0].headers["content-type"]) == (sent, content_type)


def test_the_content_type_of_the_author_wins(host: Any) -> None:
    with Web(response(b"ok")) as web:
        host(f"- step: REST\n  url: {web.url}\n  method: PUT\n  headers: {{content-type: text/csv}}\n  body: 'a,b'\n")
    assert (web.seen[0].method, web.seen[0].headers["content-type"]) == ("PUT", "text/csv")


def test_an_image_is_a_body_and_a_file_of_a_form(host: Any) -> None:
    flow = """
- step: BASE64_TO_BLOB
  in: {png}
- step: REST
  url: {url}
  method: POST
  body: "{{{{ flowContext.blob }}}}"
- step: BASE64_TO_BLOB
  in: aGVsbG8=
  contentType: text/plain
  outputs: [{{type: blob, name: note}}]
- step: REST
  url: {url}
  method: POST
  formData: {{title: Dawn, tag: [sea, 1], picture: "{{{{ flowContext.blob }}}}", note: "{{{{ flowContext.note }}}}"}}
"""
    with Web(response(b"ok")) as web:
        host(flow.format(png=base64.b64encode(PNG).decode(), url=web.url))
    plain, form = web.seen
    assert (plain.body, plain.headers["content-type"]) == (PNG, "image/png")
    kind, _, boundary = form.headers["content-type"].partition("; boundary=")
    parts = form.body.split(b"--" + boundary.encode())[1:-1]
    assert kind == "multipart/form-data"
    assert [part.strip(b"\r\n").partition(b"\r\n\r\n") for part in parts] == [
        (b'Content-Disposition: form-data; name="title"', b"\r\n\r\n", b"Dawn"),
        (b'Content-Disposition: form-data; name="tag"', b"\r\n\r\n", b"sea"),
        (b'Content-Disposition: form-data; name="tag"', b"\r\n\r\n", b"1"),
        (
            b'Content-Disposition: form-data; name="picture"; filename="picture.png"\r\nContent-Type: image/png',
            b"\r\n\r\n",
            PNG,
        ),
        (
            b'Content-Disposition: form-data; name="note"; filename="note"\r\nContent-Type: text/plain',
            b"\r\n\r\n",
            b"hello",
        ),
    ]


def test_body_and_form_data_are_not_given_together() -> None:
    flow = "- step: REST\n  url: https://api.example.com\n  body: a\n  formData: {a: b}\n"
    assert [(found.code, found.message) for found in flowdsl.check(flow)] == [
        ("conflicting-keys", "`formData` conflicts with `body`")
    ]


def test_every_output_that_is_listed_is_written_and_no_other(host: Any) -> None:
    flow = "- step: REST\n  url: {url}/x\n  outputs: [{{type: json, name: data}}, {{type: object, name: meta}}]\n"
    with Web(response(b'{"n": 1}', headers=JSON + "x-a: 1\r\nx-a: 2\r\n")) as web:
        result = host(flow.format(url=web.url))
    assert result.context == {
        "data": {"n": 1},
        "meta": {
            "status": 200,
            "headers": {"content-length": "8", "content-type": "application/json", "x-a": "1, 2"},
            "url": f"{web.url}/x",
        },
    }


def test_the_blob_of_a_picture_is_an_image_and_any_other_a_blob(host: Any) -> None:
    flow = "- step: REST\n  url: {url}\n  outputs: [{{type: blob, name: it}}]\n"
    with Web(
        response(PNG, headers="content-type: image/png\r\n"), response(b"%PDF", headers="content-type: a/pdf\r\n")
    ) as web:
        image = host(flow.format(url=web.url)).context["it"]
        blob = host(flow.format(url=web.url)).context["it"]
    assert isinstance(image, flowdsl.Image)
    assert (image.read(), image.width) == (PNG, 1)
    assert isinstance(blob, flowdsl.Blob)
    assert (blob.content, blob["contentType"], blob["size"]) == (b"%PDF", "a/pdf", 4)


@pytest.mark.parametrize(
    ("body", "content_type", "text"),
    [
        ("größer".encode("latin-1"), "text/plain; charset=ISO-8859-1", "größer"),
        ("größer".encode(), "text/plain", "größer"),
        (b"\xef\xbb\xbfa", "text/plain; charset=utf-8", "a"),
        (b"a\xffb", "text/plain", "a�b"),
        (b"abc", "text/plain; charset=rot13", "abc"),
        (b"abc", "text/plain; charset=utf-99", "abc"),
        (b"", "text/plain", ""),
    ],
)
def test_the_text_of_a_response_is_read_in_its_charset(host: Any, body: bytes, content_type: str, text: str) -> None:
    with Web(response(body, headers=f"content-type: {content_type}\r\n")) as web:
        assert host(f"- step: REST\n  url: {web.url}\n").context == {"text": text}


def test_a_response_that_is_packed_unasked_is_unpacked(host: Any) -> None:
    two = gzip.compress(b"sea ", mtime=0) + gzip.compress(b"light", mtime=0)
    with Web(
        response(two, headers="content-encoding: gzip\r\n"),
        response(zlib.compress(b"deep"), headers="content-encoding: deflate\r\n"),
    ) as web:
        flow = f"- step: REST\n  url: {web.url}\n"
        assert [host(flow).context["text"] for _ in range(2)] == ["sea light", "deep"]


def test_a_binary_response_read_as_text_is_noted(host: Any) -> None:
    recorder = Recorder()
    with Web(response(PNG, headers="content-type: image/png\r\n")) as web:
        host(f"- step: REST\n  url: {web.url}\n", on_event=recorder)
    assert [event.text for event in recorder.events if isinstance(event, flowdsl.Note)] == [
        "the response is image/png, read as text; list the output `blob` to have its bytes"
    ]


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"<html>", "Expecting value at line 1, column 1"),
        (b"", "Expecting value at line 1, column 1"),
        (b'{"a": NaN}', "NaN is no JSON value"),
        (b"[" * 100_000, "it is nested more than 200 deep"),
        (b"[" * 300 + b"]" * 300, "it is nested more than 200 deep"),
    ],
)
def test_a_response_that_is_no_json_is_an_error_where_json_is_asked_for(host: Any, body: bytes, problem: str) -> None:
    with Web(response(body, headers=JSON)) as web:
        error = failure(host, f"- step: REST\n  url: {web.url}/q?key=1\n  outputs: [{{type: json, name: a}}]\n")
    assert (type(error).__name__, error.code) == ("StepError", "not-json")
    assert str(error) == f"the response to GET {web.url}/q is not JSON: {problem}"


def test_head_has_no_body_however_long_it_would_be(host: Any) -> None:
    head = b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n"
    with Web(head) as web:
        assert host(f"- step: REST\n  url: {web.url}\n  method: HEAD\n").context == {"text": ""}


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            "url: '{{ flowContext.u }}'",
            "wrong-pattern",
            "`url` is `file:///etc/passwd`, which does not match ^https?://\\S+$",
        ),
        ("url: http://me:word@example.com/", "invalid-url", "`url` holds a user name or a password"),
        ("url: 'http://'", "wrong-pattern", None),
        ("url: 'http://[::1'", "invalid-url", "`url` is not a web address: Invalid IPv6 URL"),
        ("url: 'http://?x'", "invalid-url", "`url` is not a web address"),
        (
            "url: http://example.com/\n  headers: {Host: a}",
            "invalid-header",
            "`headers` has `Host`, which REST sets itself",
        ),
        (
            "url: http://example.com/\n  headers: {Content-Length: 5}",
            "invalid-header",
            "`headers` has `Content-Length`, which REST sets itself",
        ),
        (
            "url: http://example.com/\n  headers: {'a b': c}",
            "invalid-header",
            "`headers` has the name 'a b', which no header can have",
        ),
        (
            'url: http://example.com/\n  headers: {a: "b\\r\\nc: d"}',
            "invalid-header",
            "the header `a` holds a character that a header cannot",
        ),
        (
            "url: http://example.com/\n  headers: {a: 晨}",
            "invalid-header",
            "the header `a` holds a character that a header cannot",
        ),
    ],
)
def test_a_request_that_cannot_be_sent_says_why(host: Any, options: str, code: str, message: str | None) -> None:
    flow = f"- step: REST\n  {options}\n"
    found = [(item.code, item.message) for item in flowdsl.check(flow, declare=["u"]) if item.severity == "error"]
    if not found:
        error = failure(host, flow, inputs={"u": "file:///etc/passwd"})
        found = [(error.code, error.message)]
    assert found[0][0] == code
    assert message in (None, found[0][1])


def test_a_header_that_a_template_makes_is_checked_before_anything_is_sent(host: Any) -> None:
    with Web(response(b"ok")) as web:
        flow = f"- step: REST\n  url: {web.url}\n  headers: {{X-A: '{{{{ flowContext.a }}}}'}}\n"
        error = failure(host, flow, inputs={"a": "b\r\nHost: c"})
        assert (error.code, str(error)) == ("invalid-header", "the header `X-A` holds a character that a header cannot")
        assert web.seen == []


def test_a_secret_in_a_query_stays_hidden_in_the_address_of_the_response(host: Any) -> None:
    flow = (
        "- step: REST\n  url: {url}\n  parameters: {{key: \"{{{{ secret('K') }}}}\"}}\n"
        "  outputs: [{{type: object, name: meta}}]\n"
    )
    with Web(response(b"ok")) as web:
        result = host(flow.format(url=web.url), host=flowdsl.Host(secrets={"K": "topsecret"}.get))
    assert web.seen[0].target == "/?key=topsecret"
    assert "topsecret" not in json.dumps(result.to_json())
