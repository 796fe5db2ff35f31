"""A store of a host that keeps what the class of tests asks for passes it."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

from flowdsl.testing.conformance import PictureStoreConformance
from flowdsl_steps.image.simulator import Simulator


class OnDisk:
    """Files in a folder, as a host may have them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, name: str, content: BinaryIO) -> str:
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content.read())
        return f"disk:{name}"

    def read(self, name: str) -> bytes:
        return (self._folder / name).read_bytes()

    def exists(self, name: str) -> bool:
        return (self._folder / name).exists()


class TestStoreOnDisk(PictureStoreConformance):
    def opened(self, folder: Path) -> AbstractContextManager[OnDisk]:
        return nullcontext(OnDisk(folder / "store"))

    def simulator(self) -> AbstractContextManager[Any]:
        return Simulator(plain=True)
