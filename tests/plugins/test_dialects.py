"""Dialects of a third party: recognised by content, checked in their own files, corrected, explained and run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Diagnostic, Dialect, Environment, PluginError, Source
from flowdsl.diagnostics import fixed
from flowdsl.document import dialects
from flowdsl.document.dialects import Node, made
from flowdsl.document.findings import Findings

PACKAGE = Path(__file__).parent.parent / "packages" / "prompt_list"
PROMPTS = """\
[
  "a red bicycle",
  {"prompt": "a {{ 'blue' | upper }} kite", "size": "1024x1024", "model": "gpt-image-2"}
]
"""


@pytest.fixture(autouse=True)
def installed(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.syspath_prepend(str(PACKAGE))
    yield
    for name in [name for name in sys.modules if name.partition(".")[0] == "prompt_list"]:
        del sys.modules[name]


AS_OF = date(2026, 11, 21)


def check(text: str) -> list[Diagnostic]:
    return Environment().check(Source(text, "prompts.json"))


def reported(text: str) -> list[tuple[str, int, int, str]]:
    return [(found.code, *found.span.first, found.span.text) for found in check(text)]


def test_a_list_of_prompts_is_checked_and_loads_as_steps() -> None:
    assert check(PROMPTS) == []
    document = flowdsl.load(Source(PROMPTS, "prompts.json")).document
    assert [step.spec.name for step in document.steps] == ["OPENAI_IMAGE_GENERATION"] * 2
    assert [step.node.span.text for step in document.steps] == [
        '"a red bicycle"',
        PROMPTS.splitlines()[2].strip(),
    ]


@pytest.mark.parametrize(
    ("wrong", "right", "finding"),
    [
        ('"size": "1024x1024"', '"size": "1000x1000"', ("unsupported-value", 3, 53, '"1000x1000"')),
        ('"prompt": ', '"promt": ', ("unknown-key", 3, 4, '"promt"')),
        ("| upper", "| uper", ("unknown-filter", 3, 29, "uper")),
        ('"a red bicycle"', "17", ("wrong-type", 2, 3, "17")),
        ('"gpt-image-2"', '"gpt-image-1"', ("retired-model", 3, 75, '"gpt-image-1"')),
    ],
    ids=["an option", "a key", "a filter", "what is no prompt", "a retired model"],
)
def test_mistakes_stand_at_the_authors_words_and_come_with_fixes(
    wrong: str, right: str, finding: tuple[str, int, int, str]
) -> None:
    text = PROMPTS.replace(wrong, right)
    found = [each for each in Environment(as_of=AS_OF).check(Source(text, "prompts.json")) if each.severity == "error"]
    assert [(each.code, *each.span.first, each.span.text) for each in found][:1] == [finding]
    assert found[0].fixes
    for fix in found[0].fixes:
        corrected = fixed(found[0].span.source, fix)
        json.loads(corrected)
        assert [each for each in check(corrected) if each.code == finding[0] and each.severity == "error"] == []


def test_what_is_missing_in_a_made_step_gets_no_edit_in_the_foreign_file() -> None:
    found = check('[{"prompt": "a kite", "size": "1024x1024", "n": 9}]')
    assert all(edit.span.text == "9" for each in found for fix in each.fixes for edit in fix.edits)


def test_a_dialect_can_read_what_is_no_yaml() -> None:
    text = "prompts!\na kite: [red\n'tis a {{ 'x' | uper }}\n"
    assert reported(text) == [("unknown-filter", 3, 17, "uper")]
    assert reported("prompts!\na\tkite\n") == [("tab", 2, 1, "a\tkite")]
    loaded = flowdsl.load(Source("prompts!\none\ntwo\n", "x.txt"))
    assert loaded.run().context["text"] == "two"


def test_content_is_what_counts_and_the_native_form_is_asked_first() -> None:
    native = '[{"step": "SET", "prompt": "not a list of prompts"}]'
    assert flowdsl.load(Source(native, "prompts.json")).document.steps[0].spec.name == "SET"
    assert flowdsl.load(Source(PROMPTS, "x.flow.yaml")).document.steps[0].spec.name == "OPENAI_IMAGE_GENERATION"
    assert [found.code for found in check("[1, 2]")] == ["wrong-type", "wrong-type"]


def test_native_files_and_kits_import_no_dialect() -> None:
    kit = "AI_KIT:\n  SECTIONS: []\n"
    for text in ("- step: END\n", "flow:\n  - step: END\n", "blocks:\n  constants: {a: 1}\n", kit):
        assert Environment().check(text) == []
    assert "prompt_list" not in sys.modules
    check(PROMPTS)
    assert "prompt_list" in sys.modules


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "fails in `recognises`: NotImplementedError: it has no text"),
        ({"recognises": lambda *_: True}, "fails in `lower`: NotImplementedError: it has no text"),
        ({"recognises": lambda *_: 1 / 0}, "fails in `recognises`: ZeroDivisionError: division by zero"),
    ],
    ids=["nothing defined", "no lower", "a mistake of its own"],
)
def test_a_dialect_that_fails_is_named(monkeypatch: pytest.MonkeyPatch, members: dict[str, Any], message: str) -> None:
    broken = type("Broken", (Dialect,), members)
    monkeypatch.setattr(dialects, "_of_plugins", lambda: iter([broken()]))
    with pytest.raises(PluginError) as caught:
        check("[1]")
    assert str(caught.value) == f"the dialect Broken {message}"


class Worded(Dialect):
    """A list of prompts, in whose words steps are drawings."""

    def recognises(self, source: Source, root: Node | None) -> bool:
        return True

    def lower(self, root: Node, findings: Findings) -> Node:
        findings.add("wrong-type", "a step of its own", root, severity="warning")
        return made(
            [made({"step": "OPENAI_IMAGE_GENERATION", "size": item}, item.span) for item in root.value], root.span
        )

    def worded(self, found: Diagnostic) -> Diagnostic | None:
        if found.code == "retired-model":
            return None
        return found._replace(message=found.message.replace("OPENAI_IMAGE_GENERATION", "a drawing"), hint=None)


def test_findings_about_what_a_dialect_gave_are_in_its_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "_of_plugins", lambda: iter([Worded()]))
    found = check("[1]")
    assert {each.code for each in found} == {"wrong-type", "missing-prompt"}
    assert "a step of its own" in {each.message for each in found}
    assert not any("OPENAI_IMAGE_GENERATION" in each.message or each.hint for each in found)


def test_words_that_are_no_finding_name_the_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Worded, "worded", lambda *_: "a drawing")
    monkeypatch.setattr(dialects, "_of_plugins", lambda: iter([Worded()]))
    with pytest.raises(PluginError, match=r"the dialect Worded fails in `worded`: TypeError: it gave a str"):
        check("[1]")


def test_a_target_that_is_no_dialect_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dialects, "targets", lambda group: {("wrong", "json:loads")})
    with pytest.raises(PluginError, match=r"the dialects plugin `wrong` names json:loads, which is no flowdsl.Dialect"):
        check("[1]")
    monkeypatch.setattr(dialects, "targets", lambda group: {("gone", "no_such_module:X")})
    with pytest.raises(PluginError, match="the dialects plugin `gone` cannot be loaded from no_such_module:X"):
        check("[1]")


def test_a_dialect_can_give_a_kit(monkeypatch: pytest.MonkeyPatch) -> None:
    class Numbers(Dialect):
        """A list of numbers: an action for each."""

        form = "kit"

        def recognises(self, source: Source, root: Node | None) -> bool:
            return root is not None and root.kind == "list"

        def lower(self, root: Node, findings: Findings) -> Node:
            actions = [
                {"title": f"number {item.value}", "flow": [{"step": "SET", "text": item}]} for item in root.value
            ]
            return dialects.made({"sections": [{"actions": actions}]}, root.span)

    monkeypatch.setattr(dialects, "_of_plugins", lambda: iter([Numbers()]))
    flow = flowdsl.load(Source("[4, 5]"), action="number 5")
    assert flow.run().context["text"] == 5


def command(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "flowdsl.cli", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGE)},
    )


@pytest.mark.long
def test_the_command_line_validates_explains_and_runs_a_list_of_prompts(tmp_path: Path) -> None:
    (tmp_path / "prompts.json").write_text(PROMPTS, encoding="utf-8")
    (tmp_path / "wrong.json").write_text(PROMPTS.replace("1024x1024", "1000x1000"), encoding="utf-8")
    wrong = command("validate", "wrong.json", folder=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert wrong.stdout.splitlines()[1:3] == [
        '   3 |   {"prompt": "a {{ \'blue\' | upper }} kite", "size": "1000x1000", "model": "gpt-image-2"}',
        "     |                                                     ^^^^^^^^^^^",
    ]
    found = json.loads(command("validate", "wrong.json", "--format", "json", folder=tmp_path).stdout)
    assert found[0]["fixes"][0]["edits"] == [
        {"path": "wrong.json", "line": 3, "col": 53, "end_line": 3, "end_col": 64, "text": '"992x992"'}
    ]
    explained = command("explain", "prompts.json:3", "--format", "json", folder=tmp_path)
    assert explained.returncode == 0, explained.stderr
    assert json.loads(explained.stdout)["step"] == "OPENAI_IMAGE_GENERATION"
    ran = command("run", "prompts.json", "--simulate", "--out", "made", folder=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert sorted(path.name for path in (tmp_path / "made").glob("*.png")) == ["prompts-1.png", "prompts-2.png"]
