"""`flowdsl serve` as a process: how it begins, how it ends, and what it says of what it cannot do."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest
from gateways import SMALL

from flowdsl.cli import main
from flowdsl.serve.tokens import FILE, Tokens
from flowdsl_steps.image.simulator import Simulator


@contextmanager
def serving(folder: Path, *arguments: str) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The process of a gateway, and its address."""
    command = [sys.executable, "-m", "flowdsl.cli", "serve", "--port", "0", "--as-of", "2026-11-21", *arguments]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://[\d.]+:\d+", line)
            assert found is not None, f"{line}{process.stderr.read() if process.stderr else ''}"
            yield process, found[0]
        finally:
            process.kill()


@pytest.mark.long
def test_it_serves_the_simulator_and_finishes_what_is_begun_when_it_is_terminated(tmp_path: Path) -> None:
    with serving(tmp_path) as (process, url):
        assert httpx.get(f"{url}/readyz").json()["status"] == "ready"
        found: list[httpx.Response] = []
        body = {"prompt": "A kite", "n": 4, **SMALL}

        def ask() -> None:
            found.append(httpx.post(f"{url}/v1/images/generations", json=body, timeout=60))

        thread = threading.Thread(target=ask)
        thread.start()
        while httpx.get(f"{url}/readyz").json()["in_flight"] == 0 and thread.is_alive():
            pass
        process.send_signal(signal.SIGTERM)
        thread.join()
        _, err = process.communicate()
        assert (process.returncode, err) == (0, "")
        assert [len(response.json()["data"]) for response in found] == [4]


@pytest.mark.parametrize("settings, files", [("", 1), ('metadata = "basic"\n', 2)])
def test_a_picture_takes_the_disk_once_unless_its_file_is_to_say_something(
    tmp_path: Path, settings: str, files: int
) -> None:
    (tmp_path / "flowdsl.toml").write_text(f"{settings}[serve]\n")
    with serving(tmp_path, "--simulate", "--out", "pictures") as (_, url):
        httpx.post(f"{url}/v1/images/generations", json={"prompt": "A kite", **SMALL}, timeout=60).raise_for_status()
    found = [*(tmp_path / "pictures").rglob("*.png")]
    assert len(found) == 2 and len({path.stat().st_ino for path in found}) == files


