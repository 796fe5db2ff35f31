"""What somebody new to it gets wrong with `flowdsl serve`, `tokens` and `mcp`: what is said to write instead works."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from gateways import FOR_AGENTS
from PIL import Image

from flowdsl.cli import main

FLOW = "flow: [{step: SET, a: 1}]\n"


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with a flow, a folder without any, and settings of a gateway in a folder of their own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("FLOWDSL_STATE", raising=False)
    for name in ("flows", "empty", "other"):
        (tmp_path / name).mkdir()
    (tmp_path / "flows" / "a.flow.yaml").write_text(FLOW, encoding="utf-8")
    (tmp_path / "other" / "flowdsl.toml").write_text("[serve]\n[tokens.shop]\nper_minute = 3\n", encoding="utf-8")
    (tmp_path / "flowdsl.toml").touch()
    return tmp_path


def ended(command: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """How a command ends, and what it says."""
    try:
        code = main(shlex.split(command))
    except SystemExit as end:
        code = int(str(end.code))
    return code, capsys.readouterr().err


@pytest.mark.parametrize(
    "command, said",
    [
        ("serve --port 127.0.0.1:8080", "write the number alone, such as 8080"),
        ("serve --port http", "write a number up to 65535"),
        ("serve --host 0.0.0.0:8080", "write `--host 0.0.0.0 --port 8080`"),
        ("serve --host http://127.0.0.1/", "write `--host 127.0.0.1`"),
        ("serve --host [::1]:80", "write `--host ::1 --port 80`"),
        ("serve --host 127.0.0.1:http", "write `--host 127.0.0.1`"),
        ("serve 8080", "unknown argument `8080`; did you mean `--port 8080`?"),
        ("serve -p 8080", "`-p`; `--port P` is the port to listen on"),
        ("serve --flows flows", "`--flows`; `flows` below [serve] in flowdsl.toml names flows to serve"),
        ("serve --token abc", "`--token`; `flowdsl tokens create NAME` makes a token"),
        ("tokens delete shop", "did you mean `revoke`?"),
        ("tokens add shop", "did you mean `create`?"),
        ("tokens show shop", "`flowdsl tokens list` shows all"),
        ("mcp --port 80 flows", "`flowdsl serve` serves flows to agents at `/mcp`"),
        ("mcp --stdio flows", "leave it out"),
        pytest.param("mcp empty", "the folder `empty` holds no flow", marks=FOR_AGENTS),
    ],
)
def test_a_wrong_word_is_told_with_the_right_one(command: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, err = ended(command, capsys)
    assert code == 2 and said in err, err


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "gateway.localhost"])
def test_a_host_alone_is_taken(host: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ended(f"serve --check --host {host}", capsys)[0] == 0


@FOR_AGENTS
def test_a_file_that_is_a_picture_is_not_to_be_saved_as_text(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Image.new("RGB", (8, 8)).save(project / "kite.png")
    code, err = ended("mcp kite.png --simulate", capsys)
    assert code == 1 and "hint: it holds no text: name another file" in err


@pytest.mark.parametrize(
    "settings, place, hint, mended",
    [
        (
            'host = "0.0.0.0:8080"',
            "2:8",
            'write `host = "0.0.0.0"`, and `port = 8080`',
            'host = "0.0.0.0"\nport = 8080',
        ),
        ('host = "http://localhost"', "2:8", 'write `host = "localhost"`', 'host = "localhost"'),
        (
            'flows = "flows/a.flow.yaml"',
            "2:9",
            'write `flows = ["flows/a.flow.yaml"]`',
            'flows = ["flows/a.flow.yaml"]',
        ),
        ('flows = ["empty"]', "2:10", "name its files one by one", 'flows = ["flows/a.flow.yaml"]'),
        ('flows = ["flow"]', "2:10", "paths begin in the folder of the settings file", 'flows = ["flows"]'),
        (
            '[routes]\nposter = "openai/gpt-image-2"',
            "3:10",
            "did you mean `OPENAI_IMAGE_GENERATION/gpt-image-2`?",
            '[routes]\nposter = "OPENAI_IMAGE_GENERATION/gpt-image-2"',
        ),
        (
            '[routes]\nposter = "gpt-image-2"',
            "3:10",
            "write `SERVICE/gpt-image-2`; there are the services AZURE_OPENAI_IMAGE_GENERATION",
            '[routes]\nposter = "AZURE_OPENAI_IMAGE_GENERATION/gpt-image-2"',
        ),
    ],
    ids=["a port", "a URL", "no list", "nothing in it", "not there", "no service", "no service named"],
)
def test_a_wrong_setting_is_told_with_the_right_one(
    project: Path, settings: str, place: str, hint: str, mended: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = project / "flowdsl.toml"
    file.write_text(f"[serve]\n{settings}\n", encoding="utf-8")
    code, err = ended("serve --check", capsys)
    assert code == 2 and f"flowdsl.toml:{place}: " in err and hint in err
    file.write_text(f"[serve]\n{mended}\n", encoding="utf-8")
    assert ended("serve --check", capsys)[0] == 0


@pytest.mark.parametrize("config", ["", " --config other/flowdsl.toml"], ids=["here", "named settings"])
def test_the_commands_for_tokens_that_are_named_work(config: str, capsys: pytest.CaptureFixture[str]) -> None:
    create, revoke = f"tokens create shop{config}", f"tokens revoke shop{config}"
    code, err = ended(f"serve --simulate --host 0.0.0.0{config}", capsys)
    assert code == 2 and f"`flowdsl tokens create NAME{config}` makes a token" in err
    code, err = ended(f"serve --simulate --check --host 0.0.0.0{config}", capsys)
    assert code == 0 and "warning: on `0.0.0.0` everybody who reaches the port" in err
    assert ("there is no token `shop` yet" in err) is bool(config)
    assert not config or f"`flowdsl {create}` makes it" in err
    assert ended(create, capsys)[0] == 0
    assert ended(f"serve --simulate --check --host 0.0.0.0{config}", capsys) == (0, "")
    code, err = ended(create, capsys)
    assert code == 2 and f"take another name, or end that one first, `flowdsl {revoke}`" in err
    assert [ended(each, capsys)[0] for each in (revoke, create)] == [0, 0]
    code, err = ended(f"tokens revoke nobody{config}", capsys)
    assert code == 2 and f"`flowdsl tokens list{config}` shows those there are" in err
    assert ended(f"tokens list{config}", capsys)[0] == 0
