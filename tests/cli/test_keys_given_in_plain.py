"""Keys that somebody gives as plain values, such as an input that no schema calls secret: nothing keeps or shows them,
and a resumed run is given them again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from flowdsl.cli import main

FLOW = """\
inputs:
  who: {type: string}
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    instruction: "A card for {{ inputs.who }} {{ kv('door') | default('') }}"
  - step: RAISE
    message: "not today, {{ inputs.who }}"
"""
KEY = "sk-proj-4f9a8b7c6d5e4f3a2b1c"
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.chdir(tmp_path)
    Path("card.flow.yaml").write_text(FLOW, encoding="utf-8")

    def called(*arguments: str) -> tuple[int, str]:
        code = main(list(arguments))
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return called


def kept() -> dict[str, str]:
    """What the commands left, by the names of files."""
    places = (Path(), Path(os.environ["FLOWDSL_STATE"]))
    return {
        str(path): path.read_bytes().decode("latin-1")
        for place in places
        for path in place.rglob("*")
        if path.is_file() and not path.name.endswith((".flow.yaml", ".csv"))
    }


def begun(run: Run, *more: str) -> str:
    """The id of a run that failed after its picture; everything is asked to say as much as it can."""
    log = ("--log-json", "events.log", "--log-content", "--metadata", "full")
    code, _ = run("run", "card.flow.yaml", "--simulate", "--out", "out", *log, *more)
    assert code == 4
    return run("runs", "list")[1].splitlines()[1].split()[0]


@pytest.mark.parametrize(
    ("secret", "given"),
    [
        (KEY, f"who={KEY}"),
        (KEY, f"who=Ada with {KEY} in hand"),
        ("dXNlcjpwYXNzd29yZA", "who=https://ada:dXNlcjpwYXNzd29yZA@example.com/a"),
        ("q1w2e3r4t5", "who=https://example.com/?page=1&api-key=q1w2e3r4t5"),
        ("garden-of-forking-paths", "who=garden-of-forking-paths"),
    ],
    ids=["a key", "a key in a text", "a login in an address", "a key in an address", "a password of the environment"],
)
def test_a_key_given_as_a_plain_input_is_kept_nowhere_and_given_again(
    run: Run, secret: str, given: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GALLERY_PASSWORD", "garden-of-forking-paths")
    id = begun(run, "-i", given)
    said = [run("runs", "show", id, "--json"), run("runs", "export", id), run("runs", "show", id)]
    said += [run("report", id, "--out", "page.html"), run("graph", "--run", id, "--output", "run.svg")]
    assert [code for code, _ in said] == [0] * len(said)
    files = kept()
    assert {"journal.sqlite", "events.log", "manifest.json", "page.html"} <= {Path(name).name for name in files}
    assert [name for name, text in files.items() if secret in text or secret in name] == []
    assert [text for _, text in said if secret in text] == []
    code, text = run("resume", id, "--quiet")
    assert (code, f"flowdsl resume {id} -i who=…" in text) == (2, True)
    code, text = run("resume", id, "--quiet", "-i", given)
    assert (code, secret in text) == (4, False)
    assert "1 request was" not in text
    assert run("runs", "list")[1].splitlines()[1].split()[2] == "1"  # nothing was bought again
    assert [name for name, text in kept().items() if secret in text] == []


@pytest.mark.long
def test_a_key_given_as_a_stored_value_is_kept_nowhere_and_given_again(run: Run) -> None:
    id = begun(run, "-i", "who=Ada", f"--kv=door={KEY}")
    assert [name for name, text in kept().items() if KEY in text] == []
    code, text = run("resume", id, "--quiet")
    assert (code, f"flowdsl resume {id} --kv door=…" in text) == (2, True)
    assert run("resume", id, "--quiet", "--kv", f"door={KEY}")[0] == 4
    assert run("runs", "list")[1].splitlines()[1].split()[2] == "1"


@pytest.mark.long
def test_an_input_of_a_file_is_read_again_there(run: Run) -> None:
    Path("who.flow.yaml").write_text(KEY, encoding="utf-8")
    id = begun(run, "-i", "who=@who.flow.yaml")
    assert [name for name, text in kept().items() if KEY in text] == []
    assert run("resume", id, "--quiet")[0] == 4


@pytest.mark.long
def test_a_short_pin_is_not_kept_in_the_arguments_of_a_run(run: Run) -> None:
    Path("card.flow.yaml").write_text(FLOW.replace("{type: string}", "{type: string, writeOnly: true}"))
    id = begun(run, "-i", "who=8191")
    assert "who=8191" not in run("runs", "export", id)[1]
    assert "who=***" in run("runs", "export", id)[1]


@pytest.mark.long
def test_a_key_in_the_prompt_of_one_picture_is_kept_nowhere(run: Run) -> None:
    code, _ = run("image", f"A door with {KEY} on it", "--simulate", "--max-usd", "0.001", "--metadata", "full")
    assert code == 4
    code, _ = run("image", f"A door with {KEY} on it", "--simulate", "--metadata", "full")
    assert code == 0
    assert [name for name, text in kept().items() if KEY in text] == []


@pytest.mark.long
def test_a_key_in_a_flow_is_in_no_manifest(run: Run) -> None:
    Path("card.flow.yaml").write_text(FLOW.replace("A card for", f"A card {KEY} for"), encoding="utf-8")
    begun(run, "-i", "who=Ada")
    assert [name for name, text in kept().items() if KEY in text] == []


@pytest.mark.long
def test_a_key_in_a_record_is_in_no_dead_letter(run: Run) -> None:
    Path("a.csv").write_text(f"who,code\nAda,{KEY}\n{KEY},1\n", encoding="utf-8")
    code, text = run("batch", "card.flow.yaml", "--simulate", "--over", "a.csv", "--out", "cards", "--metadata", "full")
    assert (code, KEY in text) == (4, False)
    assert [name for name, text in kept().items() if KEY in text] == []
    code, text = run(
        "batch", "card.flow.yaml", "--simulate", "--over", "cards/failed.jsonl", "--out", "b", "-i", f"who={KEY}"
    )
    assert (code, KEY in text) == (4, False)
    assert [name for name, text in kept().items() if KEY in text] == []


@pytest.mark.long
def test_a_key_that_does_not_fit_its_input_is_in_no_message(run: Run) -> None:
    text = FLOW.replace("{type: string}", "{type: string, maxLength: 5}\n  many: {type: integer, default: 1}")
    Path("card.flow.yaml").write_text(text, encoding="utf-8")
    Path("a.csv").write_text(f"who,many\n{KEY},1\nAda,{KEY}\n", encoding="utf-8")
    said = [run("batch", "card.flow.yaml", "--simulate", "--over", "a.csv", "--out", "cards", "--json")]
    said += [run("run", "card.flow.yaml", "--simulate", "-i", f"who={KEY}", *more) for more in ((), ("--json",))]
    said += [run("run", "card.flow.yaml", "--simulate", "-i", "who=Ada", "-i", f"many={KEY}")]
    assert [code for code, _ in said] == [4, 1, 1, 1]
    assert [text for _, text in said if KEY in text or "does not fit" not in text][1:] == []
    assert [name for name, text in kept().items() if KEY in text] == []


@pytest.mark.parametrize("who", ["a basic 1024x1024 poster", "key lime pie", "token of love", "sk8-park"])
@pytest.mark.long
def test_ordinary_words_are_kept_as_they_are(run: Run, who: str) -> None:
    begun(run, "-i", f"who={who}")
    assert f"A card for {who}" in Path("out/manifest.json").read_text(encoding="utf-8")
