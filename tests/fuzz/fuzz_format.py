"""Every YAML file we have in the one style, and mutations of it: the same values and comments, and no change the second
time.

Run it long with `python tests/fuzz/fuzz_format.py [N] [SEED]`: N mutations (5,000).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator
from random import Random

from fuzz_lossless import MUTATIONS, Mutation, tree, yaml_files
from fuzz_lossless import mutated as mutated_files

from flowdsl.rewriting.style import formatted, same_values
from flowdsl.source import Source, Span
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read, read_bytes


def _sometimes(pattern: bytes, ugly: tuple[bytes, ...]) -> Mutation:
    """Puts something else in place of some of the places where a pattern fits."""
    return lambda content, random: re.sub(
        pattern, lambda found: random.choice((found[0], *(found.expand(each) for each in ugly))), content
    )


def _comments_anywhere(content: bytes, random: Random) -> bytes:
    return re.sub(
        rb"\n", lambda _: random.choice((b"\n", b"\n", b"\n%s# here\n" % (b" " * random.randrange(9)))), content
    )


UGLY: dict[str, Mutation] = {
    "twice the indentation": lambda content, _: re.sub(rb"(?m)^( +)", rb"\1\1", content),
    "lists in the column of their key": lambda content, _: re.sub(rb"(?m)^  ( *[- ] )", rb"\1", content),
    "blanks behind signs": _sometimes(rb"([-:,]) (?=\S)", (rb"\1   ", rb"\1 \t")),
    "blanks before signs": _sometimes(rb"(?<=\S)([]:,}])", (rb" \1", rb"  \1")),
    "blanks behind brackets": _sometimes(rb"[\[{](?=\S)", (rb"\g<0> ", rb"\g<0>\n          ")),
    "dashes alone": _sometimes(rb"(?m)^( *)- (?=\S)", (rb"\1-\n\1  ", rb"\1-\n\n\1  ", rb"\1- # here\n\1  ")),
    "values below their key": _sometimes(rb"(?m)^( *)(\w+): (?=\S)", (rb"\1\2:\n\1      ",)),
    "blank lines": _sometimes(rb"\n", (b"\n\n", b"\n  \n\n")),
    "white space at the ends": _sometimes(rb"\n", (b"  \n", b"\t\n")),
    "comments anywhere": _comments_anywhere,
    "comments behind": _sometimes(rb"\n", (b" # here\n", b"      # here\t\n")),
}
"""What makes a file ugly, and most often leaves its meaning."""


def mutated(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Mutations with what was done: half of them only ugly, half of them of all kinds."""
    yield from mutated_files(count // 2, seed, UGLY)
    yield from mutated_files(count - count // 2, seed, {**MUTATIONS, **UGLY})


def read_tree(source: Source) -> tuple[Node | None, bool]:
    """The root node of a file, and whether it has mistakes of syntax; what it includes is a text."""
    root, found = read(source, _included)
    return root, any(finding.severity == "error" for finding in found)


def _included(path: str, span: Span) -> tuple[Node, list[object]]:
    return Node("scalar", path, span.source, span.start, span.end), []


def comments(text: str) -> list[str]:
    """What stands in a file as comments, in order, white space at their ends left out."""
    whole, _ = tree(text.encode())
    return [comment.text.rstrip() for piece in whole.walk() for comment in piece.comments]


def fault(content: bytes) -> str | None:
    """What is wrong with how a file is formatted; an empty text for one that is refused, None for one that is right."""
    source, undecodable = read_bytes(content, "<text>")
    root, wrong = read_tree(source) if not undecodable else (None, True)
    if wrong or root is None:
        return ""
    text = formatted(source)
    again = Source(text)
    after, wrong = read_tree(again)
    if wrong or after is None or not same_values(root, after):
        return "it means something else"
    if formatted(again) != text:
        return "it changes the second time"
    if comments(source.text) != comments(text):
        return "other comments"
    if "\r\n" in text and re.search(r"(?<!\r)\n", text):
        return "mixed line ends"
    return None


def faults(contents: Iterator[tuple[str, bytes]], done: Counter[str]) -> list[tuple[str, str, bytes]]:
    """Every file that is not formatted right; `done` counts what was tried."""
    found = []
    for names, content in contents:
        wrong = fault(content)
        done["refused" if wrong == "" else "formatted"] += 1
        if wrong:
            found.append((wrong, names, content))
    return found


def whole_files() -> Iterator[tuple[str, bytes]]:
    """Every YAML file of the repository as it is."""
    return ((str(path), path.read_bytes()) for path in yaml_files())


if __name__ == "__main__":
    number, start_seed = (int(given) for given in (*sys.argv[1:], *("5000", "1")[len(sys.argv) - 1 :]))
    tried: Counter[str] = Counter()
    bad = faults(whole_files(), tried)
    bad += faults(mutated(number, start_seed), tried)
    for wrong, names, content in bad[:10]:
        print(f"{wrong} ({names}): {content!r}")
    print(f"{len(yaml_files())} files and {number} mutations: {dict(tried)}, {len(bad)} wrong")
    sys.exit(bool(bad))
