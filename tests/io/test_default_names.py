"""SAVE_IMAGES without a filename: files keep the names that the run gave its pictures."""

from __future__ import annotations

from pathlib import Path

import flowdsl
from flowdsl_steps.image.simulator import Simulator
from flowdsl_steps.io.output_files import OutputFile, write_files

PAINTED = """\
- step: FOR
  var: city
  items: [Porto, Faro]
  do:
    - {step: OPENAI_IMAGE_GENERATION, id: view, model: gpt-image-2, instruction: "{{ flowContext.city }}"}
    - {step: SAVE_IMAGES, directory: views}
    - {step: SAVE_IMAGES}
  collect: "{{ flowContext.list[0] }}"
  collectKey: all
"""


def test_pictures_of_a_run_keep_their_names_and_a_second_run_writes_none_over(tmp_path: Path) -> None:
    with Simulator() as simulator:
        entry = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
        storage = flowdsl.Storage(images=tmp_path / "out", output=tmp_path / "out")
        environment = flowdsl.Environment(services={"OPENAI_IMAGE_GENERATION": entry}, storage=storage)
        runs = [environment.run(PAINTED).context["all"] for _ in range(2)]
    assert [Path(path).relative_to(tmp_path).as_posix() for run in runs for path in run] == [
        *("out/view-Porto-1.png", "out/view-Faro-1.png"),  # where they lie already, they are not written again
        *("out/view-Porto-2.png", "out/view-Faro-2.png"),
    ]
    names = ["view-Faro-1.png", "view-Faro-2.png", "view-Porto-1.png", "view-Porto-2.png"]
    assert sorted(path.name for path in (tmp_path / "out" / "views").iterdir()) == names
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == names


def test_a_default_name_that_is_taken_counts_on(tmp_path: Path) -> None:
    (tmp_path / "view-1.png").write_bytes(b"mine")
    files = [OutputFile("view-1.png", lambda: b"A", counts=True), OutputFile("view-2.png", lambda: b"B", counts=True)]
    assert [path.name for path in write_files(tmp_path, None, files, overwrite=False)] == ["view-2.png", "view-3.png"]
    assert (tmp_path / "view-1.png").read_bytes() == b"mine"
