"""Runs the blocks of one page in a folder of their own, as a reader would who follows the page."""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import yaml
from doc_blocks import ROOT, Block

import flowdsl
from flowdsl_steps.image.simulator import Simulator, stand_in

NOT_RUN = ("make ", "pip install ", "python3 -m venv ", ". .venv/")
"""Commands that build an environment; the environment of the tests is one."""

DAY = date(2026, 11, 21)
"""The day the pages are checked on: models come and go."""

_SHOWN_FOLDER = "/home/you"
_NORMAL = (
    (re.compile(r"\x1b\[[0-9;]*m"), ""),
    (re.compile(r"^  … .*\n", re.MULTILINE), ""),  # what runs, after some seconds on a slow machine
    (re.compile(r"\b(?:[0-9a-f]{64}\b|[0-9a-f]{12}…)"), "HASH"),
    (re.compile(r"\b\d+(\.\d+)? (s|ms)\b"), "N s"),
    (re.compile(r"http://127\.0\.0\.1:\d+"), "http://127.0.0.1:PORT"),
    (re.compile(r"[ \t]+$", re.MULTILINE), ""),
)


class PageRunner:
    """The folder and the state of one page: files that blocks named, the last exit code, the last output."""

    def __init__(self, folder: Path, simulator: Simulator, *, rewrite: bool = False) -> None:
        """With `rewrite`, `rewritten` collects what outputs should say, and no difference is a failure."""
        self.folder = folder
        (folder / "examples").symlink_to(ROOT / "examples")  # as in a checkout
        self.simulator = simulator
        self.rewrite = rewrite
        self.exit_code = 0
        self.output = ""
        self.output_follows = False
        self.session: dict[str, Any] = {}
        self.rewritten: dict[Block, str] = {}

    def run(self, block: Block, following: Block | None = None) -> None:
        """Runs one block; a JSON block that follows shows its output.

        Raises: AssertionError, with the place, when it does not do what the page says.
        """
        self.output_follows = following is not None and following.language == "json" and "file" not in following.remarks
        if "skip" in block.remarks:
            return
        if block.file_name is not None:
            path = self.folder / block.file_name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")
        if "include" in block.remarks:
            assert block.text == (ROOT / block.remarks["include"]).read_text(encoding="utf-8"), block.place
            return
        if "file" in block.remarks:
            return
        runner = getattr(self, f"_{block.language}", None)
        assert runner is not None, f"{block.place}: nothing runs a `{block.language}` block; mark it: <!-- skip: … -->"
        try:
            runner(block)
        except flowdsl.FlowError as error:
            raise AssertionError(f"{block.place}: {type(error).__name__}: {error}") from error

    def _yaml(self, block: Block) -> None:
        """Checks a flow and runs it; any other YAML is only parsed, or run by the hooks it configures."""
        content = None if "wrong" in block.remarks else yaml.safe_load(block.text)
        if isinstance(content, dict) and "repos" in content:
            self._hooks(block, content)
        elif "wrong" in block.remarks:
            found = self._check(block)
            assert any(finding.severity != "note" for finding in found), f"{block.place}: this flow is not wrong"
        elif isinstance(content, dict) and "tests" in content:
            text = flowdsl.Source(block.text, str(self.folder / (block.file_name or "page.test.yaml")))
            assert not self._environment(simulated=False).check(text), block.place
        elif isinstance(content, dict) and ("blocks" in content or (block.file_name or "").endswith(".inputs.yaml")):
            assert not [f for f in self._check(block) if "blocks" in content and f.severity != "note"], block.place
        elif isinstance(content, dict) and "AI_KIT" in content:
            found = [finding for finding in self._check(block) if finding.severity != "note"]
            assert not found, f"{block.place}:\n{flowdsl.render(found)}"
        elif isinstance(content, list) or (isinstance(content, dict) and "flow" in content):
            found = [finding for finding in self._check(block) if finding.severity != "note"]
            assert not found, f"{block.place}:\n{flowdsl.render(found)}"
            if "checked" in block.remarks:  # a command of the page runs it, beside what it needs
                return
            text = flowdsl.Source(block.text, str(self.folder / "page.flow.yaml"))
            result = self._environment().run(text, _required_inputs(content))
            assert result.steps > 0, block.place
        else:
            raise AssertionError(f"{block.place}: neither a flow nor a hook configuration; mark it: <!-- skip: … -->")

    def _check(self, block: Block) -> list[flowdsl.Diagnostic]:
        return self._environment(simulated=False).check(flowdsl.Source(block.text, str(self.folder / "page.flow.yaml")))

    def _environment(self, *, simulated: bool = True) -> flowdsl.Environment:
        overrides = stand_in.overrides(self.simulator.url, self.simulator.key)
        return flowdsl.Environment(
            overrides=overrides if simulated else None,
            as_of=DAY,
            host=flowdsl.Host(secrets=lambda name: f"sk-{name}"),
            storage=flowdsl.Storage(images=self.folder / "flowdsl-images", output=self.folder / "flowdsl-output"),
        )

    def _hooks(self, block: Block, content: Mapping[str, Any]) -> None:
        hooks = [hook for repository in content["repos"] for hook in repository["hooks"]]
        assert hooks, f"{block.place}: no hook"
        for hook in hooks:
            paths = (path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*"))
            names = sorted(path for path in paths if re.search(hook["files"], path))
            assert names, f"{block.place}: no file of the page matches {hook['files']}"
            for name in [shlex.quote(name) for name in names] if hook.get("pass_filenames", True) else [""]:
                done = self._shell(f"{hook['entry']} {name}", environ=self._environ())
                assert done.returncode in (0, 1), f"{block.place}: {done.stdout}"

    def _python(self, block: Block) -> None:
        """Executes a block; one that holds tests is given to pytest. What it prints is compared to a text block."""
        if re.search("def test_|class Test", block.text):
            path = self.folder / "test_of_page.py"
            path.write_text(block.text, encoding="utf-8")
            command = f"{shlex.quote(sys.executable)} -m pytest -q -p no:cacheprovider {path.name}"
            done = self._shell(command, environ=self._environ(simulated=True))
            assert done.returncode == 0, f"{block.place}:\n{done.stdout}"
            return
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed), self._simulated_environ():
            code = compile(block.text, block.place, "exec", dont_inherit=True)
            exec(code, {"__name__": "__main__"})  # noqa: S102  our own pages
        self.output = printed.getvalue()

    def _text(self, block: Block) -> None:
        """Compares what the block above printed."""
        self._compare(block, block.text, self.output)
        self.rewritten[block] = _presentable(self.output, self.folder)

    def _pycon(self, block: Block) -> None:
        """Runs a Python session, which goes on from block to block."""
        report = io.StringIO()
        test = doctest.DocTestParser().get_doctest(block.text, self.session, block.place, block.page, block.line - 1)
        doctest.DocTestRunner(verbose=False).run(test, out=report.write, clear_globs=False)
        self.session = test.globs
        assert not report.getvalue(), report.getvalue()

    def _toml(self, block: Block) -> None:
        assert tomllib.loads(block.text), f"{block.place}: an empty TOML file"

    def _json(self, block: Block) -> None:
        """Compares the JSON that the last command above printed."""
        if self.rewrite:
            self.rewritten[block] = _presentable(json.dumps(json.loads(self.output), indent=2), self.folder)
            return
        found = json.loads(_normal(self.output, self.folder))
        assert found == json.loads(_normal(block.text, self.folder)), f"{block.place}: the output is\n{self.output}"

    def _console(self, block: Block) -> None:
        """Runs each `$` line and compares what it prints; a failing command must show its exit code."""
        steps = _commands(block)
        rewritten = ""
        for index, (command, shown) in enumerate(steps):
            rewritten += f"$ {command}\n"
            if command.startswith(NOT_RUN):
                rewritten += shown
                continue
            dated = re.sub(r"\bflowdsl (run|image|validate)\b", rf"\g<0> --as-of {DAY}", command)
            done = self._shell(f"(exit {self.exit_code}); {dated}", environ=self._environ())
            self.exit_code, self.output = done.returncode, done.stdout
            expected = index + 1 < len(steps) and steps[index + 1][0] == "echo $?"
            assert done.returncode == 0 or expected, (
                f"{block.place}: `{command}` exits with {done.returncode}\n{done.stdout}"
            )
            if index + 1 < len(steps) or not self.output_follows:
                self._compare(block, shown, done.stdout, command)
                rewritten += _presentable(done.stdout, self.folder)
        self.rewritten[block] = rewritten

    def _compare(self, block: Block, shown: str, printed: str, what: str = "the block above") -> None:
        if self.rewrite:
            return
        expected, found = (_normal(text, self.folder).strip("\n") for text in (shown, printed))
        assert found == expected, f"{block.place}: `{what}` prints\n{found}\n\nand the page shows\n{expected}"

    def _shell(self, command: str, environ: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["/bin/bash", "-c", command],
            cwd=self.folder,
            env=dict(environ),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=60,
            check=False,
        )

    def _environ(self, *, simulated: bool = False) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("OPENAI_", "AZURE_OPENAI_"))}
        kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', '')}"
        kept["PYTHONIOENCODING"] = "utf-8"
        return {**kept, **(self._services() if simulated else {})}

    def _services(self) -> dict[str, str]:
        return {
            "OPENAI_BASE_URL": self.simulator.openai_base_url,
            "OPENAI_API_KEY": self.simulator.key,
            "AZURE_OPENAI_ENDPOINT": self.simulator.azure_endpoint,
            "AZURE_OPENAI_API_KEY": self.simulator.key,
        }

    @contextlib.contextmanager
    def _simulated_environ(self) -> Any:
        """The simulator as every service, and the page's folder as the current one."""
        before = {name: os.environ.get(name) for name in self._services()}
        os.environ.update(self._services())
        sys.path.insert(0, str(self.folder))  # as for a script that stands there
        try:
            with contextlib.chdir(self.folder):
                yield
        finally:
            sys.path.remove(str(self.folder))
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value


