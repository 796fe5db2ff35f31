"""Fuzzing: documents that Hypothesis makes, and mutations of every YAML file we have.

`check` raises nothing but its own errors, and what it accepts loads and runs, on stubs, without a load error.
Run it long with `python tests/fuzz/fuzz_check.py [N] [SEED]`: N documents of each kind (20,000).
"""

from __future__ import annotations

import os
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import yaml
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

import flowdsl
from flowdsl.step.step import Written, spec_of
from flowdsl.step.step_context import StepContext

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "tests"))
from scenario_steps import STEPS  # noqa: E402  it stands beside this folder

STUBBED = frozenset({"Image", "Files", "Services", "User interface"})
"""The categories of steps that reach a service, a file or a person."""
VALUES = {
    "string": "text",
    "integer": 2,
    "number": 1.5,
    "boolean": True,
    "array": ["a", "b"],
    "object": {"a": 1},
}


def stubs() -> list[type[flowdsl.Step]]:
    """Steps that take what the real ones take, wait for nothing and reach nothing."""
    registry = flowdsl.Environment().registry
    found = []
    for name in registry:
        spec = registry.spec(name)
        assert spec is not None
        if spec.category in STUBBED or name == "SLEEP":
            found.append(_stub(registry.step_class(name)))
    return found


def _stub(cls: type[flowdsl.Step]) -> type[flowdsl.Step]:
    spec = spec_of(cls)
    written: dict[str, Any] = {"text": "a response", "object": {}, "json": {}, "list": [], "imageList": [], "blob": b""}

    def run(self: flowdsl.Step, ctx: StepContext) -> Written:
        return {port.type: written.get(port.type) for port in spec.outputs}

    body = {"run": run, "compile": classmethod(lambda own, site: None), "__module__": __name__, "__doc__": cls.__doc__}
    metaclass: Any = type(cls)
    made: type[flowdsl.Step] = metaclass(
        f"Stub{cls.__name__}", (cls,), body, name=spec.name, aliases=spec.aliases, replaces=True
    )
    return made


class Fuzzer:
    """Checks documents, runs what is accepted, and counts what came of it."""

    def __init__(self) -> None:
        limits = flowdsl.Limits(steps=300, timeout_s=2)
        self.environment = flowdsl.Environment(
            steps=[*stubs(), *STEPS],
            limits=limits,
            host=flowdsl.Host(secrets=lambda name: "s", sink=lambda name, payload: None),
        )
        self.counts: Counter[str] = Counter()
        self.bugs: list[str] = []

    def accepts(self, text: str) -> bool:
        """Whether a document has no errors."""
        found = self.environment.check(flowdsl.Source(text, "<fuzz>"))
        return not any(finding.severity == "error" for finding in found)

    def look(self, text: str) -> None:
        """Checks one document, and runs it when it is accepted."""
        self.counts["documents"] += 1
        try:
            self._look(text)
        except Exception:  # noqa: BLE001  finding what else is raised is the purpose
            self.bugs.append(f"{traceback.format_exc()}\n{text}")

    def _look(self, text: str) -> None:
        source = flowdsl.Source(text, "<fuzz>")
        diagnostics = self.environment.check(source)
        flowdsl.render(diagnostics)
        if any(found.severity == "error" for found in diagnostics):
            self.counts["refused"] += 1
            return
        self.counts["accepted"] += 1
        for action in _actions(self.environment, source):
            flow = self.environment.load(source, action=action)
            flow.prepare()
            self._run(flow)

    def _run(self, flow: flowdsl.Flow) -> None:
        self.counts["runs"] += 1
        try:
            flow.run(_inputs(flow))
            self.counts["done"] += 1
        except flowdsl.RunError as error:
            self.counts[f"ended by {type(error).__name__}"] += 1
            if error.code in ("template-syntax", "unknown-filter", "unknown-test", "step-crashed"):
                self.bugs.append(f"{error.code}: {error}\n{flow.document.source.text}")


def _actions(environment: flowdsl.Environment, source: flowdsl.Source) -> Iterator[str | None]:
    """What can be run of a document: itself, each action of a kit by its name, nothing of a module."""
    checked = environment.examined(source).file
    assert checked is not None
    if checked.kind == "flow":
        yield None
    for document in checked.documents if checked.kind == "kit" else ():
        name = document.id or document.title
        if name:
            yield name


