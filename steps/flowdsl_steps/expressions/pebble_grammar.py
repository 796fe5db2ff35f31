"""How expressions of Pebble are read, and what to write in place of signs that it does not have."""

from __future__ import annotations

from flowdsl_steps.expressions.grammar import Grammar

HABITS = {
    "=": "compare with `==`",
    "===": "compare with `==`",
    "&": "write `and`",
    "&&": "write `and`",
    "||": "write `or`",
    "!": "write `not`",
    "//": "a quotient of whole numbers is whole: write `/`",
    "**": "there is no power: multiply",
    "if": "write `condition ? value : other`",
    "in": "write `list contains value`",
    "`": "write the text in quotes",
    "‘": "write the quotes of code: `'`",
    "’": "write the quotes of code: `'`",
    "“": 'write the quotes of code: `"`',
    "”": 'write the quotes of code: `"`',
    "$": "a name stands as it is, without `$`",
}
GRAMMAR = Grammar("pebble", ("output", "condition", "loop", "assignment"), HABITS)
