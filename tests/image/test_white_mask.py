"""Vendors that edit what is white are sent a mask of white and black, made of the transparency of the step's mask."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from flowdsl.errors import ConfigError
from flowdsl.image.image import Image
from flowdsl_steps.image.white_mask import mask_problem, white_mask


class Held(Image):
    """A picture whose bytes are at hand."""

    content = b""

    def read(self) -> bytes:
        return self.content


def held(content: bytes) -> Held:
    found = Held(path="", mime="image/png", bytes=len(content), sha256="")
    found.content = content
    return found


def png(picture: Pillow.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


@given(st.integers(1, 24), st.integers(1, 24), st.sampled_from(["RGBA", "LA"]), st.randoms(use_true_random=False))
def test_what_is_fully_transparent_is_white_and_all_else_black(width: int, height: int, mode: str, random) -> None:  # type: ignore[no-untyped-def]
    picture = Pillow.new(mode, (width, height))
    picture.frombytes(bytes(random.choice((0, 0, 1, 90, 200, 255)) for _ in range(width * height * len(mode))))
    alpha = picture.getchannel("A").tobytes()
    with Pillow.open(io.BytesIO(white_mask(held(png(picture))))) as made:
        assert (made.mode, made.size) == ("L", picture.size)
        assert made.tobytes() == bytes(0 if each else 255 for each in alpha)


def test_each_filter_of_a_png_is_undone() -> None:
    """A smooth picture, for which an encoder chooses every filter there is."""
    picture = Pillow.radial_gradient("L").resize((160, 120))
    mask = Pillow.merge("RGBA", (picture, picture.rotate(90, expand=False), picture, picture.point(lambda v: v & 0xF8)))
    with Pillow.open(io.BytesIO(white_mask(held(png(mask))))) as made:
        assert made.tobytes() == bytes(0 if each else 255 for each in mask.getchannel("A").tobytes())


BAD = {
    "is no PNG": b"GIF89a",
    "has no transparency, so that it marks nothing": png(Pillow.new("RGB", (4, 4))),
    "cannot be read: it is damaged": png(Pillow.new("RGBA", (40, 40)))[:60],
}


@pytest.mark.parametrize("said", BAD)
def test_a_mask_that_cannot_be_read_is_told(said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        white_mask(held(BAD[said]))
    assert raised.value.message == f"the mask {said}"


def test_a_check_sees_what_the_first_bytes_say(tmp_path: Path) -> None:
    file = tmp_path / "mask.png"
    file.write_bytes(png(Pillow.new("P", (4, 4))))
    problem = mask_problem(Image(path=str(file), mime="image/png", bytes=9, sha256=""))
    assert problem is not None
    assert problem.message == "the mask has no transparency, so that it marks nothing"
    file.write_bytes(png(Pillow.new("RGBA", (4, 4))))
    assert mask_problem(Image(path=str(file), mime="image/png", bytes=9, sha256="")) is None
