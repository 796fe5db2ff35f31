"""The prompts that a run asked for when somebody last said that they are right, beside the file of tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from flowdsl.document.flow_tests import ENDINGS, FlowTests
from flowdsl.errors import UsageError
from flowdsl.source import Source
from flowdsl.syntax.opened import read_file

if TYPE_CHECKING:
    from flowdsl.document.flow_tests import Case

_HEAD = "# The prompts of flow tests, by the names of the cases; `flowdsl test --update-snapshots` writes them.\n"


def snapshot_path(tests: FlowTests) -> str:
    """The file of the snapshots of a file of tests: `NAME.snapshots.yaml` beside `NAME.test.yaml`."""
    path = tests.source.path
    for ending in ENDINGS:
        path = path.removesuffix(ending)
    return f"{path}.snapshots.yaml"


def snapshots(tests: FlowTests) -> dict[str, list[str]]:
    """The prompts of each case that has a snapshot.

    Raises:
        UsageError: the file is not as it was written.
        OSError: it cannot be read.
    """
    from flowdsl.syntax.yaml_reader import read_bytes

    path = snapshot_path(tests)
    try:
        source, mistakes = read_bytes(read_file(path), path)
    except FileNotFoundError:
        return {}
    if mistakes:
        raise UsageError(f"{path} is not UTF-8 text: remove it, and write it anew with --update-snapshots")
    return _read(source)


def _read(source: Source) -> dict[str, list[str]]:
    from flowdsl.syntax.yaml_reader import read

    root, mistakes = read(source)
    if not source.text.replace(_HEAD, "").strip():
        return {}
    plain = root.plain() if root is not None and not mistakes else None
    is_right = isinstance(plain, dict) and all(
        isinstance(prompts, list) and all(isinstance(prompt, str) for prompt in prompts) for prompts in plain.values()
    )
    if plain is None or not is_right:
        raise UsageError(f"{source.path} holds no snapshots: remove it, and write it anew with --update-snapshots")
    return plain  # type: ignore[no-any-return]  # as was just seen


def wants_snapshot(case: Case) -> bool:
    """Whether a case compares its prompts with a snapshot."""
    prompts = case.expect.get("prompts")
    return prompts is not None and prompts.value == "snapshot"


def snapshot_text(
    tests: FlowTests, known: Mapping[str, Sequence[str]], came: Mapping[str, Sequence[str]]
) -> str | None:
    """The text of the file of snapshots: what `came` in the cases that ran, and what was `known` of the others. Cases
    that are gone, or want none, are left out; None where no case wants one."""
    from flowdsl.document.dialects.dialect import made
    from flowdsl.syntax.block_style import block_style

    wanted = [case.name for case in tests.cases if wants_snapshot(case)]
    kept = {name: list(came.get(name, known.get(name, ()))) for name in wanted if name in came or name in known}
    if not kept:
        return None
    source = Source("", snapshot_path(tests))
    root = made(kept, tests.at.span)
    return _HEAD + block_style(root, source, None)
