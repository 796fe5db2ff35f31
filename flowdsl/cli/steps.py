"""`flowdsl steps`: the list of steps, or the page of one."""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence

from flowdsl.cli.arguments import Parser, one_of
from flowdsl.cli.terminal import text_width
from flowdsl.errors import UsageError
from flowdsl.reference.docs import by_category, how_resolved, key_rules, service_variables, step_rules
from flowdsl.services import is_secret
from flowdsl.step.registry import Registry, installed
from flowdsl.step.spec import Key, Port, StepSpec

EXAMPLES = ("flowdsl steps", "flowdsl steps SET", "flowdsl steps --format json")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 2 when there is no such step."""
    options = parser().parse(arguments)
    registry = installed()
    if options.name is None:
        specs = [_described(registry, name) for name in registry]
        print(_json(specs) if options.format == "json" else _contents(specs))
        return 0
    if registry.spec(options.name) is None:
        hint = (
            f"did you mean {near}?" if (near := _near(registry, options.name)) else f"there are {', '.join(registry)}"
        )
        raise UsageError(f"Step not found: {options.name}; {hint}")
    spec = _described(registry, options.name)
    print(_json([spec]) if options.format == "json" else page(spec))
    return 0


def _near(registry: Registry, name: str) -> str:
    """The steps that a name most likely means: those of which it is a part, what another tool calls so, or the nearest
    one; empty when there is none."""
    from flowdsl.step.foreign import step_word

    parts = [step for step in registry if f"_{name.upper()}_" in f"_{step}_"]
    word = step_word(name)
    return " or ".join(parts) or (word.name if word is not None else None) or registry.nearest(name) or ""


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("steps", COMMANDS["steps"], EXAMPLES)
    parser.add_argument("name", nargs="?", metavar="NAME", help="the step to explain")
    parser.add_argument(
        "--format", type=one_of("text", "json"), default="text", metavar="FORM", help="text (default) or json"
    )
    return parser


def page(spec: StepSpec) -> str:
    """The page of a step, for a terminal."""
    parts = [f"{spec.name}\n{_wrapped(spec.summary, '')}", "\n".join(_facts(spec))]
    keys = "\n".join(_key(spec, key) for key in spec.keys.values())
    parts.append(f"keys\n{keys}" if keys else "keys\n  none")
    if spec.sets_other_keys:
        parts[-1] += "\n  every other key is the name of a FlowContext variable"
    rules = step_rules(spec)
    if rules:
        parts.append("rules\n" + "\n".join(f"  {rule}" for rule in rules))
    parts += [f"{title}\n{_ports(ports)}" for title, ports in (("inputs", spec.inputs), ("outputs", spec.outputs))]
    if spec.writes_to is not None and spec.outputs:
        written = f"{spec.outputs[0].type} goes to the FlowContext key that {spec.writes_to} names."
        parts[-1] += f"\n{_wrapped(written, '  ')}"
    parts += [f"example\n{textwrap.indent(example.rstrip(), '  ')}" for example in spec.examples]
    return "\n\n".join(parts)


def _described(registry: Registry, name: str) -> StepSpec:
    """A step with a summary on each key: from the plugin's index, else from the source of its class."""
    spec = registry.spec(name)
    if spec is None or not all(key.summary for key in spec.keys.values()):
        from flowdsl.reference.docstrings import documented

        return documented(registry.step_class(name))
    return spec


def _contents(specs: Iterable[StepSpec]) -> str:
    lines = []
    for category, members in by_category(specs).items():
        lines.append(category)
        for spec in members:
            lines.append(f"  {spec.name}\n{_wrapped(spec.summary, '      ')}")
        lines.append("")
    return "\n".join([*lines, "`flowdsl steps NAME` explains one of them."])


def _facts(spec: StepSpec) -> Iterator[str]:
    yield f"category  {spec.category}"
    if spec.aliases:
        yield f"aliases   {', '.join(spec.aliases)}"
    if spec.service is not None:
        yield f"service   {spec.service}"
        for variable, setting in service_variables(spec):
            yield f"          {variable} gives its {setting}{', a secret' if is_secret(setting) else ''}"
    if sentence := spec.flow.describe():
        yield textwrap.fill(
            sentence.replace("`", ""),
            text_width(sys.stdout),
            initial_indent="flow      ",
            subsequent_indent=" " * 10,
            break_on_hyphens=False,
        )
    for old, present in spec.deprecated_keys.items():
        yield f"old keys  {old} is now {present}"


def _key(spec: StepSpec, key: Key) -> str:
    facts = [key.type]
    if key.required:
        facts.append("required")
    if key.default is not None:
        facts.append(f"default {str(key.default).lower() if isinstance(key.default, bool) else key.default}")
    facts += [key.constraints()] if key.constraints() else []
    facts += key_rules(spec, key.name)
    facts += how_resolved(key)
    if key.deprecated:
        facts.append(f"deprecated: {key.deprecated}")
    summary = f"{key.summary} Its template also reads {', '.join(key.names)}." if key.names else key.summary
    return f"  {key.name}\n{_wrapped('; '.join(facts), '      ')}\n{_wrapped(summary, '      ')}"


def _ports(ports: Sequence[Port]) -> str:
    lines = [
        f"  {port.type}{' (optional)' if port.optional else ''}\n{_wrapped(port.summary, '      ')}" for port in ports
    ]
    return "\n".join(lines) or "  none"


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(
        text, text_width(sys.stdout), initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _json(specs: Iterable[StepSpec]) -> str:
    import json

    return json.dumps([spec.to_index() for spec in specs], indent=2, ensure_ascii=False)
