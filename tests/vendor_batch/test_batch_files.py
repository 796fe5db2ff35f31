"""Files of requests: how they are split, and that their lines say what the direct request would."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from batch_bench import request_of
from PIL import Image as Picture

from flowdsl.errors import ConfigError
from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.vendor_batch.files import (
    USUAL,
    BatchRequest,
    Limits,
    Part,
    expected_bytes,
    why_not,
    write_batch_files,
)
from flowdsl_steps.image.vendors.openai import VENDOR

URL = "http://127.0.0.1:9/v1"


OPEN: list[Part] = []


def written(requests: Iterable[BatchRequest], folder: Path, limits: Limits = USUAL, first: int = 1) -> list[Part]:
    """Files of requests, which are closed when the test ends."""
    OPEN.extend(parts := write_batch_files(requests, folder, limits, first))
    return parts


@pytest.fixture(autouse=True)
def closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().file.close()


def lines(part: Part) -> list[dict[str, Any]]:
    part.file.seek(0)
    return [json.loads(line) for line in part.file.read().decode().splitlines()]


def png(folder: Path, colour: int = 200) -> Image:
    out = BytesIO()
    Picture.new("RGBA", (64, 64), (colour, 30, 30, 0)).save(out, "PNG")
    return ImageStore(folder).add(out.getvalue())


def test_a_line_says_what_the_direct_request_would(tmp_path: Path) -> None:
    each = request_of("a", URL, "Ein Fuß\nund „mehr“", output_format="webp", output_compression=60, background="opaque")
    [part] = written([each], tmp_path)
    [line] = lines(part)
    assert line["body"] == json.loads(bytes(VENDOR.encode(each.request, each.endpoint).content))  # type: ignore[arg-type]  # it is JSON
    assert (line["custom_id"], line["method"], line["url"]) == ("a", "POST", "/v1/images/generations")
    assert (part.ids, part.operation, part.url, part.model) == (("a",), line["url"], URL, "gpt-image-2")


def test_what_only_a_stream_has_is_left_out_of_a_line(tmp_path: Path) -> None:
    [part] = written([request_of("a", URL, stream=True, partial_images=2)], tmp_path)
    assert lines(part)[0]["body"] == {
        "prompt": "Picture a",
        "model": "gpt-image-2",
        "size": "1024x1024",
        "quality": "low",
    }


def test_an_edit_has_its_pictures_in_its_line(tmp_path: Path) -> None:
    first, second = png(tmp_path), png(tmp_path, 90)
    each = request_of("a", URL, "Bluer", images=(first, second), mask=first)
    parts = {part.operation: part for part in written([each, request_of("b", URL)], tmp_path / "parts")}
    [line] = lines(parts["/v1/images/edits"])
    assert line["url"] == "/v1/images/edits"
    images = line["body"].pop("images")
    head, _, text = images[1]["image_url"].partition(",")
    assert head == "data:image/png;base64"
    assert base64.b64decode(text) == second.read()
    assert line["body"].pop("mask") == images[0]
    assert line["body"] == {"prompt": "Bluer", "model": "gpt-image-2", "size": "1024x1024", "quality": "low"}
    assert parts["/v1/images/generations"].ids == ("b",)


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [
        pytest.param(Limits(requests=4), [4, 4, 2], id="so many requests"),
        pytest.param(Limits(bytes=600), [3, 3, 3, 1], id="so many bytes"),
        pytest.param(Limits(output_bytes=7_000_000), [3, 3, 3, 1], id="so many bytes of what is expected"),
        pytest.param(Limits(), [10], id="all of them in one"),
    ],
)
def test_files_are_split_where_one_would_go_beyond_a_limit(tmp_path: Path, limits: Limits, sizes: list[int]) -> None:
    parts = written((request_of(f"id{number}", URL) for number in range(10)), tmp_path, limits, first=7)
    assert [len(part.ids) for part in parts] == sizes
    assert [part.number for part in parts] == [*range(7, 7 + len(sizes))]
    assert all(os.fstat(part.file.fileno()).st_size <= limits.bytes for part in parts)
    assert [id for part in parts for id in part.ids] == [f"id{number}" for number in range(10)]
    assert len({part.digest for part in parts}) == len(parts)


def test_each_model_has_a_file_of_its_own(tmp_path: Path) -> None:
    models = ["gpt-image-2", "gpt-image-1-mini", "gpt-image-2"]
    parts = written((request_of(f"{n}", URL, model=model) for n, model in enumerate(models)), tmp_path)
    assert {part.model: part.ids for part in parts} == {"gpt-image-2": ("0", "2"), "gpt-image-1-mini": ("1",)}


def test_a_request_that_fits_into_no_file_is_refused_and_leaves_none(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"has 5,1\d\d bytes, and a file of a batch at most 1,000"):
        written([request_of("a", URL), request_of("b", URL, "x" * 5000)], tmp_path, Limits(bytes=1000))
    assert not list(tmp_path.iterdir())


def test_a_picture_that_is_too_large_for_json_is_refused(tmp_path: Path) -> None:
    content = png(tmp_path).read() + b"\0" * 16_000_000
    large = ImageStore(tmp_path).add(content)
    with pytest.raises(ConfigError, match="more than a batch takes"):
        written([request_of("a", URL, images=(large,))], tmp_path / "parts")


def test_files_have_no_name_so_that_a_process_that_is_killed_leaves_no_prompt(tmp_path: Path) -> None:
    [part] = written([request_of("a", URL)], tmp_path / "parts")
    assert not list((tmp_path / "parts").iterdir())
    assert os.fstat(part.file.fileno()).st_mode & 0o077 == 0
    assert (tmp_path / "parts").stat().st_mode & 0o077 == 0


def test_more_and_larger_pictures_are_expected_to_take_more() -> None:
    def size(**options: Any) -> int:
        return expected_bytes(request_of("a", URL, **options).request)

    assert size(output_format="webp") < size() < size(size="2048x2048") < size(size="2048x2048", n=4)
    assert 1_500_000 < size() < 3_000_000


def test_what_is_not_openai_says_why_it_does_not_go_through_a_batch() -> None:
    assert why_not("openai", f"{URL}/images/edits") is None
    assert why_not("azure", f"{URL}/images/edits") == "`azure` has no batch for pictures that we know of"
    assert why_not("openai", f"{URL}/chat") == f"the address {URL}/chat is not one of OpenAI's API"