def test_a_port_that_is_taken_says_what_to_write(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        assert main(["serve", "--simulate", "--port", port]) == 2
    assert f"port {port} of 127.0.0.1 is taken" in capsys.readouterr().err


@pytest.mark.parametrize(
    "host, said",
    [
        ("0.0.0.0", "without tokens"),  # noqa: S104
        ("192.0.2.7", "without tokens"),
        ("nowhere.invalid", "without tokens"),
        ("127.0.0.300", "without tokens"),
        ("nowhere.localhost", "no address of this machine"),
    ],
)
def test_a_host_that_cannot_be_says_what_to_write(host: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--simulate", "--host", host, "--port", "0", "--check"]) in (0, 2)
    capsys.readouterr()
    assert main(["serve", "--simulate", "--host", host, "--port", "0"]) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("kept", ["", "abcd", "no key", "\xff" * 64])
def test_a_damaged_key_of_addresses_is_told_with_what_to_do_and_an_empty_one_signs_nothing(
    kept: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    key = tmp_path / "state" / "serve.key"
    key.parent.mkdir()
    key.write_text(kept, encoding="latin-1")
    assert main(["serve", "--simulate", "--port", "0"]) == 2
    assert f"{key} is no key for addresses of pictures: delete it" in capsys.readouterr().err
    key.unlink()
    with serving(tmp_path, "--simulate") as (_, url):
        assert httpx.get(f"{url}/readyz").status_code == 200


def test_a_folder_that_takes_no_key_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os, "fsync", full)
    assert main(["serve", "--simulate", "--port", "0"]) == 2
    assert f"cannot be kept in {tmp_path / 'state'}: No space left on device" in capsys.readouterr().err
    assert not list((tmp_path / "state").glob("serve.key*"))


def test_no_worker_is_a_mistake(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--workers", "0"]) == 2
    assert "from 1 to" in capsys.readouterr().err


def test_check_says_what_is_served_and_serves_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["serve", "--check", "--as-of", "2026-11-21"]) == 0
    assert re.search(r"no settings file: \d+ models to serve, by the simulator", capsys.readouterr().out)


LIMITED = """\
max_usd_per_day = 0.001
routes = {gpt-image-2 = "OPENAI_IMAGE_GENERATION"}
max_usd_per_day_by_service = {OPENAI_IMAGE_GENERATON = 1}
"""


def test_a_limit_of_a_service_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "gateway.toml"
    file.write_text(LIMITED, encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check"]) == 0
    assert (
        "limits nothing: there is no such service; did you mean `OPENAI_IMAGE_GENERATION`?" in capsys.readouterr().err
    )


@pytest.mark.long
def test_the_money_of_a_day_is_that_of_the_settings_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gateway.toml").write_text(LIMITED, encoding="utf-8")
    with Simulator(plain=True) as service:
        monkeypatch.setenv("OPENAI_BASE_URL", service.openai_base_url)
        monkeypatch.setenv("OPENAI_API_KEY", service.key)
        with serving(tmp_path, "--config", "gateway.toml") as (_, url):
            found = httpx.post(f"{url}/v1/images/generations", json={**SMALL, "prompt": "A kite"})
        error = found.json()["error"]
        assert error["code"] == "budget_exceeded" and error["message"].endswith("in the settings of the gateway")
        assert (
            "it can cost more than a whole day allows: raise `max_usd_per_day` in" in error["message"]
            and "gateway.toml" not in found.text
        )
        assert service.request_count == 0


@pytest.mark.long
def test_values_of_templates_are_those_of_the_settings_that_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flow = "flow:\n  - {step: SET, text: \"{{ kv('brand') }} {{ env.SHOP }}\"}\n"
    (tmp_path / "sign.flow.yaml").write_text(flow, encoding="utf-8")
    (tmp_path / "flowdsl.toml").write_text('[kv]\nbrand = "house"\n', encoding="utf-8")
    settings = 'env = ["SHOP"]\n[kv]\nbrand = "kiosk"\n[serve]\nflows = ["sign.flow.yaml"]\n'
    (tmp_path / "gateway.toml").write_text(settings, encoding="utf-8")
    monkeypatch.setenv("SHOP", "north")
    with serving(tmp_path, "--config", "gateway.toml", "--simulate") as (_, url):
        found = httpx.post(f"{url}/flows/sign/runs", json={})
    assert found.json()["outputs"]["text"] == "kiosk north"


@pytest.mark.parametrize(
    "text, said",
    [
        ("[serve]\nprot = 80\n", "did you mean `port`?"),
        ("[serve]\nport = 80000\n", "write `port = 8080`"),
        ('[serve]\nport = "8081"\n', "write `port = 8081`, without quotes"),
        ('[serve]\nport = "80000"\n', "write `port = 8080`"),
        ("[serve]\nmax_usd_per_day = 5\n", "write it at the top of the file, above every `[table]`"),
        ('[serve.routes]\nposter = "main/gpt-image-2"\n', "write `[routes]`, a table of its own"),
        ('[tokens.shop]\nper_minute = "2"\n', "write `per_minute = 2`, without quotes"),
        ('[tokens.shop]\nper_minute = "2.5"\n', "write `per_minute = 30`"),
        ('[tokens.shop]\nusd_per_day = "$0.05"\n', "write `usd_per_day = 0.05`, without quotes"),
        ('max_usd = "2"\n[serve]\n', "write `max_usd = 2`, without quotes"),
        ('max_requests = "20"\n[serve]\n', "write `max_requests = 20`, without quotes"),
        ("[serve]\nhost = 5\n", 'write `host = "127.0.0.1"`'),
        ('[serve]\npublic_url = "pictures"\n', "public_url"),
        ("serve = 5\n", "serve must be a table"),
    ],
)
def test_a_mistake_in_the_settings_has_its_place(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, said: str
) -> None:
    file = tmp_path / "flowdsl.toml"
    file.write_text(text, encoding="utf-8")
    assert main(["serve", "--config", str(file), "--check"]) == 2
    err = capsys.readouterr().err
    assert said in err and "flowdsl.toml:" in err and "^" in err and "Traceback" not in err


def test_the_other_commands_import_nothing_of_it() -> None:
    program = (
        "import sys; from flowdsl.cli import main; main(['steps']); "
        "sys.exit(repr({'starlette', 'uvicorn', 'flowdsl.serve', 'mcp'} & set(sys.modules)))"
    )
    found = subprocess.run([sys.executable, "-I", "-c", program], capture_output=True, text=True, check=False)
    assert found.stderr.strip() == "set()"


def test_without_the_extra_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from importlib import util

    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name, *more: None if name == "starlette" else real(name, *more))
    assert main(["serve"]) == 2
    assert "pip install 'flowdsl[serve]'" in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_a_log_on_a_full_disk_costs_no_response_and_no_traceback_and_is_told_once(tmp_path: Path) -> None:
    with serving(tmp_path, "--log-json", "/dev/full") as (process, url):
        assert [httpx.get(f"{url}/healthz").status_code for _ in range(3)] == [200, 200, 200]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
        assert err == "flowdsl: warning: lines are missing in /dev/full: No space left on device\n"


@pytest.mark.long
def test_a_warning_stands_once_on_stderr_where_the_log_is_there_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    Tokens(tmp_path / "state").create("shop")
    with serving(tmp_path, "--log-json", "-", "--simulate") as (process, url):
        (tmp_path / "state" / FILE).write_text("{")
        request = httpx.get(f"{url}/v1/models").headers["x-request-id"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    warning, line = map(json.loads, err.splitlines())
    assert sorted(warning) == ["time", "warning"]
    assert str(tmp_path / "state" / FILE) in warning["warning"]
    assert line["request"] == request


@pytest.mark.long
def test_a_run_that_the_journal_does_not_take_is_one_line_of_a_log_on_stderr(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FLOWDSL_STATE", str(tmp_path / "state"))
    with serving(tmp_path, "--log-json", "-", "--simulate") as (process, url):
        assert httpx.post(f"{url}/v1/images/generations", json={"prompt": "A kite", **SMALL}, timeout=60).is_success
        with closing(sqlite3.connect(tmp_path / "state" / "journal.sqlite")) as file, file:
            file.execute(
                "CREATE TRIGGER refuses BEFORE UPDATE ON ledger WHEN NEW.ended IS NOT NULL "
                "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            )
        assert httpx.post(f"{url}/v1/images/generations", json={"prompt": "A bow", **SMALL}, timeout=60).is_success
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    lines = [line for line in err.splitlines() if "What was bought just now" in line]
    assert [sorted(json.loads(line)) for line in lines] == [["time", "warning"]]


def test_a_log_on_stderr_makes_no_file_of_that_name(tmp_path: Path) -> None:
    with serving(tmp_path, "--log-json", "-") as (process, url):
        request = httpx.get(f"{url}/healthz").headers["x-request-id"]
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate()
    assert [json.loads(line)["request"] for line in err.splitlines()] == [request]
    assert not (tmp_path / "-").exists()