def _inputs(flow: flowdsl.Flow) -> dict[str, Any]:
    declared = flow.document.inputs or {}
    found: dict[str, Any] = {}
    for name, declaration in declared.items():
        if not declaration.has_default:
            kind = declaration.schema.get("type")
            found[name] = VALUES.get(kind, "text") if isinstance(kind, str) else "text"
    return found


WORDS = """
step text name expression raw_text steps condition test then else switch cases default var items
start end by do collect collectKey concurrency max try catch finally when retry message code ref
delay instruction n model size outputKey inputs outputs monitorLabel id in filename url flow blocks
constants vars flows imports from as title undefined onError services AI_KIT SECTIONS section
actions TEMPLATES BLOCKS convertTo notification payload type a b c
"""
KEYS = tuple(WORDS.split())
"""Keys of steps and documents."""
TEXTS = (
    "",
    "x",
    "a",
    "text",
    "false",
    "yes",
    "{{ flowContext.a }}",
    "{{ flowContext.text | upper }}",
    "{{ flowContext.b + 1 }}",
    "{{ [1, 2] }}",
    "{{ flowContext.a.b[0] }}",
    "{{ inputs.a }}",
    "{{ local.vars.a }}",
    "{{ local.constants.a.b }}",
    "{{ secret('A') }}",
    "{% if flowContext.a %}{{ a }}{% endif %}",
    "{% for x in flowContext.list %}{{ x }}{% endfor %}",
    "{{ flowContext['a'] is defined and flowContext.a == 1 }}",
    "{{ flowContext.a() }}",
    "{{ 1 if a else b }}",
    "{{",
    "{a}",
    "{{ flowContext.c | default('d') }}",
    "{{ flowContext.a | default([]) | length }}",
    "{{ flowContext.b is defined }}",
    "{{ [3, 4] | first }}",
    "b: c",
    "1",
    "local.flows.a",
    "imports.a.flows.b",
    "flowContext.a < 3",
    "./x.yaml",
    "{{ {a: 1}.b | json }}",
    "{{ range(3) | sum }}",
    "[1, 2]",
    '{"a": 1}',
)
"""Values that mean something in one place or another."""


def _flows() -> tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]:
    """Lists of steps, and values of any kind."""
    steps = tuple(flowdsl.Environment().registry)
    scalars = st.one_of(
        st.sampled_from(TEXTS), st.integers(-2, 12), st.booleans(), st.none(), st.text(max_size=6), st.floats(-2, 2)
    )
    keys = st.sampled_from(KEYS)
    values = st.recursive(
        scalars,
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
        max_leaves=6,
    )
    blocks = st.deferred(lambda: st.lists(step, max_size=3))
    specs = {name: flowdsl.Environment().registry.spec(name) for name in steps}

    @st.composite
    def stepping(draw: st.DrawFn) -> dict[str, Any]:
        name = draw(st.sampled_from(steps))
        spec = specs[name]
        assert spec is not None
        found: dict[str, Any] = {"step": name}
        wanted = [key for key in spec.keys.values() if key.required or draw(st.integers(0, 5)) == 0]
        for key in wanted:
            found[key.name] = draw(_option(key.type, blocks, values))
        if name == "SET":
            found[draw(st.sampled_from("abc"))] = draw(values)
        if draw(st.integers(0, 39)) == 0:
            found[draw(keys)] = draw(values)
        return found

    step: st.SearchStrategy[Any] = stepping()
    return st.lists(step, min_size=1, max_size=4), values


def documents() -> st.SearchStrategy[Any]:
    """Documents of the words of the language, mostly in places that mean something."""
    flows, values = _flows()
    parts = {
        "blocks": st.fixed_dictionaries(
            {},
            optional={
                "constants": st.dictionaries(st.sampled_from("ab"), values, max_size=2),
                "vars": st.dictionaries(st.sampled_from("ab"), st.sampled_from(TEXTS), max_size=2),
                "flows": st.dictionaries(st.sampled_from("ab"), flows, max_size=2),
            },
        ),
        "inputs": st.dictionaries(st.sampled_from("ab"), st.just({"type": "string"}), max_size=2),
        "outputs": st.dictionaries(st.sampled_from("ab"), values, max_size=2),
        "onError": flows,
        "undefined": st.sampled_from(["strict", "lenient"]),
    }
    mapped = st.fixed_dictionaries({"flow": flows}, optional=parts)
    kit = st.builds(
        lambda action, blocks: {"AI_KIT": {"BLOCKS": blocks, "SECTIONS": [{"actions": [{**action, "title": "t"}]}]}},
        mapped,
        parts["blocks"],
    )
    module = st.builds(lambda blocks: {"blocks": blocks}, parts["blocks"])
    return st.one_of(flows, flows, mapped, mapped, kit, module, values)


