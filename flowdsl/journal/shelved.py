"""Pictures in a journal: where their bytes lie, and their SHA-256, so that a run finds them again."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flowdsl.errors import StepError
from flowdsl.image.image import Image
from flowdsl.image.spare_folder import is_spare
from flowdsl.image.store import ImageStore
from flowdsl.journal.recorded_values import Blobs

PUT_BACK = "put the file back where it was"
_FACTS = ("mime", "bytes", "sha256", "width", "height")


class Shelved(Blobs):
    """Writes a picture as a reference to its file. What else is bytes is written whole."""

    def __init__(self) -> None:
        super().__init__()
        self.images: list[Image] = []

    def written(self, image: Image) -> Any:
        """What stands for a picture."""
        self.images.append(image)
        return {"path": image.original, **{name: getattr(image, name) for name in _FACTS}}

    def picture(self, written: Any, facts: Mapping[str, Any], store: ImageStore) -> Image:
        """The picture again.

        Raises:
            StepError: its file is gone, or changed.
        """
        path = Path(written["path"])
        if not path.is_file():
            path = store.folder / path.name  # the folder was moved
        try:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise _gone(written, error.strerror or str(error)) from error
        if found != written["sha256"]:
            raise _gone(written, "its bytes have changed")
        if is_spare(path):  # temporary files do not last, and the folder may have room now
            with path.open("rb") as file, store.writer() as writer:
                writer.write(file.read())
                image = writer.commit(**facts)
        else:
            image = Image(path=str(path), **{name: written[name] for name in _FACTS}, **facts)
            store.adopt(image)
        self.images.append(image)
        return image


def _gone(written: Mapping[str, Any], why: str) -> StepError:
    return StepError(
        f"the picture {written['path']} was paid for, and cannot be used again: {why}",
        code="picture-gone",
        hint=PUT_BACK,
    )
