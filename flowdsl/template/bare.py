"""Expressions that stand alone, without braces around them."""

from __future__ import annotations

import re

from flowdsl.template import lalr, lexer
from flowdsl.template.limits import MAX_TOKENS
from flowdsl.template.nodes import Output
from flowdsl.template.problems import Mistake, TemplateProblem, spelled_choice
from flowdsl.template.references import examine
from flowdsl.template.syntax import Template


def parse_bare(text: str) -> Template:
    """The template of a bare expression; mistakes are in its `problems`."""
    if len(text) > MAX_TOKENS:
        mistake = Mistake(f"the expression has more than {MAX_TOKENS:,} characters", 0, len(text))
        return Template(text, False, True, (mistake.problem,), (), False, None, True)
    try:
        tokens, _end, _strip = lexer.tokens(text, 0, "")
        expression = lalr.parse("expression", tokens, text)
    except Mistake as mistake:
        return Template(text, False, True, (_statement(text, mistake.problem),), (), False, None, True)
    return examine(Template(text, False, True, (), (), False, [Output(expression)], True))


def _statement(text: str, problem: TemplateProblem) -> TemplateProblem:
    first = re.match(r"\s*(return|var|let|const|function|if|for|while|switch|throw|new|await)\b", text)
    if first and problem.start <= first.end() + 40:
        start, end = first.span(1)
        return problem._replace(
            message=f"`{first[1]}` begins a statement; only an expression can stand here",
            start=start,
            end=end,
            hint="write the condition alone" if first[1] in ("return", "if") else None,
        )
    if problem.start < len(text) and text[problem.start] == "?":
        return problem._replace(hint=spelled_choice(text, problem.start) or problem.hint)
    return problem
