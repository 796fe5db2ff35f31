"""Every example of README.md and docs/ is run, every link leads somewhere, every list is complete."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import PIL.Image
import PIL.ImageChops
import PIL.ImageStat
import pytest
from block_runner import PageRunner
from doc_blocks import PAGES, ROOT, anchors, blocks, prose, rewrite

import flowdsl
from flowdsl_steps.image.simulator import Simulator

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_WEB = ("https://", "http://", "mailto:")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as running:
        yield running


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_block_of_a_page_does_what_the_page_says(
    page: Path, tmp_path: Path, simulator: Simulator, update_golden: bool
) -> None:
    simulator.reset()
    runner = PageRunner(tmp_path, simulator, rewrite=update_golden)
    problems = []
    found = blocks(page)
    for block, following in zip_longest(found, found[1:]):
        try:
            runner.run(block, following)
        except AssertionError as problem:
            problems.append(str(problem))
    if update_golden:
        rewrite(page, runner.rewritten)
    assert not problems, "\n\n".join(problems)


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_every_link_between_pages_leads_somewhere(page: Path) -> None:
    dead = []
    for target in _LINK.findall(prose(page)):
        if target.startswith(_WEB):
            continue
        path, _, anchor = target.partition("#")
        found = (page.parent / path).resolve() if path else page
        if not found.exists() or (anchor and anchor not in anchors(found)):
            dead.append(target)
    assert dead == []


def test_every_page_is_in_the_index() -> None:
    indexes = [ROOT / "docs" / "README.md", ROOT / "docs" / "guide" / "README.md"]
    listed = {(index.parent / target).resolve() for index in indexes for target in _LINK.findall(prose(index))}
    assert set(PAGES[1:]) - listed <= {indexes[0]}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_a_block_that_is_not_run_says_why(page: Path) -> None:
    reasons = {block.place: block.remarks["skip"] for block in blocks(page) if "skip" in block.remarks}
    assert {place: why for place, why in reasons.items() if len(why.split()) < 4} == {}


@pytest.mark.parametrize("page", PAGES, ids=_name)
def test_the_name_of_a_file_to_save_is_in_the_text_where_it_is_in_none_of_its_lines(page: Path) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    named = [(block.remarks["file"], block.line) for block in blocks(page) if "file" in block.remarks]
    assert [name for name, line in named if f"`{name}`" not in "\n".join(lines[max(0, line - 9) : line])] == []


def test_every_example_is_in_the_index_with_its_picture() -> None:
    index = ROOT / "examples" / "README.md"
    linked = {(index.parent / target).resolve() for target in _LINK.findall(prose(index))}
    files = [path for path in sorted((ROOT / "examples").rglob("*.yaml")) if path.parent.name != "tests"]
    assert set(files) - linked == set()
    examples = [path for path in files if path.parent.name != "systems"]
    pictures = ROOT / "docs" / "images" / "examples"
    drawn = {pictures / f"{path.name.partition('.')[0]}.jpg" for path in examples if "module" not in path.name}
    assert drawn - linked == set()
    assert drawn == set(pictures.iterdir()), "draw them again: scripts/example_pictures.py"
    assert sum(path.stat().st_size for path in drawn) < 500_000
    for path in drawn:
        with PIL.Image.open(path) as picture:
            picture.load()
            assert picture.height == 180


def test_the_picture_in_the_readme_is_what_its_flow_makes(tmp_path: Path, simulator: Simulator) -> None:
    flow = next(block for block in blocks(ROOT / "README.md") if block.file_name == "skyline.flow.yaml")
    overrides = {"openai": {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}}
    made = (
        flowdsl.Environment(overrides=overrides, storage=flowdsl.Storage(images=tmp_path))
        .run(flow.text, {"hour": "dawn"})
        .images[0]
    )
    with PIL.Image.open(made.path) as large, PIL.Image.open(ROOT / "docs" / "images" / "skyline.jpg") as shown:
        assert shown.size == (512, 512)
        pair = [picture.convert("RGB").resize((64, 64), PIL.Image.Resampling.BOX) for picture in (large, shown)]
        difference = PIL.ImageStat.Stat(PIL.ImageChops.difference(*pair)).mean
    assert max(difference) < 4, "draw it again: docs/images/skyline.jpg is the README's flow with hour=dawn, 512 wide"
