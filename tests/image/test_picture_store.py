"""A host keeps the pictures of runs in a store of its own: every step, the manifest and the account work with it."""

from __future__ import annotations

import asyncio
import copy
import json
import pickle
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import pytest

import flowdsl
from flowdsl import Environment, Storage
from flowdsl.cli.account import Account
from flowdsl.cli.simulated import overrides
from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator import Simulator
from tests.image.test_named_files import IMAGE, LOOP

EVERY_STEP = """\
id: coast
flow:
  - step: OPENAI_IMAGE_GENERATION
    model: gpt-image-2
    quality: low
    instruction: A harbour
    n: 2
  - step: SAVE_IMAGES
    filename: "{{ image.sha256 }}"
  - step: DOWNLOAD
    in: "{{ flowContext.imageList[0] }}"
    filename: one
    outputs: [{type: path, name: one}]
  - step: SET
    length: "{{ flowContext.imageList[1].b64_json | length }}"
    where: "{{ flowContext.imageList[0].path }}"
"""


class Objects:
    """Object storage as a host has it: keys and bytes, and an address for each."""

    def __init__(self) -> None:
        self.held: dict[str, bytes] = {}
        self.threads: set[int] = set()
        self.lock = threading.Lock()

    def save(self, name: str, content: BinaryIO) -> str:
        self.threads.add(threading.get_ident())
        with self.lock:
            if name in self.held:
                raise FileExistsError(name)
            self.held[name] = content.read()
        return f"s3://pictures/{name}"

    def read(self, name: str) -> bytes:
        return self.held[name]

    def exists(self, name: str) -> bool:
        return name in self.held


class Down(Objects):
    """One that takes nothing."""

    def save(self, name: str, content: BinaryIO) -> str:
        raise RuntimeError("the bucket is closed")


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    return folder


@pytest.fixture
def simulator() -> Iterator[Simulator]:
    with Simulator() as simulator:
        yield simulator


def environment(simulator: Simulator, store: Any, folder: Path, **storage: Any) -> Environment:
    return Environment(
        overrides=overrides(simulator.url, simulator.key),
        storage=Storage(images=store, output=folder / "files", **storage),
    )


def manifest(store: Objects, run: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(store.held[f"manifest-{run}.json"])["images"]
    return found


def test_every_image_step_works_with_a_store_of_the_host(simulator: Simulator, tmp_path: Path, temporary: Path) -> None:
    store = Objects()
    result = environment(simulator, store, tmp_path).run(EVERY_STEP)
    assert [image.path for image in result.made] == ["s3://pictures/coast-1.png", "s3://pictures/coast-2.png"]
    assert result.outputs["where"] == "s3://pictures/coast-1.png"
    for image, path in zip(result.made, result.outputs["list"], strict=True):
        assert Path(path).read_bytes() == image.read() == store.held[f".originals/{image.sha256}.png"]
    assert Path(result.outputs["one"]).read_bytes() == result.made[0].read()
    assert store.held["coast-1.png"] != result.made[0].read()
    assert [(line["file"], line["original"]) for line in manifest(store, result.run)] == [
        (f"coast-{number}.png", f".originals/{image.sha256}.png") for number, image in enumerate(result.made, 1)
    ]
    assert result.notes == ()
    assert list(temporary.iterdir()) == []


def test_without_metadata_the_bytes_are_kept_once(simulator: Simulator, tmp_path: Path) -> None:
    store = Objects()
    result = environment(simulator, store, tmp_path, metadata="none").run(IMAGE)
    assert sorted(store.held) == ["image-1.png", f"manifest-{result.run}.json"]
    assert result.made[0].read() == store.held["image-1.png"]


@pytest.mark.long
def test_runs_side_by_side_take_each_name_once_and_save_in_threads(simulator: Simulator, tmp_path: Path) -> None:
    store = Objects()
    flow = environment(simulator, store, tmp_path).load(LOOP.format(items="[a, a, a, a]"))

    async def main() -> list[flowdsl.Result]:
        return await asyncio.gather(*(flow.arun() for _ in range(4)))

    results = asyncio.run(main())
    paths = [image.path for result in results for image in result.made]
    assert sorted(paths) == sorted(f"s3://pictures/image-a-{number}.png" for number in range(1, 17))
    assert threading.get_ident() not in store.threads


def test_a_picture_that_a_step_stores_and_does_not_name_is_kept_too(simulator: Simulator, tmp_path: Path) -> None:
    picture = flowdsl.ImageStore(tmp_path / "p")

    class Own(flowdsl.Step, name="OWN", outputs=("image",)):
        """Stores a picture."""

        def run(self, ctx: flowdsl.StepContext) -> flowdsl.Written:
            return {"image": ctx.store.add(b"<svg width='1' height='1'/>")}

    store = Objects()
    made = Environment(steps=[Own], storage=Storage(images=store)).run("- step: OWN\n  id: own\n").made
    assert [image.path for image in made] == ["s3://pictures/own-1.svg"]
    assert store.held["own-1.svg"] == made[0].read()
    assert threading.get_ident() not in store.threads
    assert made[0] == picture.add(b"<svg width='1' height='1'/>")


def test_a_store_that_fails_costs_no_picture_and_the_run_says_where_it_is(
    simulator: Simulator, tmp_path: Path, temporary: Path
) -> None:
    account = Account(simulated=False)
    with pytest.raises(flowdsl.RunError) as raised:
        flow = f"{IMAGE}\n- step: RAISE\n  message: no\n"
        environment(simulator, Down(), tmp_path).run(flow, on_event=account.hearing(lambda event: None))
    assert raised.value.result is not None
    (image,) = raised.value.result.made
    assert Path(image.path).is_relative_to(temporary)
    assert Path(image.path).read_bytes() == image.read()
    texts = [text for _, text in raised.value.result.notes]
    assert texts == [
        "there is no file `image-…` in Down of a picture, as it takes none: RuntimeError: the bucket is closed. "
        f"The picture is whole, and called by its SHA-256: {image.path}",
        "the manifest in Down cannot be written: RuntimeError: the bucket is closed",
    ]
    assert image.path in account.text(raised.value)


def test_a_failed_run_keeps_what_it_made(simulator: Simulator, tmp_path: Path, temporary: Path) -> None:
    store = Objects()
    with pytest.raises(flowdsl.RunError) as raised:
        environment(simulator, store, tmp_path).run(f"{IMAGE}\n- step: RAISE\n  message: no\n")
    assert raised.value.result is not None
    assert [image.path for image in raised.value.result.made] == ["s3://pictures/image-1.png"]
    assert manifest(store, raised.value.result.run)[0]["file"] == "image-1.png"
    assert list(temporary.iterdir()) == []


def test_a_slow_store_does_not_hold_the_loop(simulator: Simulator, tmp_path: Path) -> None:
    is_saving, goes_on = threading.Event(), threading.Event()

    class Slow(Objects):
        def save(self, name: str, content: BinaryIO) -> str:
            is_saving.set()
            assert goes_on.wait(30)  # what the loop says, which says nothing while it is held
            return super().save(name, content)

    environment(simulator, Objects(), tmp_path).run(IMAGE)  # what is imported late holds the loop too
    flow = environment(simulator, Slow(), tmp_path).load(IMAGE)

    async def main() -> None:
        run = asyncio.create_task(flow.arun())
        while not is_saving.is_set():
            await asyncio.wait([run], timeout=0.005)
            assert not run.done()
        goes_on.set()
        assert (await run).notes == ()

    asyncio.run(main())


def test_a_picture_of_a_store_is_an_input_of_another_run_and_can_be_copied_and_pickled(
    simulator: Simulator, tmp_path: Path
) -> None:
    store = Objects()
    (image,) = environment(simulator, store, tmp_path).run(IMAGE).made
    assert copy.deepcopy(image).read() == image.read()
    flow = "- step: SAVE_IMAGES\n  in: '{{ flowContext.picture }}'\n"
    result = environment(simulator, Objects(), tmp_path / "other").run(flow, {"picture": image})
    assert Path(result.outputs["list"][0]).read_bytes() == image.read()
    restored = pickle.loads(pickle.dumps(image))
    assert restored == image
    assert restored.path == image.path
    with pytest.raises(flowdsl.StepError, match="cannot be read"):
        restored.read()


def test_what_is_no_store_is_refused() -> None:
    class Half:
        def save(self, name: str, content: BinaryIO) -> str:
            return name

    class Async(Objects):
        async def read(self, name: str) -> bytes:  # type: ignore[override]
            return b""

    with pytest.raises(UsageError, match="images takes the path of a folder, or a PictureStore, not int"):
        Storage(images=5)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="images takes a PictureStore, and Half has no method read, exists"):
        Storage(images=Half())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match=r"images\.read is an async function"):
        Storage(images=Async())


