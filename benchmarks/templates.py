"""Templates against Jinja2: rendering with warm caches, and from text to a ready template.

    python benchmarks/templates.py

Prints ratios of one run, best of several rounds; above 1 we are faster.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import process_time
from typing import Any

from flowdsl.template import compile as compile_template
from flowdsl.template import compiler, parse, parser

CONTEXT: dict[str, Any] = {
    "title": "a red fox",
    "style": {"name": "watercolour", "strength": 0.8},
    "rows": [{"name": f"item {n}", "price": n * 15, "tags": ["a", "b"]} for n in range(5)],
    "count": 4,
}
MEDIUM = (
    "A portrait of {{ flowContext.title }} in {{ flowContext.style.name }} style, "
    "{{ flowContext.count + 1 }} views{% if flowContext.count > 3 %}, wide{% endif %}."
)
LONG = (
    "Paint {{ flowContext.title | upper }} as {{ flowContext.style.name | default('oil') }}.\n"
    "{% for item in flowContext.rows %}{{ loop.index }}. {{ item.name }}: {{ item.price }}"
    "{% if not loop.last %}, {% endif %}{% endfor %}\n"
    "{{ 'many' if flowContext.count > 3 else 'few' }} views, {{ flowContext.style.name ~ ' on paper' }}; "
    "{% set mood = flowContext.mood or 'calm' %}the mood is {{ mood }}, {{ mood | capitalize }}."
)
TEMPLATES = {"trivial": "Hello {{ flowContext.title }}!", "medium": MEDIUM, "long": LONG}


def best(run: Callable[[], Any], times: int, rounds: int = 7) -> float:
    """The shortest CPU time of one call, in microseconds; other work on the machine counts less than on the clock."""
    found = []
    for _round in range(rounds):
        start = process_time()
        for _time in range(times):
            run()
        found.append((process_time() - start) / times * 1e6)
    return min(found)


def cold(text: str) -> Callable[[], Any]:
    """What parses and compiles a text with empty caches."""

    def run() -> Any:
        parser.templates.clear()
        compiler.forget()
        return compile_template(parse(text), strict=True)

    return run


def alike(text: str) -> Callable[[], Any]:
    """What parses and compiles a text when another one of the same shape was compiled before."""

    def run() -> Any:
        parser.templates.clear()
        compiler.forget(shapes=False)
        return compile_template(parse(text), strict=True)

    return run


def row(environment: Any, name: str, text: str) -> str:
    """One line of the table; the ready template of a known shape is compared with the same Jinja2 figure."""
    ours, theirs = compile_template(parse(text), strict=True), environment.from_string(text)
    names: dict[str, Any] = {}
    assert ours(CONTEXT, names) == theirs.render(flowContext=CONTEXT)
    warm = best(lambda: ours(CONTEXT, names), 5000), best(lambda: theirs.render(flowContext=CONTEXT), 2000)
    jinja = best(lambda: environment.from_string(text), 30)
    pairs = [warm, (best(cold(text), 100), jinja), (best(alike(text), 100), jinja)]
    return f"{name:9}" + "".join(f" {fast:9.2f} {slow:9.2f} {slow / fast:6.1f}  " for fast, slow in pairs)


def main() -> int:
    """Print the ratios."""
    try:
        import jinja2
    except ImportError:
        print("jinja2 is not installed: pip install flowdsl[bench]", file=sys.stderr)
        return 1
    environment = jinja2.Environment()
    print(f"{'':9}" + "".join(f" {title:27} " for title in ("render, µs", "compile", "compile, shape known")))
    print(f"{'template':9}" + 3 * f" {'ours':>9} {'Jinja2':>9} {'ratio':>6}  ")
    for name, text in TEMPLATES.items():
        print(row(environment, name, text))
    plain = [f"Text {n} {{{{ flowContext.value{n} }}}} and more" for n in range(2000)]

    def parse_all() -> None:
        parser.templates.clear()
        for text in plain:
            parse(text)

    print(f"parse of a distinct plain template: {best(parse_all, 1) / len(plain):.1f} µs")
    return 0


if __name__ == "__main__":
    sys.exit(main())
