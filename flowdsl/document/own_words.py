"""The words of a document: which names of files stand in it, and do not come from whoever gives its inputs.

A name stands in it as a text (an option, a value of an `enum`, an entry of `vars`), in quotes in a template, or as a
text with templates whose every value is such a word: `pictures/{{ inputs.style }}.png`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from flowdsl.document.document import BlockSet, Document, Module
from flowdsl.syntax.node import Node

_TEMPLATE = re.compile(r"\{\{.*?\}\}|\{%.*?%\}", re.DOTALL)
_QUOTED = re.compile(r"'([^'\\]*)'|\"([^\"\\]*)\"")
_MOST_VALUES = 4
"""A name with more templates is none that a document says: to find out would take long."""
_LONGEST = 1024


class _Words(NamedTuple):
    """The texts of a document, and those with templates: what stands around the values."""

    texts: frozenset[str]
    around: tuple[tuple[str, ...], ...]


def says(document: Document, name: str) -> bool:
    """Whether the name of a file stands in a document."""
    words = _words(document)
    if name in words.texts:
        return True
    return len(name) <= _LONGEST and any(_is_made(name, around, words.texts) for around in words.around)


def _is_made(name: str, around: tuple[str, ...], texts: frozenset[str]) -> bool:
    """Whether a name is a text with templates whose values are words of the document."""
    first, *rest = around
    if not name.startswith(first) or not name.endswith(around[-1]):
        return False
    left = name[len(first) :]
    if len(rest) == 1:
        end = len(left) - len(rest[0])
        return end >= 0 and left[:end] in texts
    at = left.find(rest[0])
    while at >= 0:
        if left[:at] in texts and _is_made(left[at:], tuple(rest), texts):
            return True
        at = left.find(rest[0], at + 1)
    return False


@lru_cache(maxsize=64)
def _words(document: Document) -> _Words:
    texts: set[str] = set()
    around: dict[tuple[str, ...], None] = {}
    for text in _texts(_nodes(document)):
        templates = _TEMPLATE.findall(text)
        if not templates:
            texts.add(text)
            continue
        texts.update(first or second for each in templates for first, second in _QUOTED.findall(each))
        parts = tuple(_TEMPLATE.split(text))
        if any(each.startswith("{%") for each in templates):
            texts.update(part for part in parts if part)
        elif len(templates) <= _MOST_VALUES:
            around[parts] = None
    return _Words(frozenset(texts), tuple(around))


def _nodes(document: Document) -> Iterator[Node]:
    yield document.root
    for step in document.every_step():
        yield step.node
    for blocks in document.scopes.values():
        yield from _of_blocks(blocks)
    seen: set[str] = set()
    for module in document.imports.values():
        yield from _of_module(module, seen)


def _of_module(module: Module, seen: set[str]) -> Iterator[Node]:
    if module.path not in seen:
        seen.add(module.path)
        yield from _of_blocks(module.blocks)
        for imported in module.imports.values():
            yield from _of_module(imported, seen)


def _of_blocks(blocks: BlockSet) -> Iterator[Node]:
    yield from blocks.values.values()
    yield from blocks.vars.values()


def _texts(nodes: Iterable[Node]) -> Iterator[str]:
    """Every text in nodes, each node once."""
    waiting, seen = list(nodes), set[int]()
    while waiting:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.kind == "map":
            waiting += node.value.values()
        elif node.kind == "list":
            waiting += node.value
        elif isinstance(node.value, str):
            yield node.value
