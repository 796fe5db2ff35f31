"""What SET demands beyond its rules."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowdsl.step.problem import Problem, show
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl.step.spec import IDENTIFIER

SOURCES = ("text", "raw_text", "expression", "steps")
"""The keys of the older form that give the value of one variable."""


def check_set(options: Options) -> Iterator[Problem]:
    """The older form: `name` is an identifier, `convertTo` has something to convert, the expression is a text."""
    given = options.given
    source = next((key for key in SOURCES if key in given), None)
    if source is not None and options.has("name"):
        name = given["name"]
        if not (isinstance(name, str) and re.match(IDENTIFIER, name)):
            yield Problem(
                "wrong-pattern",
                f"`name` is {'a template' if name is UNKNOWN else show(name)}, and must be the name of a variable",
                key="name",
                hint="use letters, digits and _, and start with a letter or _",
            )
    if source is None and not given:
        yield Problem("missing-key", "SET sets nothing", hint="add a variable, for example `text: a red bicycle`")
    if not options.has("convertTo"):
        return
    if given["convertTo"] != "number":
        yield Problem(
            "not-a-choice", f"`convertTo` is {show(given['convertTo'])}, and only number is known", key="convertTo"
        )
    elif source is None and not any(key not in ("name", "convertTo") for key in given):
        yield Problem(
            "missing-key", "`convertTo` has nothing to convert", key="convertTo", hint="add `text:`", on_key=True
        )
    else:
        yield Problem(
            "deprecated-key",
            "`convertTo` is deprecated",
            key="convertTo",
            hint="a value that is exactly one `{{ expression }}` keeps its type; `| toInt` and `| toFloat` convert",
            on_key=True,
        )
