"""The registry: plugins found by their entry points, and step classes that cannot be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Annotated, Any

import annotated_types
import pytest
from pydantic import Field

import flowdsl
from flowdsl import Conflicts, Environment, PluginError, Step, StepContext, Written

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
    plugin(tmp_path, "hello", "hello_steps", greet=code, index=f"STEPS = ({entry!r},)\n")
    body = (
        'print([f.message for f in flowdsl.check("- step: GREET\\n  n: 4\\n")], "hello_steps.greet" in sys.modules, '
        'flowdsl.run("- step: GREET\\n  n: 2\\n").outputs)'
    )
    assert printed(tmp_path, body) == "['`n` is 4, and must be at most 3'] False {'text': 'from Greet'}"


def test_a_step_without_a_run_fails_at_class_creation() -> None:
    with pytest.raises(PluginError) as raised:

        class Idle(Step, name="IDLE"):
            """Do nothing."""

    assert str(raised.value) == "IDLE: Idle has no `run`: define `def run(self, ctx): …`"


@pytest.mark.parametrize("indexed", [False, True])
def test_a_step_of_two_plugins_is_refused(tmp_path: Path, indexed: bool) -> None:
    plugin(tmp_path, "one", "one_steps", greet=STEP.format(cls="Greet", name="GREET"))
    if indexed:
        from flowdsl.step.spec import StepSpec

        entry = StepSpec("GREET", qualname="two_steps.greet:Greet", keys={}).to_index()
        plugin(tmp_path, "two", "two_steps", index=f"STEPS = ({entry!r},)\n")
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


def test_an_entry_point_that_names_no_step_is_told(tmp_path: Path) -> None:
    plugin(tmp_path, "bad", "bad_steps:__name__")
    assert printed(tmp_path, "Environment().registry") == (
        "PluginError: the steps plugin `bad` names bad_steps:__name__, which is not a step class"
    )


def test_no_plugin_at_all_says_how_to_install_the_standard_steps(tmp_path: Path) -> None:
    body = f"import flowdsl.environment, importlib.metadata; sys.path[:] = [{str(tmp_path)!r}]; Environment().registry"
    assert printed(tmp_path, body) == (
        "PluginError: no steps are installed, not even the standard ones: run `pip install -e .` (or reinstall flowdsl)"
    )


class OtherSet(Step, name="SET", outputs=("text",), aliases=("OLD_SET",)):
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
