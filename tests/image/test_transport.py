from __future__ import annotations

import asyncio
import base64
import json
import ssl
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest
from image_bench import Bench
from image_pictures import PICTURES
from image_server import plain, tiny

from flowdsl.errors import ConfigError, ServiceUnavailable
from flowdsl_steps.http.connect import tls_context
from flowdsl_steps.http.connection import Delivery
from flowdsl_steps.http.proxy import environment_proxy
from flowdsl_steps.http.transport import Transport, open_client

PNG = PICTURES["png"][0]


def test_one_connection_serves_requests_one_after_the_other() -> None:
    async def run() -> tuple[int, list[str]]:
        async with tiny(plain(b"hello")) as server, open_client() as client:
            texts = [(await client.post(server.url, json={"n": n})).text for n in range(3)]
            return server.connections, texts

    assert asyncio.run(run()) == (1, ["hello"] * 3)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no uvloop")
def test_a_host_may_run_on_uvloop() -> None:
    import uvloop

    async def run() -> tuple[int, list[str]]:
        async with tiny(plain(b"hello")) as server, open_client() as client:
            texts = [(await client.post(server.url, json={"n": n})).text for n in range(3)]
            return server.connections, texts

    assert uvloop.run(run()) == (1, ["hello"] * 3)


@pytest.mark.parametrize("count, most", [(1, 256 * 1024), (20, 128 * 1024)])
def test_of_many_connections_each_holds_less(count: int, most: int) -> None:
    async def run() -> list[Any]:
        async with tiny(plain(b"hello")) as server, open_client() as client:
            await asyncio.gather(*(client.post(server.url, json={}) for _ in range(count)))
            transport = client._transport
            assert isinstance(transport, Transport)
            await client.post(server.url, json={})
            return [len(each.get_buffer(-1)) for each in transport._open]

    found = asyncio.run(run())
    assert len(found) == count and min(found) == most


def test_only_the_headers_we_set_are_sent_and_cookies_are_not_kept() -> None:
    async def run() -> list[bytes]:
        async with tiny(plain(b"", headers="set-cookie: a=b\r\n")) as server, open_client() as client:
            for _ in range(2):
                client.cookies.clear()
                await client.post(server.url, content=b"{}", headers={"X-Own": "1", "User-Agent": "flowdsl"})
            return server.heads

    first, second = asyncio.run(run())
    assert first == second
    names = {line.split(b":")[0].lower() for line in first.split(b"\r\n")[1:] if line}
    assert names == {b"host", b"accept", b"accept-encoding", b"connection", b"user-agent", b"x-own", b"content-length"}


def test_redirects_are_not_followed() -> None:
    async def run() -> int:
        async with (
            tiny(plain(b"", "302 Found", "location: http://127.0.0.1:9/\r\n")) as server,
            open_client() as client,
        ):
            return (await client.get(server.url)).status_code

    assert asyncio.run(run()) == 302


def test_nothing_is_sent_when_no_connection_comes_about() -> None:
    async def run() -> bool:
        delivery = Delivery()
        async with open_client() as client:
            with pytest.raises(httpx.ConnectError):
                await client.post("http://127.0.0.1:1/", extensions={"delivery": delivery})
        return delivery.sent

    assert asyncio.run(run()) is False


