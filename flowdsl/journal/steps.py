"""The steps of a flow as a journal keeps them: so that a resumed run can say which of them are others now."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from flowdsl.document.document import Document
from flowdsl.source import Source
from flowdsl.syntax.node import Node


class Changes(NamedTuple):
    """The places of steps that have changed, that are new, and that are gone since."""

    changed: tuple[str, ...]
    new: tuple[str, ...]
    gone: tuple[str, ...]


def text_digest(text: str) -> str:
    """The SHA-256 of a text."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def steps_of(document: Document) -> dict[str, str]:
    """Each step by its place, `NAME flow[2]`, and the SHA-256 of its own text and of what it includes, without that of
    the steps in it."""
    found: dict[str, str] = {}
    for step in document.every_step():
        span, inner = step.node.span, [each.node for block in step.blocks for each in block.steps]
        text = span.source.text[span.start : span.end]
        for node in inner:
            text = text.replace(node.source.text[node.start : node.end], "", 1)
        included = _included(step.node, step.node.source, set(map(id, inner)))
        words = " ".join([*text.split(), *included])
        found.setdefault(f"{step.spec.name} {step.path}", text_digest(words))
    return found


def _included(node: Node, source: Source, inner: set[int]) -> Iterator[str]:
    """The values below a node that stand in another file, but for those of the steps inside."""
    if id(node) in inner:
        return
    if node.kind == "scalar":
        if node.source is not source:
            yield node.source.text[node.start : node.end]
        return
    for child in node.value.values() if node.kind == "map" else node.value:
        yield from _included(child, source, inner)


def changes(before: Mapping[str, str], now: Mapping[str, str]) -> Changes:
    """What is different. Steps are told apart by their texts, so one that has moved is the same; of the others, one
    that stands where a step of its kind stood has changed."""
    same = {name for name, digest in now.items() if before.get(name) == digest}
    left, right = ({name: each[name] for name in each if name not in same} for each in (before, now))
    moved = Counter(left.values()) & Counter(right.values())
    old, new = _others(left, Counter(moved)), _others(right, Counter(moved))
    changed = [name for name in new if name in old]
    old = [name for name in old if name not in changed]
    added = [name for name in new if name not in changed]
    return Changes(tuple(changed), tuple(added), tuple(old))


def _others(steps: Mapping[str, str], moved: Counter[str]) -> list[str]:
    """The places of those steps that are not among the ones that have moved at most; each of these counts once."""
    names = []
    for name, digest in steps.items():
        moved[digest] -= 1
        if moved[digest] < 0:
            names.append(name)
    return names
