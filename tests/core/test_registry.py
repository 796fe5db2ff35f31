"""The registry: plugins found by their entry points, and step classes that cannot be."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import annotated_types
import pytest
from pydantic import Field

import flowdsl
from flowdsl import Conflicts, Environment, PluginError, Step, StepContext, Written
from flowdsl.step import index
from flowdsl.step.index import read_index
from flowdsl.step.spec import StepSpec

STEP = '''
from flowdsl import Step

class {cls}(Step, name="{name}", outputs=("text",)):
    """Say where it comes from."""

    def run(self, ctx):
        return {{"text": "from {cls}"}}
'''
PROGRAM = """
import sys
import flowdsl
from flowdsl import Environment, PluginError
try:
    {body}
except PluginError as error:
    print(f"PluginError: {{error}}")
"""


def plugin(folder: Path, name: str, target: str, **modules: str) -> None:
    """Installs a plugin by hand: its metadata and its package."""
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n", encoding="utf-8")
    (metadata / "entry_points.txt").write_text(
        f"[console_scripts]\nx = y:z\n\n[flowdsl.steps]\n{name} = {target}\n", encoding="utf-8"
    )
    package = folder / target.partition(":")[0]
    package.mkdir(exist_ok=True)
    (package / "__init__.py").touch()
    for module, text in modules.items():
        (package / f"{module}.py").write_text(text, encoding="utf-8")


def write_index(package: Path, *entries: Mapping[str, Any]) -> None:
    """Gives a package an index of these entries."""
    index = {"aliases": {}, "steps": {entry["name"]: entry for entry in entries}}
    (package / "index.json").write_text(json.dumps(index), encoding="utf-8")


def printed(folder: Path, body: str) -> str:
    """What a fresh interpreter prints that finds the plugins of a folder."""
    program = f"import sys; sys.path.insert(0, {str(folder)!r})\n" + PROGRAM.format(body=body)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr == ""
    return done.stdout.strip()


def test_the_steps_of_an_installed_plugin_are_there(tmp_path: Path) -> None:
    plugin(tmp_path, "hello", "hello_steps", greet=STEP.format(cls="Greet", name="GREET"))
    body = 'print("GREET" in Environment().registry, flowdsl.run("- step: GREET\\n").outputs)'
    assert printed(tmp_path, body) == "True {'text': 'from Greet'}"


def test_one_class_may_be_named_by_the_entry_point(tmp_path: Path) -> None:
    text = STEP.format(cls="Greet", name="GREET") + STEP.format(cls="Other", name="OTHER")
    plugin(tmp_path, "hello", "hello_steps:Greet")
    (tmp_path / "hello_steps" / "__init__.py").write_text(text, encoding="utf-8")
    body = 'print([name in Environment().registry for name in ("GREET", "OTHER")])'
    assert printed(tmp_path, body) == "[True, False]"


def test_a_plugin_with_an_index_is_checked_without_its_code(tmp_path: Path) -> None:
    from flowdsl.step.step import spec_of

    class Greet(Step, name="GREET", outputs=("text",)):
        """Say hello."""

        n: int = Field(default=1, le=3)
        """How often."""

        def run(self, ctx: StepContext) -> Written:
            return {"text": "from the test"}

    entry = {**spec_of(Greet).to_index(), "qualname": "hello_steps.greet:Greet"}
    code = STEP.format(cls="Greet", name="GREET") + "    n: int = 1\n"
    plugin(tmp_path, "hello", "hello_steps", greet=code)
    write_index(tmp_path / "hello_steps", entry)
    body = (
        'print([f.message for f in flowdsl.check("- step: GREET\\n  n: 4\\n")], "hello_steps" in sys.modules, '
        'flowdsl.run("- step: GREET\\n  n: 2\\n").outputs)'
    )
    assert printed(tmp_path, body) == "['`n` is 4, and must be at most 3'] False {'text': 'from Greet'}"


def test_the_command_writes_the_index_of_a_package_and_the_check_reads_it(tmp_path: Path) -> None:
    """The package lies below another one, and is found without importing either."""
    text = STEP.format(cls="Greet", name="GREET").replace("outputs=", "aliases=('HELLO',), outputs=")
    (tmp_path / "harbour").mkdir()
    plugin(tmp_path, "hello", "harbour/steps", greet=text)
    (tmp_path / "hello-1.0.dist-info" / "entry_points.txt").write_text("[flowdsl.steps]\nhello = harbour.steps\n")
    body = 'print(flowdsl.cli.main(["schema", "--index", "harbour.steps"]), "harbour.steps.greet" in sys.modules)'
    written, code = printed(tmp_path, f"import flowdsl.cli; {body}").splitlines()
    assert (written, code) == (f"1 file in {tmp_path}/harbour/steps, 1 written, 0 removed", "0 True")
    body = (
        'print([(f.code, f.hint) for f in flowdsl.check("- step: HELLO\\n")], "harbour" in sys.modules, '
        'flowdsl.run("- step: GREET\\n").outputs)'
    )
    assert printed(tmp_path, body) == "[('deprecated-alias', 'write `GREET`')] False {'text': 'from Greet'}"


def test_a_package_in_an_archive_may_ship_an_index(tmp_path: Path) -> None:
    plugin(tmp_path / "made", "hello", "hello_steps", greet=STEP.format(cls="Greet", name="GREET"))
    with zipfile.ZipFile(tmp_path / "hello.zip", "w") as archive:
        for name in ("__init__.py", "greet.py"):
            archive.write(tmp_path / "made" / "hello_steps" / name, f"hello_steps/{name}")
        archive.writestr("other_steps/__init__.py", "")
        archive.writestr("other_steps/index.json", '{"aliases": {}, "steps": {"X": {}}}')
    sys.path.insert(0, str(tmp_path / "hello.zip"))
    try:
        found = [read_index(name) for name in ("hello_steps", "other_steps", "no_steps")]
    finally:
        sys.path.remove(str(tmp_path / "hello.zip"))
    assert [each and dict(each.entries) for each in found] == [None, {"X": "{}"}, None]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "ValueError: it is not JSON", id="empty"),
        pytest.param("[]", "ValueError: it is not one JSON object", id="list"),
        pytest.param("{}", "KeyError: 'steps'", id="no steps"),
        pytest.param('{"steps": {}} {}', "ValueError: it is not one JSON object", id="two objects"),
    ],
)
def test_an_invalid_index_is_reported(tmp_path: Path, text: str, reason: str) -> None:
    plugin(tmp_path, "bad", "bad_steps")
    (tmp_path / "bad_steps" / "index.json").write_text(text, encoding="utf-8")
    assert printed(tmp_path, "Environment().registry") == (
        f"PluginError: the steps plugin `bad` cannot be loaded from bad_steps: {reason}"
    )


def test_an_entry_of_another_version_says_what_to_do(tmp_path: Path) -> None:
    plugin(tmp_path, "old", "old_steps")
    write_index(tmp_path / "old_steps", {**StepSpec("GREET", qualname="old_steps:Greet", keys={}).to_index(), "x": 1})
    assert printed(tmp_path, 'flowdsl.check("- step: GREET\\n")') == (
        "PluginError: the index entry of the step GREET cannot be read (TypeError: StepSpec.__init__() got an "
        "unexpected keyword argument 'x'): write the index of its package again with `flowdsl schema --index PACKAGE`"
    )


def test_a_step_without_a_run_fails_at_class_creation() -> None:
    with pytest.raises(PluginError) as raised:

        class Idle(Step, name="IDLE"):
            """Do nothing."""

    assert str(raised.value) == "IDLE: Idle has no `run`: define `def run(self, ctx): …`"


@pytest.mark.parametrize("indexed", [False, True])
def test_a_step_of_two_plugins_is_refused(tmp_path: Path, indexed: bool) -> None:
    plugin(tmp_path, "one", "one_steps", greet=STEP.format(cls="Greet", name="GREET"))
    if indexed:
        entry = StepSpec("GREET", qualname="two_steps.greet:Greet", keys={}).to_index()
        plugin(tmp_path, "two", "two_steps")
        write_index(tmp_path / "two_steps", entry)
    else:
        plugin(tmp_path, "two", "two_steps", greet=STEP.format(cls="Greet", name="GREET"))
    assert printed(tmp_path, "Environment().registry") == (
        "PluginError: the step GREET is defined by two plugins, `one` and `two`"
    )


@pytest.mark.parametrize(
    ("target", "code", "reason"),
    [
        ("bad_steps", "import nowhere_at_all", "No module named 'nowhere_at_all'"),
        ("bad_steps", "1 / 0", "ZeroDivisionError: division by zero"),
        ("bad_steps:Missing", "", "AttributeError: module 'bad_steps' has no attribute 'Missing'"),
        (
            "bad_steps",
            "from flowdsl import Step\nclass Low(Step, name='low'):\n    pass",
            'Low: a step needs an upper-case name, for example class Low(Step, name="MY_STEP")',
        ),
    ],
)
def test_a_plugin_that_breaks_is_named(tmp_path: Path, target: str, code: str, reason: str) -> None:
    plugin(tmp_path, "bad", target, module=code)
    assert printed(tmp_path, "Environment().registry") == (
        f"PluginError: the steps plugin `bad` cannot be loaded from {target}: {reason}"
    )


def test_an_entry_point_that_names_no_step_is_reported(tmp_path: Path) -> None:
    plugin(tmp_path, "bad", "bad_steps:__name__")
    assert printed(tmp_path, "Environment().registry") == (
        "PluginError: the steps plugin `bad` names bad_steps:__name__, which is not a step class"
    )


def test_no_plugin_at_all_says_how_to_install_the_standard_steps(tmp_path: Path) -> None:
    body = f"import flowdsl.environment, importlib.metadata; sys.path[:] = [{str(tmp_path)!r}]; Environment().registry"
    assert printed(tmp_path, body) == (
        "PluginError: no steps are installed, not even the standard ones: run `pip install -e .` (or reinstall flowdsl)"
    )


class OtherSet(Step, name="SET", outputs=("text",), aliases=("OLD_SET",), replaces=True):
    """Take the place of the standard SET."""

    def run(self, ctx: StepContext) -> Written:
        return {"text": "other"}


def test_a_step_of_the_host_takes_the_place_of_an_installed_one() -> None:
    environment = Environment(steps=[OtherSet])
    assert environment.run("- step: SET\n").outputs == {"text": "other"}
    assert flowdsl.run("- step: SET\n  a: 1\n").outputs == {"a": 1}
    assert sorted(environment.registry) == sorted(Environment().registry)


def test_an_old_name_works_and_is_noted() -> None:
    environment = Environment(steps=[OtherSet])
    (finding,) = environment.check("- step: OLD_SET\n")
    assert (finding.severity, finding.code, finding.hint) == ("note", "deprecated-alias", "write `SET`")
    assert environment.run("- step: OLD_SET\n").outputs == {"text": "other"}


def test_what_is_no_step_class_is_refused() -> None:
    with pytest.raises(PluginError, match=r"^<class 'int'> is not a step: subclass flowdsl\.Step$"):
        _ = Environment(steps=[int]).registry  # type: ignore[list-item]  # the mistake under test


@pytest.mark.parametrize("name", ["low", "1X", "A-B", "", "Ä"])
def test_a_bad_name_fails_at_class_creation(name: str) -> None:
    with pytest.raises(PluginError) as raised:

        class Bad(Step, name=name):
            """A step."""

    assert str(raised.value) == 'Bad: a step needs an upper-case name, for example class Bad(Step, name="MY_STEP")'


def test_a_rule_that_names_an_unknown_key_fails_at_class_creation() -> None:
    with pytest.raises(PluginError) as raised:

        class Bad(Step, name="BAD", rules=(Conflicts("a", "b"),)):
            """A step."""

            a: str | None = None

    assert str(raised.value) == "BAD: the rule Conflicts('a', 'b') names the key `b`, which the step does not have"


@pytest.mark.parametrize("bound", [annotated_types.Gt(0), annotated_types.Lt(9)])
def test_an_exclusive_bound_fails_at_class_creation(bound: Any) -> None:
    with pytest.raises(PluginError) as raised:

        class Bad(Step, name="BAD"):
            """A step."""

            a: Annotated[int, bound] = 1

    assert str(raised.value) == "field `a`: use ge and le; bounds are inclusive in the language"


def test_an_unknown_class_argument_fails_at_class_creation() -> None:
    with pytest.raises(PluginError) as raised:

        class Bad(Step, name="BAD", output=("text",)):
            """A step."""

    assert str(raised.value) == "Bad: unknown class argument output, did you mean `outputs`?"


def test_a_text_in_place_of_a_tuple_fails_at_class_creation() -> None:
    with pytest.raises(PluginError) as raised:

        class Bad(Step, name="BAD", outputs="text"):
            """A step."""

    assert str(raised.value) == "Bad: outputs takes a tuple: outputs=('text',)"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "raise ValueError('broken words')\n",
            "cannot be loaded from hello_steps.foreign_words: ValueError: broken words",
        ),
        ("import not_there\n", "cannot be loaded from hello_steps.foreign_words: No module named 'not_there'"),
        (
            "STEPS = {'GREETING': '=GREET'}\n",
            "Word(name='GREET', hint=None, goes=False, times=1, beside=None, of_loop=False, lifted=False)",
        ),
        (None, "None"),
        *(
            (table, "cannot be loaded from hello_steps.foreign_words: TypeError: one of its tables " + said)
            for table, said in (
                ("STEPS = ['a']\n", "is no dict: STEPS"),
                ("NAMES = None\n", "is no dict: NAMES"),
                ("STEP_PARTS = 3\n", "is no list: STEP_PARTS"),
                ("KEYS = (pair for pair in [(('A',), {})])\n", "is no list: KEYS"),
                (
                    "KEYS = [('ABC', {'a': 'b'})]\n",
                    "has another shape than those of flowdsl_steps: 'ABC' stands where a list of names should",
                ),
                (
                    "TIMES = {'secs': 3}\n",
                    "has another shape than those of flowdsl_steps: cannot unpack non-iterable int object",
                ),
                ("NAMES = {'a': 3}\n", "holds what is no text: ('a', 3)"),
            )
        ),
    ],
    ids=[
        "broken",
        "missing import",
        "good",
        "none",
        "no map",
        "null",
        "no pairs",
        "generator",
        "one text",
        "no number",
        "no text",
    ],
)
def test_foreign_words_of_a_plugin_that_cannot_be_read_are_a_fault_of_it(
    words: str | None, said: str, tmp_path: Path
) -> None:
    modules = {} if words is None else {"foreign_words": words}
    plugin(tmp_path, "hello", "hello_steps", greet=STEP.format(cls="Greet", name="GREET"), **modules)
    shown = printed(tmp_path, "from flowdsl.step.foreign import step_word; print(step_word('GREETING'))")
    assert shown.endswith(said)
    assert shown.startswith("PluginError: the steps plugin `hello` ") == ("cannot" in said)


def test_an_index_is_read_by_a_python_whose_scanner_asks_for_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(index._Plain, "strict")
    assert index._scanner()('{"a": [1]}', 0) == ({"a": [1]}, 10)
