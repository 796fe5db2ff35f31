"""The flows that a gateway serves: those of flow files, and each action of a kit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from flowdsl.diagnostics import Diagnostic
from flowdsl.document.actions import ActionNeeded
from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.errors import FlowCheckError, UsageError
from flowdsl.settings.mistakes import Mistakes, mistake
from flowdsl.settings.served_flows import ID, KIT
from flowdsl.settings.serving import Serving

_AT = ("serve", "flows")


def served(environment: Environment, said: Serving) -> dict[str, Flow]:
    """The flows that settings name, by id. Those of a kit are called as the kit and the action's id.

    Raises:
        FlowCheckError: files have mistakes.
        UsageError: two flows have one id, or an action has none.
    """
    found: dict[str, Flow] = {}
    findings: list[Diagnostic] = []
    mistakes = Mistakes()
    for name, path in said.flows.items():
        try:
            with mistakes.gathered():
                for id, flow in _flows(environment, said.path, name, path, mistakes):
                    if id in found:
                        files = f"{found[id].document.source.path} and {path}"
                        hint = "rename one of the files, or give the action of the kit another `id`"
                        mistakes.add(mistake(said.path, _AT, f"two flows have the id `{id}`: {files}", hint))
                    found.setdefault(id, flow)
        except FlowCheckError as error:
            findings += error.diagnostics
    mistakes.check()
    if findings:
        raise FlowCheckError(findings)
    return found


def _flows(
    environment: Environment, settings: str, name: str, path: str, mistakes: Mistakes
) -> Iterator[tuple[str, Flow]]:
    kit = name.removesuffix(KIT)
    try:
        flow = environment.load(path)
    except ActionNeeded as needed:
        for id, title in needed.actions:
            with mistakes.gathered():
                address = _address(settings, kit, path, id, title)
                yield address, environment.load(path, action=id)
        return
    except UsageError as error:  # of a module, or a kit without actions
        hint = "leave it out of `flows`, or name the flows that are meant one by one"
        raise mistake(settings, _AT, f"{path}: {error}", hint) from None
    if kit == name:
        yield name, flow
    else:
        yield _address(settings, kit, path, flow.document.id, flow.title), flow


def _address(settings: str, kit: str, path: str, id: str | None, title: str | None) -> str:
    """What an action of a kit is called in addresses."""
    address = f"{kit}-{id}"
    if id and ID.fullmatch(address):
        return address
    shown = f"`{title or id or '(no title)'}` of {Path(path).name}"
    made = re.sub(r"[^a-z0-9]+", "-", (id or title or "").lower()).strip("-") or "poster"
    what = "cannot be part of an address" if id else "has no `id`, which its address needs"
    raise mistake(settings, _AT, f"the action {shown} {what}", f"write `id: {made}` at the action")