class Odd(Objects):
    """One whose `save` gives something else than an address."""

    def __init__(self, given: Any) -> None:
        super().__init__()
        self.given = given

    def save(self, name: str, content: BinaryIO) -> str:
        super().save(name, content)
        found: str = self.given() if callable(self.given) else self.given
        return found


async def later() -> str:
    return "s3://later"


@pytest.mark.parametrize(
    "given",
    [later, None, "", 7, b"x", "a\n\x1b[31mb", "\ud800x", "x" * 100_000],
    ids=["awaitable", "none", "empty", "number", "bytes", "controls", "surrogate", "endless"],
)
def test_a_picture_is_not_called_kept_when_nobody_says_where(
    given: Any, simulator: Simulator, tmp_path: Path, temporary: Path
) -> None:
    result = environment(simulator, Odd(given), tmp_path, metadata="none").run(IMAGE)
    assert "picture-unnamed" in [code for code, _ in result.notes]
    assert "`save` gave no address of what it keeps" in " ".join(text for _, text in result.notes)
    (image,) = result.made
    assert Path(image.path).is_relative_to(temporary)
    assert image.read() == Path(image.path).read_bytes()


class Full(Objects):
    """One in which every name is taken."""

    def __init__(self, *, is_known: bool) -> None:
        super().__init__()
        self.is_known = is_known

    def exists(self, name: str) -> bool:
        return self.is_known

    def save(self, name: str, content: BinaryIO) -> str:
        raise FileExistsError(name)


@pytest.mark.parametrize("is_known", [False, True])
def test_a_store_in_which_every_name_is_taken_is_not_asked_for_ever(
    is_known: bool, simulator: Simulator, tmp_path: Path, temporary: Path
) -> None:
    result = environment(simulator, Full(is_known=is_known), tmp_path, metadata="none").run(IMAGE)
    assert "picture-unnamed" in [code for code, _ in result.notes]
    assert Path(result.made[0].path).is_relative_to(temporary)


@pytest.mark.parametrize("error", [asyncio.CancelledError, GeneratorExit, MemoryError, TimeoutError, StopIteration])
def test_what_a_store_raises_without_a_word_is_named_by_its_class(
    error: type[BaseException], simulator: Simulator, tmp_path: Path
) -> None:
    class Raising(Objects):
        def save(self, name: str, content: BinaryIO) -> str:
            raise error

    result = environment(simulator, Raising(), tmp_path, metadata="none").run(IMAGE)
    assert error.__name__ in " ".join(text for code, text in result.notes if code == "picture-unnamed")
    assert result.made[0].read()
