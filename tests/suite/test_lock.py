"""The locks fit pyproject.toml, and hold nothing of the machine they were made on."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS = {"demo": ["simulator"], "dev": ["dev"], "bench": ["dev", "bench"]}
"""The extras that each lock is made for."""
LOCKS = sorted((ROOT / "lock").glob("*.txt"))


def locked(path: Path) -> dict[str, set[str]]:
    """The versions of each package in a lock: more than one where Pythons or systems need different ones."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", path.read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def declared(extras: list[str]) -> list[Requirement]:
    """What pyproject.toml asks for: the package's own needs, those of the extras and of an editable install."""
    texts = [*PROJECT["project"]["dependencies"], *PROJECT["dependency-groups"]["editable"]]
    waiting = list(extras)
    while waiting:
        texts += PROJECT["project"]["optional-dependencies"][waiting.pop()]
        waiting += [extra for text in texts if text.startswith("flowdsl[") for extra in Requirement(text).extras]
        texts = [text for text in texts if not text.startswith("flowdsl[")]
    return [Requirement(text) for text in texts]


@pytest.mark.parametrize("name", EXTRAS)
def test_a_lock_holds_what_pyproject_declares(name: str) -> None:
    versions = locked(ROOT / "lock" / f"{name}.txt")
    missing = [
        str(needed)
        for needed in declared(EXTRAS[name])
        if not all(needed.specifier.contains(v) for v in versions.get(canonicalize_name(needed.name), {"0"}))
    ]
    assert missing == [], "run `make lock`"


def test_the_build_backend_is_the_one_that_is_locked() -> None:
    assert set(PROJECT["build-system"]["requires"]) <= set(PROJECT["dependency-groups"]["editable"])


def test_a_package_has_the_same_versions_in_every_lock() -> None:
    everything = locked(ROOT / "lock" / "bench.txt")
    for name in ("demo", "dev"):
        own = locked(ROOT / "lock" / f"{name}.txt")
        assert own == {package: everything[package] for package in own}


LINE = re.compile(
    r"#.*| +# .*| +--hash=sha256:[0-9a-f]{64}( \\)?"
    r"|[a-z0-9.-]+==[0-9][0-9a-z.+!-]*( ; [A-Za-z0-9_<>=!.' ()]+)? \\"
)


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.stem)
def test_a_lock_is_names_versions_and_hashes_only(path: Path) -> None:
    """No index, no address, no path: pip takes the files from wherever its settings say."""
    lines = path.read_text().splitlines()
    assert [line for line in lines if LINE.fullmatch(line) is None or "/" in line.replace("lock/bench.txt", "")] == []


def test_a_lock_holds_the_files_of_all_systems() -> None:
    """A wheel per Python and system, not only those of the machine that made the lock."""
    text = (ROOT / "lock" / "demo.txt").read_text()
    files = {
        block.partition("==")[0]: block.count("--hash=")
        for block in re.split(r"\n(?=[a-z])", text)
        if not block.startswith("#")
    }
    assert min(files.values()) >= 1
    assert files["pyyaml"] >= 40
    assert files["pydantic-core"] >= 40
