"""The steps of a flow as a journal keeps them: so that a resumed run can say which of them are others now."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from difflib import SequenceMatcher
from typing import NamedTuple

from flowdsl.document.document import Document


class Changes(NamedTuple):
    """The places of steps that have changed, that are new, and that are gone since."""

    changed: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def text_digest(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def steps_of(document: Document) -> dict[str, str]:
    """Each step by its place, `NAME flow[2]`, and the SHA-256 of its own text, without that of the steps in it."""
    found: dict[str, str] = {}
    for step in document.every_step():
        span = step.node.span
        text = span.source.text[span.start : span.end]
        for block in step.blocks:
            for inner in block.steps:
                own = inner.node.span
                text = text.replace(own.source.text[own.start : own.end], "", 1)
        words = " ".join(text.split())
        found.setdefault(f"{step.spec.name} {step.path}", text_digest(words))
    return found


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Changes:
    """What is different: steps are told apart by their texts, so one that has moved is the same."""
    old, new = list(before), list(now)
    matcher = SequenceMatcher(None, [before[name] for name in old], [now[name] for name in new], autojunk=False)
    changed: list[str] = []
    added: list[str] = []
    gone: list[str] = []
    for kind, first, last, begin, end in matcher.get_opcodes():
        if kind == "equal":
            continue
        pairs = min(last - first, end - begin)
        changed += new[begin : begin + pairs]
        gone += old[first + pairs : last]
        added += new[begin + pairs : end]
    return Changes(tuple(changed), tuple(added), tuple(gone))
