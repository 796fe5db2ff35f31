"""What a plugin's classes say of themselves in another shape is refused where it is said, with what would be right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import ConfigError, Environment, PluginError


def step(**declared: Any) -> type[flowdsl.Step]:
    class Odd(flowdsl.Step, **{"name": "ODD", "outputs": ("text",), **declared}):
        """A step."""

        key: str = "a"
        """A key."""

        def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
            """Gives a text."""
            return {"text": "a"}

    return Odd


ODD = [None, 5, True, 3.5, b"x", object(), int, [5], [None], [["a"]], {"a": 5}, {5: "a"}, {"a": None}, "a", len, ...]
ARGUMENTS = (
    *("aliases", "rules", "inputs", "outputs", "service", "provider", "environment", "check", "writes_to", "category"),
    *("deprecated_keys", "examples", "blocking", "replaces", "flow", "name"),
)


@pytest.mark.parametrize("argument", ARGUMENTS)
def test_a_step_that_says_something_of_an_odd_shape_is_refused_at_class_creation_or_works(argument: str) -> None:
    for value in ODD:
        try:
            made = step(**{argument: value})
            environment = Environment(settings=None, steps=[made])
            environment.check("- {step: ODD, keyy: 1, out: x}\n")
            environment.load("- {step: ODD}\n").run()
        except (PluginError, ConfigError) as error:  # of the declaration; of the service that is not configured
            assert isinstance(error, PluginError) or argument == "service"


def test_a_capability_check_that_fails_is_a_fault_of_the_plugin() -> None:
    for check, said in ((len, "failed: TypeError"), (lambda options: [5], "gave a int, and not a Problem")):
        with pytest.raises(PluginError, match=said):
            Environment(settings=None, steps=[step(check=check)]).check("- {step: ODD}\n")


@pytest.mark.parametrize(
    ("argument", "value", "said"),
    [
        ("aliases", None, 'aliases takes a tuple of texts, for example ("a", "b"), not None'),
        ("rules", ["a"], 'rules takes a tuple of rules, for example (AtLeastOne("a", "b"),), not list'),
        ("inputs", 5, 'inputs takes a tuple of types or Ports, for example ("text", Port("image")), not 5'),
        (
            "outputs",
            {"text": 1},
            'outputs takes a tuple of types or Ports, for example ("text", Port("image")), not dict',
        ),
        (
            "environment",
            {"apiKey": "IMAGES_KEY"},
            'environment takes a dict from a name to a tuple of texts, for example {"apiKey": ("IMAGES_KEY",)}, not ',
        ),
        ("check", 5, "check takes a function of the options, or its `module:name`, not 5"),
        ("blocking", "yes", "blocking takes True or False, not 'yes'"),
    ],
)
def test_what_would_be_right_is_said(argument: str, value: Any, said: str) -> None:
    with pytest.raises(PluginError) as raised:
        step(**{argument: value})
    assert str(raised.value).startswith(f"Odd: {said}")


def test_an_output_key_that_the_step_does_not_have_is_refused() -> None:
    with pytest.raises(PluginError, match="ODD: writes_to names the key `outputKey`, which the step does not have"):
        step(writes_to="outputKey")


def test_a_generator_is_read_once_and_kept() -> None:
    made = step(outputs=(name for name in ["text", "list"]), aliases=iter(["SERVICE_ODD"]))
    environment = Environment(settings=None, steps=[made])
    assert environment.run("- {step: SERVICE_ODD}\n").outputs == {"text": "a"}
    assert environment.run("- {step: ODD}\n").outputs == {"text": "a"}


VENDOR = """
class Vendor:
    name = "odd"
    title = "Odd"
    hosts = ()
    settings = ()
    other_names = {}
    environment = {}
    def models(self, as_of=None):
        return ()
VENDOR = Vendor()
"""
DIALECT = """
from flowdsl import Dialect
class Odd(Dialect):
    reads_text = True
    def recognises(self, source, root):
        return True
    def read(self, source):
        return 5
"""


@pytest.mark.parametrize(
    ("group", "module", "said"),
    [
        (
            "image_vendors",
            VENDOR.replace("settings = ()", "settings = None"),
            "its `settings` takes a tuple of Keys, for example ",
        ),
        ("image_vendors", VENDOR.replace("settings = ()", "settings = ('shade',)"), "a tuple of Keys, for example "),
        (
            "image_vendors",
            VENDOR.replace("environment = {}", "environment = {'apiKey': 'KEY'}"),
            "its `environment` takes a dict from a name to a tuple of texts, for example ",
        ),
        (
            "image_vendors",
            VENDOR.replace("other_names = {}", "other_names = ['a']"),
            "its `other_names` takes a dict of texts, not list",
        ),
        (
            "image_vendors",
            VENDOR.replace("hosts = ()", "hosts = iter(['a'])"),
            "its `hosts` takes a tuple of texts, for example",
        ),
        (
            "image_vendors",
            VENDOR.replace("hosts = ()", "hosts = ('',)"),
            "its `hosts` takes a tuple of texts, for example",
        ),
        ("image_vendors", "VENDOR = 5\n", "its `name` is None, and not that of its entry point"),
        ("dialects", DIALECT, "fails in `read`: TypeError: it gave an int, and not a node"),
        ("dialects", DIALECT.replace("reads_text = True", "form = 'poem'"), "form is flow or kit"),
        (
            "dialects",
            DIALECT.replace("reads_text = True", "lower = lambda self, root, findings: 5"),
            "it gave an int in place of a Node",
        ),
        ("dialects", DIALECT.replace("reads_text = True", "__init__ = lambda self, a: None"), "cannot be loaded"),
    ],
    ids=[
        *("no settings", "names for settings", "a text for variables", "a list for a dict"),
        *("a list that is read once", "an empty name", "no vendor"),
        *("no nodes", "no form", "a number for a node", "no argument"),
    ],
)
def test_a_vendor_or_dialect_of_an_odd_shape_is_a_fault_of_the_plugin(
    group: str, module: str, said: str, tmp_path: Path
) -> None:
    (tmp_path / "odd_plugin.py").write_text(module)
    metadata = tmp_path / "odd-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Name: odd\nVersion: 1.0\n")
    target = "odd_plugin:VENDOR" if group == "image_vendors" else "odd_plugin:Odd"
    (metadata / "entry_points.txt").write_text(f"[flowdsl.{group}]\nodd = {target}\n")
    flow = "poem: 1" if group == "dialects" else "- {step: OPENAI_IMAGE_GENERATION, servce: x, service: GATE}\n"
    code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import flowdsl; flowdsl.check({flow + chr(10)!r})"
    if group == "image_vendors":
        code += "; flowdsl.Environment(services={'A': {'shade': 1}})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr.splitlines()[-1].startswith("flowdsl.errors.PluginError: ")
    assert said in done.stderr
