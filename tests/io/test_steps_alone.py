"""I/O steps run alone, with the test double that a writer of steps has."""

from __future__ import annotations

import base64
from pathlib import Path

from flowdsl.image.store import ImageStore
from flowdsl.testing import StubContext, run_step
from flowdsl_steps.io.save_images import SaveImages
from flowdsl_steps.io.show_notification import ShowNotification

GIF = base64.b64decode("R0lGODlhAgADAIAAAAAAAP///yH5BAAAAAAALAAAAAACAAMAAAIChF8AOw==")


def test_a_deferred_filename_gets_the_names_of_each_picture(tmp_path: Path) -> None:
    images = [ImageStore(tmp_path / "store").add(GIF)] * 2
    context = StubContext(
        {"imageList": images},
        output=str(tmp_path / "output"),
        deferred={"filename": lambda names: f"{names['index']} of {names['count']} {names['extension']}"},
    )
    written = run_step(SaveImages(directory="a"), context)
    folder = tmp_path / "output" / "a"
    assert written == {"list": [str(folder / "1 of 2 gif.gif"), str(folder / "2 of 2 gif.gif")]}
    assert context.progressed == [("files written", 2, 2)]


def test_what_a_step_emits_is_remembered() -> None:
    context = StubContext()
    assert run_step(ShowNotification(message="Ready"), context) == {}
    assert context.emitted == [("SHOW_NOTIFICATION", {"message": "Ready", "notificationType": "info"})]
