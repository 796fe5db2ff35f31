"""Templates beside f-strings, minijinja and Jinja2: renderings of a ready template, and the way from its text there.

    python -m benchmarks templates

Every figure is a ratio of one run: the peers take turns with us, and the best of several rounds counts.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from time import process_time
from typing import Any

import flowdsl.template
from benchmarks.table import Row, duration, show
from flowdsl.template import compile as compile_template
from flowdsl.template import compiler, parse, parser, render

CONTEXT: dict[str, Any] = {
    "a": "red",
    "b": "green",
    "c": "blue",
    "title": "a red fox",
    "style": {"name": "watercolour", "strength": 0.8},
    "rows": [{"name": f"item {n}", "price": n * 15, "tags": ["a", "b"]} for n in range(5)],
    "count": 4,
}
MANY = CONTEXT | {f"key{n}": f"value {n}" for n in range(1000)}
BARE = "{{ a }} and {{ b }} or {{ c }}"
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
TEMPLATES = {"trivial": "Hello {{ flowContext.title }}!", "three bare names": BARE, "medium": MEDIUM, "long": LONG}
NAMES: dict[str, Any] = {"inputs": {}, "env": {}, "secret": None}
"""What a run hands a template beside the FlowContext."""


def trivial(context: dict[str, Any]) -> str:
    """The trivial template, written by hand."""
    return f"Hello {context['title']}!"


def bare(context: dict[str, Any]) -> str:
    """The three bare names, written by hand."""
    return f"{context['a']} and {context['b']} or {context['c']}"


def medium(context: dict[str, Any]) -> str:
    """The medium template, written by hand."""
    wide = ", wide" if context["count"] > 3 else ""
    return f"A portrait of {context['title']} in {context['style']['name']} style, {context['count'] + 1} views{wide}."


def long(context: dict[str, Any]) -> str:
    """The long template, written by hand."""
    rows = context["rows"]
    last = len(rows)
    listed = "".join([f"{i}. {r['name']}: {r['price']}{', ' if i < last else ''}" for i, r in enumerate(rows, 1)])
    name, mood = context["style"].get("name", "oil"), context.get("mood") or "calm"
    return (
        f"Paint {context['title'].upper()} as {name}.\n{listed}\n{'many' if context['count'] > 3 else 'few'} views, "
        f"{name} on paper; the mood is {mood}, {mood.capitalize()}."
    )


BY_HAND = {"trivial": trivial, "three bare names": bare, "medium": medium, "long": long}


def best(runs: list[Callable[[], Any]], times: int, rounds: int = 9) -> list[float]:
    """The shortest CPU time of one call of each in seconds; they take turns, and one round warms up."""
    found = [float("inf")] * len(runs)
    for turn in range(rounds + 1):
        for place, run in enumerate(runs):
            start = process_time()
            for _time in range(times):
                run()
            if turn:
                found[place] = min(found[place], (process_time() - start) / times)
    return found


def forget(*, shapes: bool = True) -> None:
    """Empty the caches of texts and their templates; with `shapes` also that of Python's code."""
    parser.templates.clear()
    parser.expressions.clear()
    flowdsl.template._renders.clear()
    compiler.forget(shapes=shapes)


def times(values: list[float], ours: int = 0) -> tuple[str, ...]:
    """Each value as a time, and those of peers as how many times ours they are."""
    return tuple(
        duration(value) if place == ours else f"{duration(value)} ({value / values[ours]:.1f}×)"
        for place, value in enumerate(values)
    )


def peers_of(jinja: Any, mini: Any, text: str, context: dict[str, Any]) -> list[Callable[[], Any]]:
    """The same rendering by Jinja2 and, where it is installed, by minijinja."""
    given = context if text is BARE else {"flowContext": context}
    ready = jinja.from_string(text)
    if mini is None:
        return [lambda: ready.render(given)]
    mini.add_template(text, text)
    return [lambda: ready.render(given), lambda: mini.render_template(text, **given)]