def _option(type: str, blocks: st.SearchStrategy[Any], values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A value for a key of a type, mostly one that fits."""
    fitting: dict[str, st.SearchStrategy[Any]] = {
        "steps": blocks,
        "branches": st.lists(blocks, min_size=2, max_size=3),
        "cases": st.dictionaries(st.sampled_from(["x", "1", "default"]), blocks, min_size=1, max_size=2),
        "text": st.sampled_from(TEXTS),
        "integer": st.integers(1, 4),
        "number": st.integers(-1, 5),
        "boolean": st.booleans(),
        "list": st.lists(values, max_size=3),
        "map": st.dictionaries(st.sampled_from("ab"), values, max_size=2),
    }
    right = fitting.get(type, values)
    return st.integers(0, 19).flatmap(lambda chance: right if chance else values)


def generated(fuzzer: Fuzzer, number: int, start: int = 0) -> None:
    """Looks at documents that Hypothesis makes."""

    @seed(start)
    @settings(
        max_examples=number,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(documents())
    def each(document: Any) -> None:
        fuzzer.look(yaml.safe_dump(document, sort_keys=False, allow_unicode=True))

    each()


def corpus() -> list[str]:
    """The text of every YAML file, and of every flow inside a scenario."""
    texts = []
    for folder in ("examples", "tests/golden"):
        for path in sorted((ROOT / folder).rglob("*.yaml")):
            content = path.read_bytes()
            try:
                text = content.decode()
            except UnicodeDecodeError:
                continue
            if "run" not in path.parts:
                texts.append(text)
                continue
            found = yaml.safe_load(text)
            texts += [found[key] for key in ("flow", "kit") if isinstance(found.get(key), str)]
    return texts


def mutated(text: str, texts: list[str], random: Random) -> str:
    """A text with one to three changes: lines and pieces taken out, doubled, moved, indented or exchanged."""
    for _ in range(random.randint(1, 3)):
        lines = text.split("\n")
        at = random.randrange(len(lines))
        kind = random.randrange(10)
        if kind == 0:
            del lines[at]
        elif kind == 1:
            lines.insert(at, random.choice(lines))
        elif kind == 2:
            lines[at] = "  " + lines[at]
        elif kind == 3:
            lines[at] = lines[at].removeprefix("  ")
        elif kind == 4:
            lines.insert(at, random.choice(random.choice(texts).split("\n")))
        elif kind == 5:
            key, colon, _ = lines[at].partition(":")
            lines[at] = f"{key}{colon} {random.choice(TEXTS)!r}" if colon else lines[at]
        elif kind == 6:
            key, colon, value = lines[at].partition(":")
            indent = key[: len(key) - len(key.lstrip(" -"))]
            lines[at] = f"{indent}{random.choice(KEYS)}:{value}" if colon else lines[at]
        elif kind == 7 and lines[at]:
            place = random.randrange(len(lines[at]))
            lines[at] = lines[at][:place] + lines[at][place + 1 :]
        elif kind == 8:
            place = random.randrange(len(lines[at]) + 1)
            lines[at] = (
                lines[at][:place] + random.choice("{}[]:#'\"|>&*!-? \t\u00e4\u2028\x00%@`,0") + lines[at][place:]
            )
        else:
            other = random.randrange(len(lines))
            lines[at], lines[other] = lines[other], lines[at]
        text = "\n".join(lines) or " "
    return text


def mutations(fuzzer: Fuzzer, number: int, start: int = 0) -> None:
    """Looks at changed files."""
    random, texts = Random(start), corpus()
    right = [text for text in texts if fuzzer.accepts(text)]
    for _ in range(number):
        fuzzer.look(mutated(random.choice(right if random.random() < 0.8 else texts), texts, random))


def main() -> None:
    """Fuzzes long, and prints the figures and the first bugs."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    start = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    failed = False
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for name, work in (("generated", generated), ("mutated", mutations)):
            fuzzer = Fuzzer()
            work(fuzzer, number, start)
            print(name, dict(fuzzer.counts), f"{len(fuzzer.bugs)} bugs")
            for bug in fuzzer.bugs[:5]:
                print(bug, "\n----------")
            failed = failed or bool(fuzzer.bugs)
    sys.exit(failed)


if __name__ == "__main__":
    main()
