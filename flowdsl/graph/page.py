"""A flow as a page of HTML in one file: it opens from a disk, and asks nobody for anything."""

from __future__ import annotations

from collections.abc import Mapping

from flowdsl.graph.drawing import Drawing, state_lines
from flowdsl.graph.run_state import StepState
from flowdsl.graph.svg import escaped, svg

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """\
body{font:15px/1.5 system-ui,sans-serif;margin:1.5rem;color:#1b1b1b;background:#fff}
h1{font-size:1.3rem}main{overflow:auto;border:1px solid #ddd;border-radius:6px}
table{border-collapse:collapse;margin-top:1.5rem}
td,th{border-bottom:1px solid #e3e3e3;padding:.25rem .8rem;text-align:left;vertical-align:top}
td{font:13px ui-monospace,Menlo,Consolas,monospace;white-space:pre-line}"""


def page(drawing: Drawing, states: Mapping[str, StepState] | None = None, otherwise: str = "not run") -> str:
    """The text of the page: the picture, and all that there is to say of each step; `otherwise` of one that has no
    state."""
    rows = []
    for box in drawing.boxes():
        state = states.get(box.path) if states is not None else None
        ran = "<br>".join(map(escaped, state_lines(state))) or (otherwise if states is not None else "")
        said = escaped("\n".join(box.text.split("\n")[2:]))
        cells = (escaped(box.place), escaped(box.name), said, *((ran,) if states is not None else ()))
        rows.append(f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>")
    heads = ("place", "step", "what it does", *(("what became of it",) if states is not None else ()))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{_POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escaped(drawing.title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<h1>{escaped(drawing.title)}</h1>
<p>{escaped(drawing.description)}</p>
<main>
{svg(drawing, states, namespace=False)}</main>
<table>
<thead><tr>{"".join(f"<th>{head}</th>" for head in heads)}</tr></thead>
<tbody>
{chr(10).join(rows)}
</tbody>
</table>
</body>
</html>
"""
