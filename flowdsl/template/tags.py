"""Templates with tags: `if`, `for`, `set`, `switch`, `filter`, `raw`; and whatever the plain path does not take."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from flowdsl.template import lalr, lexer
from flowdsl.template.limits import MAX_TOKENS
from flowdsl.template.nodes import (
    Body,
    FilterBlock,
    Filtered,
    For,
    If,
    Name,
    Node,
    Output,
    Set,
    Statement,
    Switch,
    Text,
)
from flowdsl.template.numbers import JS_SPACE
from flowdsl.template.plain import PLAIN, is_plain_output, reference
from flowdsl.template.problems import Mistake
from flowdsl.template.references import examine
from flowdsl.template.syntax import Template

OPENING: Final = re.compile(PLAIN + r"|\{[{%#]-?", re.ASCII)
"""Finds the next tag: a plain output whole, of any other its opening."""
_BARE: Final = re.compile(r"[ \n\t\r]*([a-z]+)[ \n\t\r]*(-?%\})")
_RAW: Final = re.compile(r"\{%-?\s*(end)?(raw|verbatim)\s*-?%\}")
MAX_TAGS: Final = 40
MAX_LOOPS: Final = 12

_ENDS: Final = {
    "if": ("elif", "elseif", "else", "endif"),
    "for": ("else", "endfor"),
    "set": ("endset",),
    "switch": ("case", "default", "endswitch"),
    "filter": ("endfilter",),
}
_REFUSED: Final = {
    "include": "templates do not include others; use a block's `vars`, or call a flow",
    "import": "templates do not import others; use the flow's `imports`",
    "from": "templates do not import others; use the flow's `imports`",
    "extends": "templates do not extend others",
    "block": "templates do not extend others, so there are no blocks",
    "macro": "there are no macros; use `{% set %}` or a block's `vars`",
    "call": "there are no macros; call a flow",
    "do": "write `{% set name = value %}`, or call the function in `{{ }}`",
    "with": "write `{% set name = value %}`",
    "break": "filter the list instead, for example with `selectattr`",
    "continue": "filter the list instead, for example with `selectattr`, or use `{% if %}`",
    "autoescape": "escape with the filter `escape`",
    "asyncEach": "write `{% for %}`",
    "asyncAll": "write `{% for %}`",
    "ifAsync": "write `{% if %}`",
}


def parse_template(text: str) -> Template:
    """The template of a text that holds tags; mistakes are in its `problems`."""
    try:
        body = _Parser(text).whole()
    except Mistake as mistake:
        return Template(text, False, False, (mistake.problem,), (), False, None)
    return examine(Template(text, False, _is_native(body), (), (), False, body))


def _is_native(body: Body) -> bool:
    """Whether a body is one output with nothing but white space around it."""
    found = False
    for statement in body:
        if type(statement) is Text:
            if statement.text.strip():
                return False
        elif found or type(statement) is not Output:
            return False
        else:
            found = True
    return found


class _Parser:
    """One pass over a text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.strip = False
        self.open: list[tuple[str, int]] = []
        self.loops = 0
        self.count = 0
        self.tag: tuple[str, int] = ("", 0)
        self.tokens: list[lexer.Token] = []

    def whole(self) -> Body:
        """The statements of the whole text."""
        body, _end = self.body()
        return body

    def body(self) -> tuple[list[Statement], str]:
        """Statements up to a tag that ends or continues the innermost open one, and that tag's name."""
        statements: list[Statement] = []
        while True:
            opening = OPENING.search(self.text, self.at)
            if self.strip or opening is None or opening[0][-1] == "-":
                self.literal(statements, opening)
            elif opening.start() > self.at:
                statements.append(Text(self.text[self.at : opening.start()]))
            if opening is None:
                if self.open:
                    raise self.unclosed()
                return statements, ""
            self.at = opening.end()
            if opening[1] is not None:
                statements.append(self.plain(opening))
            elif opening[0][1] == "{":
                statements.append(Output(self.expression(self.read("}}"))))
            elif opening[0][1] == "#":
                self.comment(opening.start())
            else:
                ended = self.statement(opening, statements)
                if ended:
                    return statements, ended

    def literal(self, statements: list[Statement], opening: re.Match[str] | None) -> None:
        """Add the text up to the next tag, stripped as the tags around it say."""
        written = text = self.text[self.at : opening.start() if opening else len(self.text)]
        if self.strip:
            text = text.lstrip(JS_SPACE)
        if opening and opening[0][-1] == "-":
            text = text.rstrip(JS_SPACE)
        self.strip = False
        if written:
            statements.append(Text(text))  # even when nothing is left: a case with it does not fall through

    def plain(self, found: re.Match[str]) -> Output:
        """Take a plain output, which needs no expression parser; one that only looks like it gets it."""
        if not is_plain_output(found):
            self.at = found.start() + 2
            return Output(self.expression(self.read("}}")))
        self.counted(2, found.start())
        return Output(reference(found))

    def comment(self, start: int) -> None:
        """Skip a comment."""
        end = self.text.find("#}", start + 2)
        if end < 0:
            raise Mistake("this `{#` is never closed", start, start + 2, "close it with `#}`")
        self.at, self.strip = end + 2, self.text[end - 1] == "-"

    def read(self, close: str) -> list[lexer.Token]:
        """The tokens of the tag whose inside begins here."""
        start = self.at
        bare = _BARE.match(self.text, start) if close == "%}" else None
        if bare is not None:  # a tag of one word needs no lexer
            name, end = bare.span(1), bare.start(2)
            tokens: list[lexer.Token] = [(bare[1], bare[1], *name), ("END", None, end, end)]
            self.at, self.strip = bare.end(), bare[2][0] == "-"
        else:
            tokens, self.at, self.strip = lexer.tokens(self.text, start, close)
        self.counted(len(tokens), start)
        return tokens

    def counted(self, words: int, start: int) -> None:
        """Refuse a template of too many words."""
        self.count += words
        if self.count > MAX_TOKENS:
            raise Mistake(f"the template has more than {MAX_TOKENS:,} words", start, self.at)

    def expression(self, tokens: list[lexer.Token]) -> Node:
        """The node of a whole expression."""
        found: Node = lalr.parse("expression", tokens, self.text)
        return found

    def statement(self, opening: re.Match[str], statements: list[Statement]) -> str:
        """Parse a tag; when it ends or continues the open one, its name."""
        raw = _RAW.match(self.text, opening.start())
        if raw and not raw[1]:
            statements.append(Text(self.raw(raw)))
            return ""
        tokens = self.read("%}")
        kind, name, start, end = tokens[0]
        if kind == "END" or not isinstance(name, str) or not (name.isidentifier()):
            raise Mistake("a tag begins with its name", opening.start(), max(end, opening.end()), "as in `{% if … %}`")
        self.tag, self.tokens = (name, start), tokens[1:]
        if self.open and name in _ENDS[self.open[-1][0]]:
            return name
        parse = _TAGS.get(name)
        if parse is None:
            raise self.unknown(name, start, end)
        if len(self.open) >= MAX_TAGS or (name == "for" and self.loops >= MAX_LOOPS):
            raise Mistake("tags are nested too deep here", start, end, f"at most {MAX_TAGS} tags and {MAX_LOOPS} loops")
        self.open.append((name, opening.start()))
        self.loops += name == "for"
        statement = parse(self)
        self.loops -= name == "for"
        self.open.pop()
        if statement is not None:
            statements.append(statement)
        return ""

    def done(self, hint: str | None = None) -> None:
        """Refuse what stands behind a tag's name."""
        kind, _value, start, _end = self.tokens[0]
        if kind != "END":
            end = self.tokens[-2][3]
            raise Mistake(f"`{self.tag[0]}` takes nothing here", start, end, hint)

    def raw(self, opening: re.Match[str]) -> str:
        """The literal text of a raw or verbatim tag; the same tag may be nested."""
        begin, level = opening.end(), 1
        for found in _RAW.finditer(self.text, begin):
            if found[2] == opening[2]:
                level += -1 if found[1] else 1
            if level == 0:
                body = self.text[begin : found.start()]
                if opening[0][-3] == "-":
                    body = body.lstrip(JS_SPACE)
                if found[0][2] == "-":
                    body = body.rstrip(JS_SPACE)
                self.at, self.strip = found.end(), found[0][-3] == "-"
                return body
        raise Mistake(
            f"`{opening[2]}` is never ended", opening.start(), opening.end(), f"end it with `{{% end{opening[2]} %}}`"
        )

    def names(self, tokens: list[lexer.Token], until: str) -> tuple[list[str], list[lexer.Token]]:
        """The names before `in` or `=`, and the tokens after it."""
        names, index = [], 0
        tokens = lexer.apart(tokens)
        while True:
            kind, value, start, end = tokens[index]
            if kind != "NAME":
                raise Mistake(f"`{self.tag[0]}` needs a name here", start, end, _name_hint(self.tag[0]))
            names.append(value)
            kind, _value, start, end = tokens[index + 1]
            if kind == ",":
                index += 2
                continue
            if kind not in (until, "END") or (kind == "END" and until == "in"):
                found = self.text[start:end] or "the end of the tag"
                raise Mistake(f"found `{found}`, expected `{until}`", start, end, _name_hint(self.tag[0]))
            return names, tokens[index + 2 :]

    def unclosed(self) -> Mistake:
        """The mistake of a tag that is never ended."""
        name, start = self.open[-1]
        hint = f"end it with `{{% end{name} %}}`"
        if name == "set":
            hint = "write `{% set name = value %}`, or end it with `{% endset %}`"
        return Mistake(f"`{name}` is never ended", start, self.text.find("%}", start) + 2, hint)

    def unknown(self, name: str, start: int, end: int) -> Mistake:
        """The mistake of a tag that does not exist, or not here."""
        hint = _REFUSED.get(name)
        if hint is not None:
            return Mistake(f"the tag `{name}` does not exist here", start, end, hint)
        if name.startswith("end") or name in ("elif", "elseif", "else", "case", "default"):
            if self.open:
                opened = self.open[-1][0]
                return Mistake(f"`{name}` stands inside `{opened}`", start, end, f"`{opened}` ends with `end{opened}`")
            return Mistake(f"`{name}` ends nothing: no tag is open", start, end)
        from flowdsl.nearest import nearest

        near = nearest(name, [*_TAGS, "raw", "verbatim", "elif", "else", "endif", "endfor", "endset", "endraw"])
        hint = f"did you mean `{near}`?" if near else f"there are {', '.join(sorted([*_TAGS, 'raw', 'verbatim']))}"
        return Mistake(f"there is no tag named `{name}`", start, end, hint)