def test_a_connection_that_breaks_after_sending_is_a_read_error() -> None:
    async def leave(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def run() -> bool:
        delivery = Delivery()
        async with tiny(leave) as server, open_client() as client:
            with pytest.raises(httpx.ReadError):
                await client.post(server.url, extensions={"delivery": delivery})
        return delivery.sent

    assert asyncio.run(run()) is True


def answer_of(pictures: int) -> bytes:
    item = {"b64_json": base64.b64encode(PNG).decode()}
    return json.dumps({"created": 1, "data": [item] * pictures}).encode()


def test_cancelling_in_the_middle_of_a_picture_keeps_the_whole_one_before_it_and_no_connection(tmp_path: Path) -> None:
    body = answer_of(2)

    async def half(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[: len(body) - 60])
        await reader.read()

    async def run() -> None:
        async with tiny(half) as server:
            bench = Bench(tmp_path, {"provider": "openai", "endpoint": server.url})
            task = asyncio.create_task(bench.arun())
            async with asyncio.timeout(20):
                await server.asked.wait()
                await asyncio.to_thread(_until_part_file, tmp_path)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            async with asyncio.timeout(30):
                await server.left.wait()

    asyncio.run(run())
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes() == PNG


def _until_part_file(folder: Path) -> None:
    while not list(folder.glob(".*.part")):
        pass


def test_a_body_that_breaks_off_keeps_the_pictures_that_came_whole(tmp_path: Path) -> None:
    body = answer_of(2)

    async def cut(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body[: len(body) - 60])
        writer.close()

    async def run() -> ServiceUnavailable:
        async with tiny(cut) as server:
            with pytest.raises(ServiceUnavailable) as caught:
                await Bench(tmp_path, {"provider": "openai", "endpoint": server.url}).arun()
            return caught.value

    error = asyncio.run(run())
    (image,) = error.details["images"]  # type: ignore[misc]  # put there as a list
    assert image.read() == PNG
    assert error.charge_possible
    assert [path.suffix for path in tmp_path.iterdir()] == [".png"]


@pytest.mark.long
def test_the_deadline_counts_for_the_whole_attempt_and_not_for_each_read(tmp_path: Path) -> None:
    async def drip(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n")
        while not reader.at_eof():
            writer.write(b" ")
            await asyncio.sleep(0.1)

    async def run() -> None:
        async with tiny(drip) as server:
            bench = Bench(tmp_path, {"provider": "openai", "endpoint": server.url})
            await bench.arun(timeoutMs=1000)

    with pytest.raises(Exception, match=r"PICTURES did not finish its response within 1 s"):
        asyncio.run(run())


def test_requests_go_through_the_proxy_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> tuple[bytes, dict[str, Any]]:
        async with tiny(plain(answer_of(1))) as proxy:
            monkeypatch.setenv("http_proxy", proxy.url.replace("http://", "http://me:p%40ss@"))
            found = await Bench(tmp_path, {"provider": "openai", "endpoint": "http://images.example"}).arun()
            return proxy.heads[0], found

    head, found = asyncio.run(run())
    assert head.startswith(b"POST http://images.example/v1/images/generations HTTP/1.1\r\n")
    assert b"\r\nProxy-Authorization: Basic " + base64.b64encode(b"me:p@ss") in head
    assert len(found["imageList"]) == 1


def test_a_service_on_this_machine_and_names_in_no_proxy_take_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("no_proxy", "inside.example")
    assert environment_proxy("https", "127.0.0.1") is None
    assert environment_proxy("https", "inside.example") is None
    assert environment_proxy("http", "outside.example") is None
    found = environment_proxy("https", "outside.example")
    assert found is not None
    assert found.shown == "http://proxy.example:3128"


def test_a_socks_proxy_is_refused_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("all_proxy", "socks5://proxy.example:1080")
    bench = Bench(tmp_path, {"provider": "openai", "endpoint": "http://images.example"})
    with pytest.raises(ServiceUnavailable) as caught:
        bench.run(maxRetries=0)
    assert str(caught.value) == (
        "PICTURES cannot be reached at images.example: "
        "the proxy socks5://proxy.example:1080 is not supported: use an http proxy, or NO_PROXY"
    )


def test_an_invalid_certificate_is_an_error_of_the_service_entry(tmp_path: Path) -> None:
    with pytest.raises(ssl.SSLError):
        tls_context("-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----", None)
    bench = Bench(tmp_path, {"provider": "openai", "endpoint": "https://x", "caPem": "/nowhere/ca.pem"})
    with pytest.raises(ConfigError) as caught:
        bench.run()
    assert str(caught.value) == ("the `caPem` of the service PICTURES cannot be used: No such file or directory")


def test_a_service_with_an_authority_of_its_own_is_trusted_only_with_its_pem(tmp_path: Path) -> None:
    command = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost "
        "-addext subjectAltName=DNS:localhost -keyout key.pem -out ca.pem"
    )
    made = subprocess.run(command.split(), cwd=tmp_path, capture_output=True, check=False)
    if made.returncode:
        pytest.skip("openssl cannot make a certificate here")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "ca.pem", tmp_path / "key.pem")

    async def run(pem: str | None) -> dict[str, Any]:
        async with tiny(plain(answer_of(1)), context) as server:
            settings = {"provider": "openai", "endpoint": server.url.replace("127.0.0.1", "localhost"), "caPem": pem}
            return await Bench(tmp_path / "store", settings).arun(maxRetries=0)

    for pem in (str(tmp_path / "ca.pem"), (tmp_path / "ca.pem").read_text()):
        assert len(asyncio.run(run(pem))["imageList"]) == 1
    with pytest.raises(ServiceUnavailable, match="its certificate is not trusted"):
        asyncio.run(run(None))


def test_the_usual_tls_settings_are_read_in_a_thread_and_once_for_all_connections(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    threads: list[int] = []
    usual = httpx.create_ssl_context

    def counted() -> ssl.SSLContext:
        threads.append(threading.get_ident())
        return usual()

    monkeypatch.setattr(httpx, "create_ssl_context", counted)

    async def main() -> None:
        transport = Transport()
        async with httpx.AsyncClient(transport=transport) as client:
            asked = [client.get("https://127.0.0.1:9/") for _ in range(8)]
            ended = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(each) for each in ended} == {httpx.ConnectError}

    asyncio.run(main())
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
