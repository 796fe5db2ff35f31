"""Comments that leave a finding out: `# flowdsl: ignore[unknown-model] it is a preview`.

One counts for its line, and one on a line of its own for the next line; where a text of several lines begins there, for
all of it. What is an error is not left out, as a flow with it cannot run.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from flowdsl.codes import CODES
from flowdsl.diagnostics import Diagnostic, Edit, Fix, sort_key
from flowdsl.nearest import nearest
from flowdsl.source import Source, Span
from flowdsl.syntax.lossless import pieces_of
from flowdsl.syntax.yaml_reader import read

OF_CALLERS = frozenset(
    (
        *("bare-name", "constant-condition", "dropped-error", "judged-purchase", "lost-images", "lost-spelling"),
        *("loop-never-runs", "loop-runs-once", "maybe-undefined", "no-effect", "parallel-write-conflict"),
        *("same-file-name", "secret-leak", "shifted-file-name", "stale-value", "unreachable-step", "unused-block"),
        *("unused-import", "unused-variable"),
    )
)
"""What is found by following the paths of a flow. In the flow of a module it can depend on who calls it."""
_COMMENT = re.compile(r"#\s*flowdsl:\s*ignore\b(?P<list>\s*\[(?P<codes>[^\]]*)\])?")


class _Ignore(NamedTuple):
    """One comment: its place, the codes with their places (None: it has no brackets), and the lines it counts for."""

    at: Span
    codes: tuple[Span, ...] | None
    first: int
    last: int


def without_ignored(
    source: Source, findings: Sequence[Diagnostic], refused: frozenset[str], *, whole: bool
) -> list[Diagnostic]:
    """The findings but for those that a comment of their file leaves out, and what is wrong with the comments of
    `source`; codes that are `refused` are not left out. These findings are all that there can be only where they are
    the `whole`: those of a module are not, as the files that import it may see more of what is `OF_CALLERS`."""
    by_source: dict[int, tuple[Source, list[Diagnostic]]] = {id(source): (source, [])}
    for finding in findings:
        by_source.setdefault(id(finding.span.source), (finding.span.source, []))[1].append(finding)
    left_out: set[int] = set()
    told: list[Diagnostic] = []
    for each, found in by_source.values():
        for ignore in _ignores(each) if _COMMENT.search(each.text) else ():
            here = [finding for finding in found if ignore.first <= finding.span.first.line <= ignore.last]
            named = {code.text for code in ignore.codes or ()} - refused
            left_out.update(id(one) for one in here if one.code in named and one.severity != "error")
            if each is source:
                told += _mistakes(ignore, here, refused, whole)
    if not left_out and not told:
        return list(findings)
    kept = [finding for finding in findings if id(finding) not in left_out]
    return sorted([*kept, *told], key=sort_key) if told else kept


def _ignores(source: Source) -> Iterator[_Ignore]:
    """The comments of a file. One inside a text is none."""
    root, _ = read(source)
    if root is None:
        return
    pieces = list(pieces_of(source, root).walk())
    texts = {  # the line on which a text begins, and the one on which it ends
        piece.text.first.line: Span(source, piece.text.start, max(piece.text.start, piece.text.end - 1)).last.line
        for piece in pieces
        if piece.node is not None and piece.node.kind == "scalar"
    }
    for comment in sorted({comment.start: comment for piece in pieces for comment in piece.comments}.values()):
        found = _COMMENT.match(source.text, comment.start, comment.end)
        if found is not None:
            line = _counts_for(source, comment)
            at = Span(source, comment.start, found.end())
            yield _Ignore(at, _codes(source, found), line, max(line, texts.get(line, line)))


def _counts_for(source: Source, comment: Span) -> int:
    """The line of a comment, or the next one with more than a comment where it stands alone."""
    line, col = comment.first
    last = source.position(len(source.text)).line
    if not source.line(line)[: col - 1].strip():
        line += 1
        while line < last and source.line(line).lstrip()[:1] in ("", "#"):
            line += 1
    return line


def _codes(source: Source, found: re.Match[str]) -> tuple[Span, ...] | None:
    if found["list"] is None:
        return None
    start = found.start("codes")
    return tuple(
        Span(source, start + code.start(), start + code.end()) for code in re.finditer(r"[^\s,]+", found["codes"])
    )


def _mistakes(
    ignore: _Ignore, here: Sequence[Diagnostic], refused: frozenset[str], whole: bool
) -> Iterator[Diagnostic]:
    """What is wrong with a comment, where these findings are on the lines that it counts for."""
    if not ignore.codes:
        yield _without_code(ignore, here, refused)
        return
    for code in ignore.codes:
        name = code.text
        found = [finding for finding in here if finding.code == name]
        if any(finding.severity == "error" for finding in found):
            said = f"`{name}` is an error here, which is not ignored: a flow with it cannot run"
            yield Diagnostic("unused-ignore", said, code, fixes=_removed(ignore, code))
        elif found and name in refused:
            said = f"`{name}` says where a secret goes: a comment, which comes with the flow, does not ignore it"
            yield Diagnostic("unused-ignore", said, code, fixes=_removed(ignore, code))
        elif not found and name not in CODES:
            near = nearest(name, CODES)
            hint = f"did you mean `{near}`?" if near else "`flowdsl explain CODE` knows them"
            fixes = (Fix(f"write `{near}`", (Edit(code, near),)),) if near else ()
            yield Diagnostic("unknown-code", f"no finding has the code `{name}`", code, hint=hint, fixes=fixes)
        elif not found and (whole or name not in OF_CALLERS):
            said = f"nothing is found here that has the code `{name}`"
            yield Diagnostic("unused-ignore", said, code, hint="remove it", fixes=_removed(ignore, code))


def _without_code(ignore: _Ignore, here: Iterable[Diagnostic], refused: frozenset[str]) -> Diagnostic:
    could = dict.fromkeys(one.code for one in here if one.severity != "error" and one.code not in refused)
    wanted = f"# flowdsl: ignore[{', '.join(could) or 'unknown-model'}]"
    fixes = (Fix(f"write `{wanted}`", (Edit(ignore.at, wanted),)),) if could else _removed(ignore, None)
    said = "a comment that ignores findings names their codes"
    hint = f"write `{wanted}`" if could else f"write for example `{wanted}`; there is nothing to ignore here"
    return Diagnostic("ignore-without-code", said, ignore.at, hint=hint, fixes=fixes)


def _removed(ignore: _Ignore, code: Span | None) -> tuple[Fix, ...]:
    """The comment without one of its codes; all of it, with the reason behind it, when it names no other."""
    source, text = ignore.at.source, ignore.at.source.text
    if code is not None and ignore.codes is not None and len(ignore.codes) > 1:
        number = ignore.codes.index(code)
        if number == 0:
            gone = Span(source, code.start, ignore.codes[1].start)
        else:
            gone = Span(source, ignore.codes[number - 1].end, code.end)
        return (Fix(f"remove `{code.text}`", (Edit(gone, ""),)),)
    line, _ = ignore.at.first
    end = source.offset(line, len(source.line(line)) + 1)
    before = text[source.offset(line, 1) : ignore.at.start]
    start = ignore.at.start - (len(before) - len(before.rstrip()))
    if not before.strip():  # the whole line goes
        start, end = source.offset(line, 1), source.offset(line + 1, 1) if end < len(text) else end
    return (Fix("remove the comment", (Edit(Span(source, start, end), ""),)),)