def _commands(block: Block) -> list[tuple[str, str]]:
    """Each command of a console block with the output shown below it."""
    assert block.text.startswith("$ "), f"{block.place}: a console block starts with `$ `"
    parts = re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
    found = []
    for part in parts:
        command, _, shown = part.partition("\n")
        while command.endswith("\\"):
            more, _, shown = shown.partition("\n")
            command = f"{command}\n{more}"
        found.append((command, shown))
    return found


def _normal(text: str, folder: Path) -> str:
    text = text.replace(str(folder), _SHOWN_FOLDER)
    for pattern, replacement in _NORMAL:
        text = pattern.sub(replacement, text)
    return text


def _presentable(text: str, folder: Path) -> str:
    """An output as a page shows it: in the reader's folder, hashes shortened."""
    text = text.replace(str(folder), _SHOWN_FOLDER)
    text = re.sub(r"\b([0-9a-f]{12})[0-9a-f]{52}\b", r"\1…", text).rstrip("\n")
    return f"{text}\n" if text else ""


def _required_inputs(content: Any) -> dict[str, Any]:
    """A value for each declared input without a default: the first example or choice of its schema."""
    declared = content.get("inputs") or {} if isinstance(content, dict) else {}
    found = {}
    for name, schema in declared.items():
        if isinstance(schema, dict) and "default" not in schema:
            choices = [*schema.get("examples", ()), *schema.get("enum", ())]
            found[name] = (
                choices[0] if choices else {"integer": 3, "string": "Lisbon"}.get(schema.get("type", "string"))
            )
    return found