def _name_hint(tag: str) -> str:
    return "write `{% for item in list %}`" if tag == "for" else "write `{% set name = value %}`"


def _parse_if(parser: _Parser) -> Statement:
    branches: list[tuple[Node | None, Body]] = []
    tag = "if"
    while tag != "endif":
        condition = None
        if tag == "else":
            parser.done("write `{% elif condition %}`")
        else:
            condition = parser.expression(parser.tokens)
        body, following = parser.body()
        if branches and branches[-1][0] is None and following != "endif":
            raise Mistake(f"`{following}` stands after `else`", parser.tag[1], parser.tag[1] + len(following))
        if tag == "else" and following != "endif":
            raise Mistake(f"`{following}` stands after `else`", parser.tag[1], parser.tag[1] + len(following))
        branches.append((condition, body))
        tag = following
    parser.done()
    return If(branches)


def _parse_for(parser: _Parser) -> Statement:
    names, rest = parser.names(parser.tokens, "in")
    _refuse_filter(parser, names, rest)
    items = parser.expression(rest)
    body, following = parser.body()
    otherwise: Body = []
    if following == "else":
        parser.done()
        otherwise, following = parser.body()
        if following == "else":
            raise Mistake("a second `else` in one `for`", parser.tag[1], parser.tag[1] + 4)
    parser.done()
    return For(names, items, body, otherwise)


