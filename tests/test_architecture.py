"""The shape of the code: what is public, who imports whom, and what an import costs."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowdsl

ROOT = Path(__file__).parent.parent
STEPS = ROOT / "steps" / "flowdsl_steps"
PUBLIC_PACKAGES = ("flowdsl.template", "flowdsl.testing")
"""Packages whose public names plugins may import."""
PUBLIC_MODULES = (
    "flowdsl.diagnostics",
    "flowdsl.document.dialects",
    "flowdsl.document.dialects.task",
    "flowdsl.errors",
    "flowdsl.events",
    "flowdsl.image.formats",
    "flowdsl.image.image",
    "flowdsl.image.known_model",
    "flowdsl.image.named_file",
    "flowdsl.image.origin",
    "flowdsl.image.own_addresses",
    "flowdsl.image.own_models",
    "flowdsl.image.store",
    "flowdsl.nearest",
    "flowdsl.record",
    "flowdsl.secrets.plain",
    "flowdsl.services",
    "flowdsl.step.common_keys",
    "flowdsl.step.gather",
    "flowdsl.step.json_schema",
    "flowdsl.step.marks",
    "flowdsl.step.ordering",
    "flowdsl.step.problem",
    "flowdsl.step.rules",
    "flowdsl.step.sendable",
    "flowdsl.step.service",
    "flowdsl.step.spec",
    "flowdsl.step.standard_input",
    "flowdsl.step.step",
    "flowdsl.step.step_context",
    "flowdsl.syntax.edits",
    "flowdsl.syntax.fixes",
    "flowdsl.syntax.opened",
    "flowdsl.syntax.quoting",
    "flowdsl.syntax.scalars",
    "flowdsl.template.chance",
    "flowdsl.template.foreign",
    "flowdsl.template.json_text",
    "flowdsl.template.limits",
    "flowdsl.template.members",
    "flowdsl.template.nodes",
    "flowdsl.template.problems",
    "flowdsl.template.regex",
    "flowdsl.template.syntax",
    "flowdsl.template.values",
)
"""Modules whose public names plugins may import; all but `step` are light, so that capability checks stay light."""
HEAVY = ("PIL", "_hashlib", "asyncio", "h11", "httpx", "jsonschema", "lark", "pydantic", "regex", "uvicorn")


def imported_names() -> Iterator[tuple[str, str, str]]:
    """File, module and name of everything the standard steps import from flowdsl."""
    for path in sorted(STEPS.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            where = str(path.relative_to(STEPS))
            if isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.split(".")[0] == "flowdsl":
                        yield where, alias.name, ""
            elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "flowdsl":
                for alias in node.names:
                    yield where, node.module or "", alias.name


def is_public(module: str, name: str) -> bool:
    if module == "flowdsl":
        return name in ("", "__version__", *flowdsl.__all__)
    if module not in (*PUBLIC_PACKAGES, *PUBLIC_MODULES):
        return False
    public = getattr(importlib.import_module(module), "__all__", None)
    return name in public if public is not None else not name.startswith("_")


@pytest.mark.long
def test_the_standard_steps_import_public_names_only() -> None:
    assert [found for found in imported_names() if not is_public(found[1], found[2])] == []


def test_every_public_name_is_listed_sorted_and_importable() -> None:
    assert list(flowdsl.__all__) == sorted(set(flowdsl.__all__), key=lambda name: (name.lower(), name))
    names = [name for names in flowdsl._HOMES.values() for name in names.split()]
    assert sorted(names) == sorted(flowdsl.__all__)
    assert [name for name in flowdsl.__all__ if not hasattr(flowdsl, name)] == []
    assert dir(flowdsl) == sorted([*flowdsl.__all__, "__version__"])


def test_type_checkers_see_every_public_name() -> None:
    tree = ast.parse((ROOT / "flowdsl" / "__init__.pyi").read_text(encoding="utf-8"))
    typed = {
        alias.asname: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    modules = {name: f"flowdsl.{name}" for name in ("template", "testing")}
    assert typed == modules | {name: f"{module}.{name}" for name, module in flowdsl._HOME.items()}


@pytest.mark.long
def test_type_checkers_report_a_name_that_does_not_exist_and_nothing_in_the_host_script(tmp_path: Path) -> None:
    """One start of mypy for both, as it reads the whole package each time."""
    (tmp_path / "wrong.py").write_text(
        "import flowdsl\n\n"
        "flowdsl.nosuch\n"
        "flowdsl.run('a.flow.yaml').nosuch\n"
        "flowdsl.run('a.flow.yaml').images[0].path\n"
        "import flowdsl.template\n\n"
        "flowdsl.template.nosuch\n"
        "flowdsl.template.SecretText('x').nosuch\n"
        "flowdsl.template.exposed(1, 'real').nosuch\n",
        encoding="utf-8",
    )
    script = ROOT / "docs" / "examples" / "host.py"
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", os.devnull, "wrong.py", str(script)],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.stdout.splitlines() == [
        'wrong.py:3: error: Module has no attribute "nosuch"  [attr-defined]',
        'wrong.py:4: error: "Result" has no attribute "nosuch"  [attr-defined]',
        'wrong.py:8: error: Module has no attribute "nosuch"  [attr-defined]',
        'wrong.py:9: error: "SecretText" has no attribute "nosuch"  [attr-defined]',
        'wrong.py:10: error: "int" has no attribute "nosuch"  [attr-defined]',
        "Found 5 errors in 1 file (checked 2 source files)",
    ]


def test_importing_the_public_surface_imports_nothing_else() -> None:
    program = "import sys; before = set(sys.modules); import flowdsl; print(sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False)
    assert (done.stderr, done.stdout.strip()) == ("", "['flowdsl']")


def test_every_public_name_is_documented() -> None:
    kinds = {name: value for name in flowdsl.__all__ if isinstance(value := getattr(flowdsl, name), type)}
    functions = {
        name: getattr(flowdsl, name)
        for name in ("arun", "batch", "check", "gather", "holds", "load", "render", "run", "step_schema")
    }
    assert [name for name, value in {**kinds, **functions}.items() if not (value.__doc__ or "").strip()] == []
    aliases = set(flowdsl.__all__) - set(kinds) - set(functions)
    assert aliases == {"ASKED", "Event", "Execute", "FlowText", "OnEvent", "OpenTransport", "Written"}
    assert [name for name in sorted(aliases) if not documented_alias(name)] == []


def documented_alias(name: str) -> bool:
    """Whether the line behind a type alias is a docstring."""
    path = ROOT / (flowdsl._HOME[name].replace(".", "/") + ".py")
    body = ast.parse(path.read_text(encoding="utf-8")).body
    places = [i for i, node in enumerate(body) if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == name]
    following = body[places[0] + 1 : places[0] + 2]
    return bool(following) and isinstance(following[0], ast.Expr) and isinstance(following[0].value, ast.Constant)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match=r"^module 'flowdsl' has no attribute 'Flaw'$"):
        _ = flowdsl.Flaw


@pytest.mark.parametrize(
    ("program", "imported"),
    [
        ("import flowdsl", []),
        ("import flowdsl; assert flowdsl.check(SIMPLE, environment=flowdsl.Environment(as_of=DAY)) == []", []),
        ("import flowdsl; assert flowdsl.render(flowdsl.check(WRONG))", []),
    ],
    ids=["import", "check", "check with findings"],
)
def test_checking_imports_nothing_heavy(program: str, imported: list[str], tmp_path: Path) -> None:
    simple = (ROOT / "tests" / "golden" / "ok" / "smallest_with_live_model.yaml").read_text(encoding="utf-8")
    text = (
        f"import sys, json, datetime\nDAY = datetime.date(2026, 11, 21)\nSIMPLE = {simple!r}\n"
        f"WRONG = SIMPLE.replace('n: 2', 'n: 20')\n{program}\n"
        f"print(json.dumps([name for name in {HEAVY!r} if name in sys.modules]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", text], capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path
    )
    assert (done.stderr, done.stdout and json.loads(done.stdout)) == ("", imported)


def test_imports_go_downwards_only(tmp_path: Path) -> None:
    linter = Path(sys.executable).parent / "lint-imports"
    done = subprocess.run(
        [str(linter), "--no-cache"], capture_output=True, text=True, timeout=120, check=False, cwd=ROOT
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Contracts: 2 kept, 0 broken." in done.stdout


def test_everything_is_caught_only_where_foreign_code_is_called() -> None:
    found = [
        path.relative_to(ROOT).as_posix()
        for folder in (ROOT / "flowdsl", STEPS)
        for path in sorted(folder.rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if line.strip().startswith(("except Exception", "except (Exception", "except ODD"))
    ]
    assert found == [
        "flowdsl/checker/options.py",
        "flowdsl/cli/__init__.py",
        "flowdsl/engine/execute.py",
        "flowdsl/engine/execute.py",
        "flowdsl/engine/frame.py",
        "flowdsl/engine/own_loop.py",
        "flowdsl/engine/resolvers.py",
        "flowdsl/engine/resources.py",
        "flowdsl/engine/result.py",
        "flowdsl/entry_points.py",
        "flowdsl/errors.py",
        "flowdsl/flowtest/run.py",
        "flowdsl/step/gather.py",
        "flowdsl/step/spec.py",
        "flowdsl/telemetry/spans.py",
        "flowdsl/template/taint.py",
        "flowdsl/testing/recording.py",
        "steps/flowdsl_steps/http/host_transport.py",
        "steps/flowdsl_steps/http/host_transport.py",
        "steps/flowdsl_steps/image/vendor_edge.py",
        "steps/flowdsl_steps/image/vendor_edge.py",
        "steps/flowdsl_steps/image/vendor_edge.py",
        "steps/flowdsl_steps/image/vendor_edge.py",
    ]


def test_the_interpreter_names_no_vendor_and_no_setting_of_one() -> None:
    from flowdsl.services import SETTINGS, all_settings

    words = {"openai", "azure", "hub", *(name.lower() for name in all_settings().keys() - SETTINGS.keys())}
    found = [
        (path.relative_to(ROOT).as_posix(), word)
        for path in sorted((ROOT / "flowdsl").rglob("*.py"))
        if path.relative_to(ROOT / "flowdsl").parts[0] != "cli"
        for word in words & set(re.findall(r"[a-z_]+", path.read_text(encoding="utf-8").lower()))
        if word not in ("credentials", "location", "profile", "project", "region", "target")  # ordinary words, too
    ]
    assert found == []
