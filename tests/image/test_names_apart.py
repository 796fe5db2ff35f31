"""Names of pictures that are called alike, by a flow and by its author."""

from __future__ import annotations

from pathlib import Path

from image_pictures import drawn

from flowdsl.image.named_file import as_given, counted, name_file
from flowdsl.image.store import ImageStore


def test_a_name_that_the_author_gave_is_not_numbered_behind_the_pictures_of_a_flow_called_alike(tmp_path: Path) -> None:
    store, given = ImageStore(tmp_path / ".originals"), []
    for naming in (counted("cat"), counted("cat"), as_given("cat"), as_given("cat")):
        image = store.add(drawn("PNG", (8, 8 + len(given))))
        name_file(tmp_path, naming, image, None)
        given.append(Path(image.path).stem)
    assert given == ["cat-1", "cat-2", "cat", "cat-3"]
