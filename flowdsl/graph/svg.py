"""A flow as an SVG: boxes in boxes. A flow is made of lists and of blocks in them, so that every box knows its size
from what stands in it, and nothing has to be moved afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from flowdsl.display.visible import visible
from flowdsl.display.width import width as columns
from flowdsl.graph.drawing import Box, Drawing, Lane, Section, short, state_lines
from flowdsl.graph.run_state import StepState

_COLUMN = 7.3
"""The width of a character; `textLength` holds each text to it, whatever font is there."""
_LINE = 17
_PAD = 10
_GAP = 22
"""Between two steps, for the arrow."""
_BESIDE = 14
_LEAST = 120
_STYLE = """\
text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:#1b1b1b}
.name{font-weight:bold}.said{fill:#444}.lane,.section{fill:#555;font-style:italic}
.box{fill:#fff;stroke:#555}.block{fill:#f6f7f9;stroke:#c3c8d0}.error{fill:#fdf3f2;stroke:#dba9a5;stroke-dasharray:4 3}
.choice{fill:#eef3fd;stroke:#3b62a8}.loop{fill:#f3eefb;stroke:#6d4aa3}.try{fill:#fff6e8;stroke:#a06a00}
.parallel{fill:#e9f6f5;stroke:#2b7a78}.call{fill:#f2f2f2;stroke:#555}.exit{fill:#fbeeee;stroke:#a33}
.done{fill:#dff3e3;stroke:#2f7d4f}.failed{fill:#fbe0de;stroke:#b3261e;stroke-width:2}
.running{fill:#fdf0cf;stroke:#a06a00}.reused{fill:#e4eefb;stroke:#3b62a8}
.idle{fill:#f4f4f4;stroke:#b5b5b5;stroke-dasharray:3 3}
.arrow{stroke:#666;fill:none}.head{fill:#666;stroke:none}"""


def svg(drawing: Drawing, states: Mapping[str, StepState] | None = None, *, namespace: bool = True) -> str:
    """The text of a picture. With the `states` of a run each step has the colour of what became of it. Inside a page of
    HTML it needs no `namespace`."""
    return _Painter(drawing, states).text(namespace=namespace)


class _Painter:
    def __init__(self, drawing: Drawing, states: Mapping[str, StepState] | None) -> None:
        self._drawing = drawing
        self._states = states
        self._sizes: dict[int, tuple[float, float]] = {}

    def text(self, *, namespace: bool) -> str:
        drawing = self._drawing
        parts: list[str] = []
        x = y = float(_PAD * 2)
        title = short(drawing.title)
        parts.append(_text(x, y + 12, title, "name"))
        y += _LINE * 2
        height, right = y, x + columns(title) * _COLUMN
        for section in drawing.sections:
            size = self._section_size(section)
            parts += self._section(section, x, y)
            x += size[0] + _GAP
            height = max(height, y + size[1])
            right = max(right, x)
        total = (right + _PAD, height + _PAD * 2)
        names = ' xmlns="http://www.w3.org/2000/svg"' if namespace else ""
        wide, tall = map(_n, total)
        extent = f'viewBox="0 0 {wide} {tall}" width="{wide}" height="{tall}"'
        head = f'<svg{names} role="img" aria-labelledby="flow-title flow-desc" {extent}>'
        about = [
            f'<title id="flow-title">{escaped(drawing.title)}</title>',
            f'<desc id="flow-desc">{escaped(drawing.description)}</desc>',
            f"<style>{_STYLE}</style>",
        ]
        return "\n".join([head, *about, *parts, "</svg>"]) + "\n"

    # What a thing needs is asked for before it is drawn, from the inside out.

    def _section_size(self, section: Section) -> tuple[float, float]:
        width, height = self._list_size(section.boxes)
        return max(width, columns(short(section.name)) * _COLUMN) + 2 * _PAD, height + 2 * _PAD + _LINE

    def _list_size(self, boxes: Sequence[Box]) -> tuple[float, float]:
        sizes = [self._size(box) for box in boxes]
        width = max([size[0] for size in sizes], default=_LEAST)
        return width, sum(size[1] for size in sizes) + _GAP * max(len(sizes) - 1, 0) if sizes else _LINE

    def _size(self, box: Box) -> tuple[float, float]:
        found = self._sizes.get(id(box))
        if found is None:
            found = self._sizes[id(box)] = self._measured(box)
        return found

    def _measured(self, box: Box) -> tuple[float, float]:
        lines = self._lines(box)
        width = max(columns(line) for line in lines) * _COLUMN + 2 * _PAD
        height = float(len(lines) * _LINE + 2 * _PAD - 4)
        lanes = [self._lane_size(lane) for lane in box.lanes]
        if lanes and box.side_by_side:
            width = max(width, sum(size[0] for size in lanes) + _BESIDE * (len(lanes) - 1) + 2 * _PAD)
            height += max(size[1] for size in lanes) + _PAD
        elif lanes:
            width = max(width, *(size[0] + 2 * _PAD for size in lanes))
            height += sum(size[1] + _PAD for size in lanes)
        return max(width, _LEAST), height

    def _lane_size(self, lane: Lane) -> tuple[float, float]:
        width, height = self._list_size(lane.boxes)
        return max(width, columns(short(lane.label)) * _COLUMN) + 2 * _PAD, height + 2 * _PAD + _LINE

    def _lines(self, box: Box) -> list[str]:
        return [short(box.name), *box.lines, *state_lines(self._state(box))]

    def _state(self, box: Box) -> StepState | None:
        return self._states.get(box.path) if self._states is not None else None

    def _section(self, section: Section, x: float, y: float) -> Iterator[str]:
        width, height = self._section_size(section)
        yield _rect(x, y, width, height, "block")
        yield _text(x + _PAD, y + _LINE, short(section.name), "section")
        yield from self._list(section.boxes, x + _PAD, y + _PAD + _LINE, width - 2 * _PAD)

    def _list(self, boxes: Sequence[Box], x: float, y: float, width: float) -> Iterator[str]:
        for index, box in enumerate(boxes):
            if index and not boxes[index - 1].ends:
                yield from _arrow(x + width / 2, y - _GAP, y)
            yield from self._box(box, x, y, width)
            y += self._size(box)[1] + _GAP

    def _box(self, box: Box, x: float, y: float, width: float) -> Iterator[str]:
        height = self._size(box)[1]
        state = self._state(box)
        look = box.kind if self._states is None else "idle" if state is None else state.look
        yield f"<g><title>{escaped(box.text)}</title>"
        yield _rect(x, y, width, height, f"box {look}", round=12 if box.kind == "exit" else 4)
        for index, line in enumerate(self._lines(box)):
            yield _text(x + _PAD, y + _PAD + _LINE * index + 9, line, "name" if index == 0 else "said")
        yield "</g>"
        y += len(self._lines(box)) * _LINE + 2 * _PAD - 4
        if not box.side_by_side:
            for lane in box.lanes:
                yield from self._lane(lane, x + _PAD, y, width - 2 * _PAD, self._lane_size(lane)[1])
                y += self._lane_size(lane)[1] + _PAD
            return
        sizes = [self._lane_size(lane) for lane in box.lanes]
        spare = width - 2 * _PAD - sum(size[0] for size in sizes) - _BESIDE * max(len(sizes) - 1, 0)
        tall = max([size[1] for size in sizes], default=0.0)
        x += _PAD
        for lane, size in zip(box.lanes, sizes, strict=True):
            wide = size[0] + spare / len(sizes)
            yield from self._lane(lane, x, y, wide, tall)
            x += wide + _BESIDE

    def _lane(self, lane: Lane, x: float, y: float, width: float, height: float) -> Iterator[str]:
        yield _rect(x, y, width, height, "error" if lane.on_error else "block")
        yield _text(x + _PAD, y + _LINE - 2, short(lane.label), "lane")
        yield from self._list(lane.boxes, x + _PAD, y + _PAD + _LINE, width - 2 * _PAD)


def _rect(x: float, y: float, width: float, height: float, look: str, *, round: int = 4) -> str:
    place = f'x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"'
    return f'<rect class="{look}" {place} rx="{round}"/>'


def _text(x: float, y: float, text: str, look: str) -> str:
    if not text:
        return ""
    length = f'textLength="{_n(columns(text) * _COLUMN)}" lengthAdjust="spacingAndGlyphs"'
    return f'<text class="{look}" x="{_n(x)}" y="{_n(y)}" {length} xml:space="preserve">{escaped(text)}</text>'


def _arrow(x: float, top: float, bottom: float) -> Iterator[str]:
    yield f'<path class="arrow" d="M{_n(x)} {_n(top)}V{_n(bottom - 6)}"/>'
    yield f'<path class="head" d="M{_n(x - 4)} {_n(bottom - 7)}L{_n(x + 4)} {_n(bottom - 7)}L{_n(x)} {_n(bottom)}Z"/>'


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


def escaped(text: str) -> str:
    """A text as XML and HTML hold it, without characters that neither can hold."""
    shown = visible(text).replace("\ufffe", "").replace("\uffff", "")
    return shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")