def _refuse_filter(parser: _Parser, names: list[str], tokens: list[lexer.Token]) -> None:
    """Refuse `for x in xs if x.ok`: the condition is computed once, before there is an `x`."""
    conditions = [index for index, token in enumerate(tokens) if token[0] == "if"]
    if not conditions:
        return
    for token in tokens[conditions[0] :]:
        if token[0] == "NAME" and token[1] in names and tokens[tokens.index(token) - 1][0] != ".":
            start = tokens[conditions[0]][2]
            raise Mistake(
                f"`for … if` does not filter: there is no `{token[1]}` yet when the condition is computed",
                start,
                token[3],
                f'write `{{% if %}}` inside the loop, or filter the list, as in `| selectattr("{"ok"}")`',
            )


def _parse_set(parser: _Parser) -> Statement:
    names, rest = parser.names(parser.tokens, "=")
    if rest:
        try:
            return Set(names, parser.expression(rest), [])
        except Mistake as mistake:
            problem = mistake.problem
            if len(names) < 2 or parser.text[problem.start : problem.end] != "," or problem.hint is not None:
                raise
            each = " and ".join(f"`{{% set {name} = … %}}`" for name in names[:2])
            hint = f"several names get one value here; set each by itself: {each}"
            raise Mistake(str(mistake), problem.start, problem.end, hint) from None
    body, _following = parser.body()
    parser.done()
    return Set(names, None, body)


def _parse_switch(parser: _Parser) -> Statement:
    subject = parser.expression(parser.tokens)
    cases: list[tuple[Node, Body]] = []
    otherwise: Body = []
    _ignored, following = parser.body()
    ended = False
    while following != "endswitch":
        if ended:
            raise Mistake(f"`{following}` stands after `default`", parser.tag[1], parser.tag[1] + len(following))
        if following == "case":
            condition = parser.expression(parser.tokens)
            body, following = parser.body()
            cases.append((condition, body))
        else:
            parser.done()
            otherwise, following = parser.body()
            ended = True
    parser.done()
    return Switch(subject, cases, otherwise)


def _parse_filter(parser: _Parser) -> Statement:
    name, arguments, at, end = lalr.parse("filter", parser.tokens, parser.text)
    placeholder = Name("", at, at)
    body, _following = parser.body()
    parser.done()
    return FilterBlock(Filtered(placeholder, name, arguments, at, end), placeholder, body)


_TAGS: Final[dict[str, Callable[[Any], Statement | None]]] = {
    "filter": _parse_filter,
    "for": _parse_for,
    "if": _parse_if,
    "set": _parse_set,
    "switch": _parse_switch,
}
