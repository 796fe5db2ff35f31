"""What every store of pictures keeps, whatever it is made of: a class of tests to be subclassed."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from flowdsl import Environment, Limits, PictureStore, Storage

FLOW = "- {step: OPENAI_IMAGE_GENERATION, id: boat, model: gpt-image-2, quality: low, instruction: a boat}\n"
LARGE = 3 * 1024 * 1024
AT_ONCE = 8


class PictureStoreConformance:
    """Subclass it, and say how a store is opened, and where pictures come from: a
    `flowdsl_steps.image.simulator.Simulator`."""

    def opened(self, folder: Path) -> AbstractContextManager[PictureStore]:
        """A store of a place, empty the first time; those of one folder have the same pictures."""
        raise NotImplementedError

    def simulator(self) -> AbstractContextManager[Any]:
        """The simulator."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[PictureStore]:
        with self.opened(tmp_path) as store:
            yield store

    def test_what_is_kept_is_read_as_it_was_and_has_an_address(self, store: PictureStore) -> None:
        content = bytes(range(256)) * (LARGE // 256)
        assert isinstance(store.save("coast-1.png", io.BytesIO(content)), str)
        assert store.read("coast-1.png") == content

    def test_a_name_is_there_when_something_has_it_and_not_before(self, store: PictureStore) -> None:
        assert not store.exists("coast-1.png")
        store.save("coast-1.png", io.BytesIO(b"a coast"))
        assert store.exists("coast-1.png")
        assert not store.exists("coast-2.png")

    def test_what_has_a_name_stays(self, store: PictureStore) -> None:
        store.save("coast-1.png", io.BytesIO(b"a coast"))
        with pytest.raises(FileExistsError):
            store.save("coast-1.png", io.BytesIO(b"another one"))
        assert store.read("coast-1.png") == b"a coast"

    def test_names_of_folders_stand_apart(self, store: PictureStore) -> None:
        addresses = {
            store.save(name, io.BytesIO(name.encode())) for name in ("a.png", ".originals/a.png", "coast Évora 1.png")
        }
        assert len(addresses) == 3
        assert store.read(".originals/a.png") == b".originals/a.png"
        assert store.read("coast Évora 1.png").decode() == "coast Évora 1.png"

    def test_of_several_that_want_a_name_at_once_one_has_it(self, store: PictureStore) -> None:
        def save(number: int) -> int | None:
            try:
                store.save("coast-1.png", io.BytesIO(str(number).encode() * 1000))
            except FileExistsError:
                return None
            return number

        with ThreadPoolExecutor(AT_ONCE) as pool:
            kept = [number for number in pool.map(save, range(AT_ONCE)) if number is not None]
        assert len(kept) == 1
        assert store.read("coast-1.png") == str(kept[0]).encode() * 1000

    def test_what_was_kept_is_there_when_it_is_opened_again(self, tmp_path: Path) -> None:
        with self.opened(tmp_path) as store:
            store.save("coast-1.png", io.BytesIO(b"a coast"))
        with self.opened(tmp_path) as store:
            assert store.read("coast-1.png") == b"a coast"
            with pytest.raises(FileExistsError):
                store.save("coast-1.png", io.BytesIO(b"another one"))

    def test_runs_keep_their_pictures_there_each_under_a_name_of_its_own(self, tmp_path: Path) -> None:
        with self.simulator() as simulator, self.opened(tmp_path) as store:
            service = {"endpoint": simulator.openai_base_url, "apiKey": simulator.key}
            storage = Storage(images=store, output=tmp_path / "out", metadata="none")
            environment = Environment(
                services={"OPENAI_IMAGE_GENERATION": service}, storage=storage, limits=Limits(private_addresses=True)
            )
            runs = [environment.run(FLOW) for _ in range(2)]
            for number, result in enumerate(runs, 1):
                (image,) = result.made
                assert store.read(f"boat-{number}.png") == image.read()
                manifest = json.loads(store.read(f"manifest-{result.run}.json"))
                assert [line["file"] for line in manifest["images"]] == [f"boat-{number}.png"]
