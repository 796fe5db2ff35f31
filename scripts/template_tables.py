"""Write `flowdsl/template/tables.py` from `flowdsl/template/grammar.lark`, or check that it is up to date.

    python scripts/template_tables.py            write
    python scripts/template_tables.py --check    exit with 1 when the file differs

Lark computes the LALR(1) automaton; the package ships it as plain dictionaries, so that a run needs neither Lark nor
the 60 ms it takes to import it and to build the automaton.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

TEMPLATE = Path(__file__).parent.parent / "flowdsl" / "template"
HEAD = '''"""The LALR(1) automaton of `grammar.lark`. Written by scripts/template_tables.py; do not edit."""

# fmt: off
# ruff: noqa: E501  generated: one state a line

'''


def automaton() -> tuple[dict[str, int], list[dict[str, int]], list[dict[str, int]], list[tuple[str, int, str]]]:
    """Start states, action rows, goto rows and rules; an action is a state to shift to, or -1 - rule to reduce by."""
    import lark

    class Declared(lark.lexer.Lexer):
        def __init__(self, lexer_conf: Any) -> None:
            pass

        def lex(self, lexer_state: Any, parser_state: Any) -> Any:
            return iter(())

    grammar = (TEMPLATE / "grammar.lark").read_text(encoding="utf-8")
    parser = lark.Lark(grammar, parser="lalr", lexer=Declared, start=["expression", "filter"])
    table = parser.parser.parser._parse_table
    words = {t.name: t.pattern.value for t in parser.terminals if t.pattern is not None} | {"$END": "END"}
    origins = {rule.origin.name for rule in parser.rules}
    starts = dict(sorted(table.start_states.items()))
    order = _numbered(table.states, list(starts.values()))
    rules: dict[Any, int] = {}
    actions, gotos = [], []
    for state in order:
        action, goto = {}, {}
        for symbol, (kind, target) in sorted(table.states[state].items()):
            if symbol in origins:
                goto[symbol] = order[target]
            elif kind.name == "Shift":
                action[words.get(symbol, symbol)] = order[target]
            else:
                action[words.get(symbol, symbol)] = -1 - rules.setdefault(target, len(rules))
        if state in table.end_states.values():
            action["END"] = order[state]  # shifting the end is accepting
        actions.append(action)
        gotos.append(goto)
    listed = [(str(rule.origin.name), len(rule.expansion), str(rule.alias or "")) for rule in rules]
    return {name: order[state] for name, state in starts.items()}, actions, gotos, listed


def _numbered(states: Any, starts: list[int]) -> dict[int, int]:
    """States in an order that does not depend on Lark's: breadth first, by symbol."""
    order = {state: number for number, state in enumerate(starts)}
    for state in (queue := list(starts)):
        for _symbol, (kind, target) in sorted(states[state].items()):
            if kind.name == "Shift" and target not in order:
                order[target] = len(order)
                queue.append(target)
    return order


def text() -> str:
    """The module."""
    starts, actions, gotos, rules = automaton()
    rows = [HEAD, f"START: dict[str, int] = {starts!r}\n"]
    for name, kind, items in (
        ("ACTIONS", "list[dict[str, int]]", actions),
        ("GOTOS", "list[dict[str, int]]", gotos),
        ("RULES", "list[tuple[str, int, str]]", rules),
    ):
        rows.append(f"{name}: {kind} = [\n" + "".join(f"    {item!r},\n" for item in items) + "]\n")
    return "".join(rows).replace("'", '"')


def main() -> int:
    """Write the file, or compare with `--check`."""
    path = TEMPLATE / "tables.py"
    fresh = text()
    if "--check" in sys.argv[1:]:
        if path.read_text(encoding="utf-8") != fresh:
            print(f"{path} is not up to date; run python scripts/template_tables.py", file=sys.stderr)
            return 1
        return 0
    path.write_text(fresh, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
