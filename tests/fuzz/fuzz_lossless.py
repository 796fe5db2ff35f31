"""Every YAML file we have, read and written back, and mutations of it; one scalar in each replaced.

Run it long with `python tests/fuzz/fuzz_lossless.py [N] [SEED]`: N mutations (5,000).
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from random import Random

from flowdsl.syntax.lossless import Piece, pieces_of, write
from flowdsl.syntax.node import Node
from flowdsl.syntax.yaml_reader import read, read_bytes

ROOT = Path(__file__).parents[2]
SKIPPED = frozenset(
    {".venv", ".venv-schemathesis", ".venv-operations", ".venv-litellm", ".git", "node_modules", "build", "dist", "out"}
)


def yaml_files() -> list[Path]:
    """Every YAML file of the repository."""
    found = (path for path in ROOT.rglob("*") if path.suffix in (".yaml", ".yml"))
    return sorted(path for path in found if not SKIPPED & set(path.relative_to(ROOT).parts))


Mutation = Callable[[bytes, Random], bytes]


def _cut(content: bytes, random: Random) -> bytes:
    start = random.randrange(len(content) + 1)
    return content[:start] + content[start + random.randrange(1, 30) :]


INSERTED = (
    *(b"#", b" # a comment\n", b"\t", b": ", b"- ", b"'", b'"', b"[", b"]", b"{", b"}", b"&a ", b"*a", b"|\n", b"\n\n"),
    *(b"\xff", b"\xe2\x82", b"\xf0\x9f\x8e\xa8", b"\x00", b"---\n", b"...\n", b"!!str ", b"? ", b"\r"),
)


def _insert(content: bytes, random: Random) -> bytes:
    at = random.randrange(len(content) + 1)
    return content[:at] + random.choice(INSERTED) + content[at:]


def _double_line(content: bytes, random: Random) -> bytes:
    lines = content.splitlines(keepends=True) or [b""]
    at = random.randrange(len(lines))
    return b"".join([*lines[: at + 1], *lines[at:]])


MUTATIONS: dict[str, Mutation] = {
    "CRLF": lambda content, _: re.sub(rb"\r?\n", b"\r\n", content),
    "CR": lambda content, _: re.sub(rb"\r?\n", b"\r", content),
    "mixed line ends": lambda content, random: re.sub(rb"\n", lambda _: random.choice((b"\n", b"\r\n")), content),
    "a byte order mark": lambda content, _: b"\xef\xbb\xbf" + content,
    "two byte order marks": lambda content, _: b"\xef\xbb\xbf\xef\xbb\xbf" + content,
    "tabs in comments": lambda content, _: re.sub(rb"\n", b"\t# a\tcomment\t\n", content, count=3),
    "comments above": lambda content, _: re.sub(rb"\n", b"\n#\tone\n  # two\n", content, count=2),
    "no line end at the end": lambda content, _: content.rstrip(b"\r\n"),
    "blank lines at the end": lambda content, _: content + b"\n  \n\t\n",
    "a piece cut out": _cut,
    "a piece put in": _insert,
    "a line twice": _double_line,
    "UTF-16": lambda content, _: content.decode("utf-8", "replace").encode("utf-16"),
}


def mutated(count: int, seed: int, mutations: Mapping[str, Mutation] = MUTATIONS) -> Iterator[tuple[str, bytes]]:
    """Mutations with what was done: at least one each, most often several."""
    random, contents = Random(seed), [path.read_bytes() for path in yaml_files()]
    for _ in range(count):
        content, names = random.choice(contents)[:6_000], random.sample(sorted(mutations), random.choice((1, 1, 2, 3)))
        for name in names:
            content = mutations[name](content, random)
        yield " and ".join(names), content


def tree(content: bytes) -> tuple[Piece, Node | None]:
    """The pieces of a file, and its root node."""
    source, _ = read_bytes(content, "<text>")
    root, _ = read(source)
    return pieces_of(source, root), root


def own_scalars(root: Node | None) -> list[Node]:
    """Every scalar that stands in the tree of a file, keys included. What an alias names counts where its anchor is:
    nowhere, when that is in a key that was reported and dropped."""
    found: dict[int, Node] = {}
    waiting = [root] if root is not None else []
    while waiting:
        node = waiting.pop()
        if node.kind == "scalar":
            found[id(node)] = node
        elif id(node) not in found:
            found[id(node)] = node
            waiting += [part for part, at in _places(node) if part.start >= at]
    return [node for node in found.values() if node.kind == "scalar" and node.end > node.start]


def _places(node: Node) -> Iterator[tuple[Node, int]]:
    """What is inside a list or map, each with the place behind which it stands unless an alias names it."""
    if node.kind == "list":
        yield from ((item, node.start) for item in node.value)
    else:
        yield from ((key, node.start) for key in node.keys.values())
        yield from ((value, node.keys[name].start) for name, value in node.value.items())


def fault(content: bytes, random: Random) -> str | None:
    """What is wrong with how a file is written back, or None."""
    whole, root = tree(content)
    if write(whole) != content:
        return "other bytes are written back"
    pieces = [piece for piece in whole.walk() if piece.node is not None and piece.node.kind == "scalar"]
    if {id(node) for node in own_scalars(root) if node.source.text[node.start] != "*"} - {id(p.node) for p in pieces}:
        return "a scalar has no piece of its own"
    if not pieces:
        return None
    chosen = random.choice(pieces)
    assert chosen.node is not None
    source = chosen.text.source
    start = source.marks * 3 + len(source.encode(0, chosen.text.start))
    end = start + len(source.encode(chosen.text.start, chosen.text.end))
    if write(whole, {chosen.node: "'new'"}) != content[:start] + b"'new'" + content[end:]:
        return "replacing one scalar changes other bytes"
    return None


def faults(count: int, seed: int, done: Counter[str]) -> list[tuple[str, str, bytes]]:
    """Every mutation that is not written back right; `done` counts what was tried."""
    random, found = Random(seed), []
    for names, content in mutated(count, seed):
        done.update(names.split(" and "))
        wrong = fault(content, random)
        if wrong is not None:
            found.append((wrong, names, content))
    return found


if __name__ == "__main__":
    number, start_seed = (int(given) for given in (*sys.argv[1:], *("5000", "1")[len(sys.argv) - 1 :]))
    tried: Counter[str] = Counter()
    bad = faults(number, start_seed, tried)
    for wrong, names, content in bad[:10]:
        print(f"{wrong} ({names}): {content!r}")
    print(f"{number} mutations of {len(yaml_files())} files, {len(bad)} wrong; {dict(tried)}")
    sys.exit(bool(bad))
