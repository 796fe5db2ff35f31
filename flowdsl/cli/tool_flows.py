"""The flows that `flowdsl mcp` gives to an agent: those of flow files, and each action of a kit."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from flowdsl.cli.flow_files import search
from flowdsl.document.actions import ActionNeeded
from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.errors import UsageError

_FLOWS = (".flow.yaml", ".flow.yml")
_KITS = (".ai-kit.yaml", ".ai-kit.yml")


def tool_flows(environment: Environment, paths: Sequence[str]) -> dict[str, Flow]:
    """The flows of files and folders by the names of their tools: that of the file without its ending, and for an
    action of a kit the kit's and the action's, as a gateway calls them.

    Raises:
        FlowCheckError: a file has mistakes.
        UsageError: there is none, two have one name, or an action has no id.
    """
    found: dict[str, Flow] = {}
    for path in paths:
        files = [*search(path, (*_FLOWS, *_KITS))] if Path(path).is_dir() else [path]
        if not files:
            raise UsageError(f"the folder `{path}` holds no flow: no file in it ends in {_FLOWS[0]} or {_KITS[0]}")
        for file in files:
            for name, flow in _flows(environment, file):
                other = found.setdefault(name, flow).document.source.path
                if Path(other).resolve() != Path(file).resolve():
                    raise UsageError(f"two flows have the id `{name}`: {other} and {file}; rename one of them")
    return found


def _flows(environment: Environment, file: str) -> Iterator[tuple[str, Flow]]:
    base = Path(file).name
    kit = next((base.removesuffix(end) for end in _KITS if base.endswith(end)), None)
    try:
        flow = environment.load(file)
    except ActionNeeded as needed:
        for id, title in needed.actions:
            name = _name(kit or Path(file).stem, file, id, title)
            yield name, environment.load(file, action=id).prepare()
        return
    except UsageError as error:  # of a module, or a kit without actions
        raise UsageError(f"{file}: {error}") from None
    if kit is None:
        name = next((base.removesuffix(end) for end in _FLOWS if base.endswith(end)), Path(file).stem)
    else:
        name = _name(kit, file, flow.document.id, flow.title)
    yield name, flow.prepare()


def _name(kit: str, file: str, id: str | None, title: str | None) -> str:
    if id:
        return f"{kit}-{id}"
    made = re.sub(r"[^a-z0-9]+", "-", (title or "").lower()).strip("-") or "poster"
    said = f"the action `{title or '(no title)'}` of {file} has no `id`, which its tool is named after"
    raise UsageError(f"{said}: write `id: {made}` at the action")
