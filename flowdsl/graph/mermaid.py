"""A flow as Mermaid text, which GitHub, GitLab and many editors draw."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from flowdsl.graph.drawing import Box, Drawing, Lane, Section, state_lines
from flowdsl.graph.run_state import StepState

_CODES = re.compile(r"[^\w .,:()/$×→…+=*?'-]", re.ASCII)
_COLOURS = {
    "done": "fill:#dff3e3,stroke:#2f7d4f",
    "reused": "fill:#e4eefb,stroke:#3b62a8",
    "failed": "fill:#fbe0de,stroke:#b3261e",
    "running": "fill:#fdf0cf,stroke:#a06a00",
    "idle": "fill:#f4f4f4,stroke:#9a9a9a,color:#777777",
}
_BRACKETS = {"choice": ("{", "}"), "loop": ("{{", "}}"), "exit": ("([", "])"), "call": ("[[", "]]")}
Exits = list[tuple[str, str]]
"""Where the flow goes on from: nodes, each with what its arrow is called."""


def mermaid(drawing: Drawing, states: Mapping[str, StepState] | None = None) -> str:
    """The text of a flowchart. With the `states` of a run each step has the colour of what became of it."""
    return _Writer(drawing, states).text()


class _Writer:
    def __init__(self, drawing: Drawing, states: Mapping[str, StepState] | None) -> None:
        self._drawing = drawing
        self._states = states
        self._lines: list[str] = []
        self._classes: dict[str, list[str]] = {}
        self._number = 0
        self._firsts: dict[str, str] = {}
        self._calls: list[tuple[str, str]] = []

    def text(self) -> str:
        lines = self._lines
        head = ["---", f"title: {_yaml(self._drawing.title)}", "---", "flowchart TD"]
        for index, section in enumerate(self._drawing.sections):
            self._section(index, section)
        for node, name in self._calls:
            if name in self._firsts:
                lines.append(f"  {node} -. calls .-> {self._firsts[name]}")
        for name, nodes in sorted(self._classes.items()):
            lines.append(f"  classDef {name} {_COLOURS[name]}")
            lines.append(f"  class {','.join(nodes)} {name}")
        return "\n".join([*head, *lines]) + "\n"

    def _section(self, index: int, section: Section) -> None:
        alone = len(self._drawing.sections) == 1
        if not alone:
            self._lines.append(f'  subgraph s{index}["{_label([section.name])}"]')
        start = self._node(f"start{index}", [section.name if index else "start"], "exit")
        self._firsts[section.name] = start
        exits = self._boxes(section.boxes, [(start, "")])
        end = f"end{index}"
        if exits:
            self._node(end, ["end"], "exit")
            self._arrows(exits, end)
        if not alone:
            self._lines.append("  end")

    def _boxes(self, boxes: Sequence[Box], exits: Exits) -> Exits:
        for box in boxes:
            exits = self._box(box, exits)
        return exits

    def _box(self, box: Box, exits: Exits) -> Exits:
        self._number += 1
        state = self._states.get(box.path) if self._states is not None else None
        node = self._node(f"n{self._number}", [box.name, *box.lines, *state_lines(state)], box.kind)
        if self._states is not None:
            self._classes.setdefault("idle" if state is None else state.look, []).append(node)
        self._arrows(exits, node)
        if box.calls is not None:
            self._calls.append((node, box.calls))
        if box.kind == "loop":
            return self._loop(box, node)
        if box.kind == "try":
            return self._try(box, node)
        if box.side_by_side:
            return self._lanes(box, node)
        found: Exits = [(node, "")]
        for lane in box.lanes:
            found = self._boxes(lane.boxes, [(found[0][0], lane.label), *found[1:]] if found else found)
        return [] if box.ends else found

    def _lanes(self, box: Box, node: str) -> Exits:
        found: Exits = [(node, "otherwise" if len(box.lanes) else "")] if box.passes else []
        for lane in box.lanes:
            found += self._boxes(lane.boxes, [(node, lane.label)])
        return found

    def _loop(self, box: Box, node: str) -> Exits:
        for lane in box.lanes:
            for last, label in self._boxes(lane.boxes, [(node, "each")]):
                self._arrow(last, label or "next", node, dotted=True)
        return [(node, "then")]

    def _try(self, box: Box, node: str) -> Exits:
        body = [lane for lane in box.lanes if not lane.on_error]
        found: Exits = self._boxes(body[0].boxes, [(node, body[0].label)]) if body else [(node, "")]
        for lane in box.lanes:
            if lane.on_error:
                found += self._caught(lane, node)
        for lane in body[1:]:  # what runs at the end in any case
            found = self._boxes(lane.boxes, [(last, label or lane.label) for last, label in found])
        return found

    def _caught(self, lane: Lane, node: str) -> Exits:
        return self._boxes(lane.boxes, [(node, f"{lane.label}, after an error")])

    def _arrows(self, exits: Exits, node: str) -> None:
        for last, label in exits:
            self._arrow(last, label, node)

    def _arrow(self, last: str, label: str, node: str, *, dotted: bool = False) -> None:
        line = "-.->" if dotted else "-->"
        said = f'|"{_label([label])}"|' if label else ""
        self._lines.append(f"  {last} {line}{said} {node}")

    def _node(self, name: str, lines: Sequence[str], kind: str) -> str:
        left, right = _BRACKETS.get(kind, ("[", "]"))
        self._lines.append(f'  {name}{left}"{_label(lines)}"{right}')
        return name


def _label(lines: Sequence[str]) -> str:
    """Lines as a label in quotes: what Mermaid, Markdown or HTML would read as its own stands as a number."""
    return "<br/>".join(_CODES.sub(lambda found: f"#{ord(found[0])};", line) for line in lines)


def _yaml(text: str) -> str:
    from flowdsl.display.visible import visible_line

    return "'" + visible_line(" ".join(text.split())).replace("'", "''") + "'"