def rendering(jinja: Any, mini: Any) -> Iterator[Row]:
    """A ready template: called with a context as a SET step does, by its text, and in a context of 1,000 keys."""
    for name, text in TEMPLATES.items():
        ready, by_hand = compile_template(parse(text), strict=True), BY_HAND[name]
        ways: list[tuple[str, Callable[[dict[str, Any]], Any], dict[str, Any]]] = [
            ("compiled", lambda context, ready=ready: ready(context, NAMES), CONTEXT),
            ("render(text)", lambda context, text=text: render(text, context), CONTEXT),
            ("1,000 keys", lambda context, ready=ready: ready(context, NAMES), MANY),
        ]
        for way, run, context in ways:
            peers = peers_of(jinja, mini, text, context)
            assert {run(context), by_hand(context)} == {peer() for peer in peers}
            found = best([lambda run=run, c=context: run(c), lambda f=by_hand, c=context: f(c), *peers], 1000)
            yield Row(f"{name}, {way}", times(found), f"{found[0] / found[1]:.1f} × the f-string", "at most 4")


def compiling(jinja: Any, mini: Any) -> Iterator[Row]:
    """From a text never seen to a ready template, and on to many renderings; Jinja2 without a cache."""
    for name, text in TEMPLATES.items():
        for kind, shapes, renderings, target in (
            ("distinct shapes", True, 0, "at least 5"),
            ("known shapes", False, 0, "at least 10"),
            ("rendered once", True, 1, ""),
            ("rendered 200 times", True, 200, ""),
        ):
            texts = [f"{text} {number}" for number in range(10 if renderings > 1 else 100)]

            def ours(texts: list[str] = texts, shapes: bool = shapes, renderings: int = renderings) -> None:
                for one in texts:
                    if shapes or one is texts[0]:
                        forget(shapes=shapes)
                    ready = compile_template(parse(one), strict=True)
                    for _time in range(renderings):
                        ready(CONTEXT, NAMES)

            def theirs(texts: list[str] = texts, renderings: int = renderings) -> None:
                for one in texts:
                    ready = jinja.from_string(one)
                    for _time in range(renderings):
                        ready.render(CONTEXT, flowContext=CONTEXT)

            def minis(texts: list[str] = texts, renderings: int = renderings) -> None:
                for one in texts:
                    mini.add_template("one", one)
                    for _time in range(renderings):
                        mini.render_template("one", **CONTEXT, flowContext=CONTEXT)

            found = best([ours, theirs, *([] if mini is None else [minis])], 1, 3 if renderings > 1 else 9)
            found = [value / len(texts) for value in found]
            yield Row(f"{name}, {kind}", times(found), f"{found[1] / found[0]:.1f} × as fast as Jinja2", target)


def many_names() -> Iterator[Row]:
    """Templates of many names, a name each."""
    for count in (1, 10, 100, 1000):
        text = ", ".join(f"{{{{ flowContext.key{number} }}}}" for number in range(count))
        ready = compile_template(parse(text), strict=True)
        pieces = [f"key{number}" for number in range(count)]

        def hand(pieces: list[str] = pieces) -> str:
            return ", ".join([MANY[piece] for piece in pieces])

        found = best([lambda ready=ready: ready(MANY, NAMES), hand], max(10, 20000 // count), 5)
        yield Row(f"{count:,} names", times(found), f"{found[0] / found[1]:.1f} × join", "")


def main() -> int:
    """Prints the tables."""
    try:
        import jinja2
    except ImportError:
        print("jinja2 is not installed: pip install flowdsl[bench]", file=sys.stderr)
        return 1
    mini: Any = None
    try:
        import minijinja

        mini = minijinja.Environment()
    except ImportError:
        print("minijinja is not installed, and is left out")
    jinja = jinja2.Environment(cache_size=0)
    peers = ("Jinja2", "minijinja") if mini is not None else ("Jinja2",)
    show("Rendering a ready template", ("ours", "f-string", *peers), list(rendering(jinja, mini)))
    show("Compiling a text", ("ours", *peers), list(compiling(jinja, mini)))
    show("Templates of many names", ("ours", "join"), list(many_names()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
