"""Proxies of the environment, certificates, and what exceptions of a connection show."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import ssl
import subprocess
import sys
import tempfile
import traceback
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_bench import Bench
from image_server import Tiny, plain, tiny

from flowdsl.errors import ConfigError, FlowError
from flowdsl_steps.http.connect import pem_file, tls_context
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.proxy import environment_proxy, is_excepted
from flowdsl_steps.http.transport import open_client

KEY = "sk-shown-nowhere-123456"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=pictures.test "
        "-addext subjectAltName=DNS:pictures.test,DNS:localhost -keyout key.pem -out ca.pem"
    )
    if subprocess.run(command.split(), cwd=folder, capture_output=True, check=False).returncode:
        pytest.skip("openssl cannot make a certificate here")
    return folder


def server_tls(folder: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(folder / "ca.pem", folder / "key.pem")
    return context


@contextlib.asynccontextmanager
async def tunnel(server: Tiny, status: str = "200 Connection established") -> AsyncIterator[tuple[str, list[bytes]]]:
    """A proxy that leads every CONNECT to one server."""
    heads: list[bytes] = []
    tasks: list[asyncio.Task[Any]] = []

    async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await reader.read(65536):
                    writer.write(data)
                    await writer.drain()
        finally:
            writer.transport.abort()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        if not status.startswith("200"):
            writer.close()
            return
        there, onward = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        tasks.extend(asyncio.create_task(pump(*pair)) for pair in ((reader, onward), (there, writer)))

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        yield f"http://me:p%40ss@127.0.0.1:{listening.sockets[0].getsockname()[1]}", heads
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0)


def test_https_goes_through_a_tunnel_of_the_proxy(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        async with tiny(plain(b"hello"), server_tls(certificate)) as server, tunnel(server) as (url, heads):
            monkeypatch.setenv("https_proxy", url)
            async with open_client(ca_pem=str(certificate / "ca.pem")) as client:
                for _ in range(2):
                    response = await client.get("https://pictures.test/a?b=c", headers={"Authorization": KEY})
                    assert response.text == "hello"
            (head,) = heads
            assert head.startswith(b"CONNECT pictures.test:443 HTTP/1.1\r\nHost: pictures.test:443\r\n")
            assert b"Proxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in head
            assert KEY.encode() not in head
            assert [each.split(b"\r\n")[0] for each in server.heads] == [b"GET /a?b=c HTTP/1.1"] * 2

    asyncio.run(run())


@pytest.mark.parametrize(
    ("scheme", "status", "said"),
    [
        ("https", "407 Proxy Authentication Required", " responded with 407 Proxy Authentication Required"),
        ("https", "403 Forbidden", " responded with 403 Forbidden"),
        ("http", "407 Proxy Authentication Required", " responded with 407 Proxy Authentication Required"),
        ("http", None, " cannot be reached: Connection refused"),
        ("https", None, " cannot be reached: Connection refused"),
    ],
    ids=["no login", "forbidden", "no login for http", "not there", "not there for https"],
)
def test_a_proxy_that_refuses_is_named_without_its_password(
    scheme: str, status: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> tuple[str, str, bool]:
        delivery = Delivery()
        async with tiny(plain(b"")) as server, tunnel(server, status or "") as (url, _):
            url = url if status else "http://me:p%40ss@127.0.0.1:1"
            monkeypatch.setenv(f"{scheme}_proxy", url)
            async with open_client() as client:
                with pytest.raises(httpx.ProxyError) as caught:
                    await client.post(f"{scheme}://pictures.test/", extensions={"delivery": delivery})
        return str(caught.value), url.replace("me:p%40ss@", ""), delivery.sent

    message, shown, sent = asyncio.run(run())
    took_it = scheme == "http" and status is not None  # with the whole request, which it may have passed on
    assert (message, sent) == (f"the proxy {shown}{said}", took_it)


@pytest.mark.parametrize(
    ("entry", "host", "port", "excepted"),
    [
        ("pictures.test:8080", "pictures.test", 8080, True),
        ("pictures.test:8080", "pictures.test", 443, False),
        ("10.0.0.0/8", "10.1.2.3", 443, True),
        ("10.0.0.0/8", "11.1.2.3", 443, False),
        ("fd00::/8", "fd00::1", 443, True),
        ("[fd00::1]:8080", "fd00::1", 8080, True),
        ("[fd00::1]:8080", "fd00::1", 80, False),
        ("10.1.2.3:443", "10.1.2.3", 443, True),
        ("*.test.invalid", "a.test.invalid", 443, True),
        ("*.test.invalid", "b.a.test.invalid", 443, True),
        ("*.test.invalid", "atest.invalid", 443, False),
        (".suffix", "a.suffix", 443, True),
        (".suffix", "asuffix", 443, False),
        ("suffix", "a.suffix", 443, True),
        ("Pictures.TEST", "pictures.test", 443, True),
        ("other, pictures.test", "pictures.test", 443, True),
        ("*", "anything.test", 443, True),
        ("*", "10.1.2.3", 443, True),
        ("", "pictures.test", 443, False),
        (",", "pictures.test", 443, False),
        ("0.0.0.0/99", "10.1.2.3", 443, False),
    ],
)
def test_every_kind_of_entry_in_no_proxy_counts(
    entry: str, host: str, port: int, excepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("no_proxy", entry)
    monkeypatch.setenv("https_proxy", "http://proxy.test:3128")
    assert is_excepted(host, port) is excepted
    assert (environment_proxy("https", host, port) is None) is excepted


@pytest.mark.skipif(sys.platform != "linux", reason="other systems take a key from a file alone")
def test_the_key_of_a_client_lies_in_no_file_that_a_killed_process_leaves(
    certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(certificate / "nowhere"))
    both = "".join((certificate / name).read_text("ascii") for name in ("ca.pem", "key.pem"))
    tls_context(None, both)
    with pytest.raises(ssl.SSLError):
        tls_context(None, both.replace("M", "N"))


def test_a_file_of_certificates_that_is_none_is_named_before_any_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigError) as caught:
        Bench(tmp_path, {"provider": "openai", "endpoint": "https://localhost:1"}).run()
    assert caught.value.message == (
        "the environment variable SSL_CERT_FILE is `/nowhere/ca.pem`, which cannot be used: No such file or directory"
    )
    assert caught.value.hint == "set SSL_CERT_FILE to a file of certificates in PEM, or unset it"


@pytest.mark.parametrize("setting", ["caPem", "clientPem"])
def test_a_certificate_that_is_no_file_or_too_large_for_one_is_refused(tmp_path: Path, setting: str) -> None:
    large = tmp_path / "large.pem"
    with large.open("wb") as file:
        file.truncate(1 << 40)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, problem in (
        ("/dev/zero", "it is not a file"),
        (str(large), "it has more than 4,194,304 bytes, which no certificates have"),
        (str(tmp_path), "Is a directory"),
        (str(pipe), "it is not a file"),
        ("a\0b", "no file has such a name"),
        ("-----BEGIN CERTIFICATE-----\nMüller\n", "it is not PEM"),
    ):
        with pytest.raises(ConfigError) as caught:
            Bench(tmp_path / "store", {"provider": "openai", "endpoint": "https://localhost:1", setting: path}).run()
        assert str(caught.value) == f"the `{setting}` of the service PICTURES cannot be used: {problem}"
    with pytest.raises(OSError, match="it is not PEM"):
        (tmp_path / "binary.pem").write_bytes(b"\xff\xfe")
        pem_file(str(tmp_path / "binary.pem"))


def shown_by(error: BaseException | None, seen: set[int]) -> Iterator[tuple[str, str]]:
    """What the variables of every frame of an exception and its causes show: place and text."""
    if error is None or id(error) in seen:
        return
    seen.add(id(error))
    for frame, _ in traceback.walk_tb(error.__traceback__):
        if "/tests/" not in frame.f_code.co_filename:
            for name, value in frame.f_locals.items():
                yield f"{frame.f_code.co_filename}:{frame.f_code.co_qualname}:{name}", repr(value)
    yield from shown_by(error.__cause__, seen)
    yield from shown_by(error.__context__, seen)


@pytest.mark.long
@pytest.mark.parametrize(
    "fault", ["no connection", "closed", "no HTTP", "cut", "too late", "a bad header", "a proxy", "refused", "no proxy"]
)
@pytest.mark.parametrize("header", ["authorization", "x-secret"])
def test_no_variable_in_the_traceback_of_a_request_holds_the_key(
    fault: str, header: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def respond(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if fault == "too late":
            await reader.read()
        responses = {
            "no HTTP": b"220 mail\r\n\r\n",
            "cut": b"HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\n{",
            "refused": b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
            "a proxy": b"HTTP/1.1 407 No\r\ncontent-length: 0\r\n\r\n",
        }
        writer.write(responses.get(fault, b""))
        await writer.drain()
        writer.close()

    async def run() -> BaseException:
        async with tiny(respond) as server:
            settings: dict[str, Any] = {"provider": "openai", "endpoint": server.url, "apiKey": KEY}
            if header == "x-secret":
                settings["headers"] = {"X-Secret": KEY}
            if fault == "no connection":
                settings["endpoint"] = "http://127.0.0.1:1"
            if "proxy" in fault:
                settings["endpoint"] = "http://pictures.test"
                scheme = "socks5" if fault == "no proxy" else "http"
                monkeypatch.setenv("http_proxy", server.url.replace("http://", f"{scheme}://me:{KEY}@"))
            if fault == "a bad header":
                settings["apiKey"] = f"{KEY}\x00"
            with pytest.raises(FlowError) as caught:
                await Bench(tmp_path, settings).arun(maxRetries=0, timeoutMs=1000 if fault == "too late" else None)
            return caught.value

    error = asyncio.run(run())
    assert [place for place, text in shown_by(error, set()) if KEY in text] == []
    assert KEY not in "".join(traceback.format_exception(error))
