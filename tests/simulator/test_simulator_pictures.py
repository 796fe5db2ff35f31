"""The pictures: valid files of the asked size, the same every time, padded when asked."""

from __future__ import annotations

import io
import time
from dataclasses import replace
from xml.etree import ElementTree

import pytest
from PIL import Image

from flowdsl_steps.image.simulator.caption import caption_of, wrap
from flowdsl_steps.image.simulator.encode import pad
from flowdsl_steps.image.simulator.gallery import Gallery
from flowdsl_steps.image.simulator.models import MODELS
from flowdsl_steps.image.simulator.scene import compose, digest_of
from flowdsl_steps.image.simulator.validation import AcceptedRequest, validated

BODY = {"prompt": "A harbour at night", "size": "1024x1024"}


def request(model: str = "gpt-image-2.6-flare", **parameters: object) -> AcceptedRequest:
    return validated({**BODY, **parameters}, MODELS[model], vendor="openai", asked_model=model)


def content(wanted: AcceptedRequest, index: int = 0, sharpness: float = 1.0) -> bytes:
    return Gallery().picture(wanted, index, sharpness).content


@pytest.mark.parametrize("size", ["1024x1024", "1536x1024", "1024x1536", "1920x640", "640x1920"])
@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp"])
def test_a_file_has_the_asked_format_and_size(size: str, output_format: str) -> None:
    with Image.open(io.BytesIO(content(request(size=size, output_format=output_format)))) as picture:
        picture.load()
        assert (picture.format, f"{picture.width}x{picture.height}") == (output_format.upper(), size)


def test_the_smallest_picture_still_has_its_caption() -> None:
    small = request("dall-e-2", size="256x256")
    with Image.open(io.BytesIO(content(small))) as picture:
        assert picture.size == (256, 256)
        assert picture.crop((14, 220, 256, 250)).getextrema() != picture.crop((0, 252, 256, 256)).getextrema()


def test_the_same_request_gives_the_same_bytes_and_another_index_another_picture() -> None:
    assert content(request()) == content(request())
    assert len({content(request(), index) for index in range(3)}) == 3
    assert content(request()) != content(request(prompt="A harbour at night."))


def test_drafts_become_sharper() -> None:
    whole = Image.open(io.BytesIO(content(request()))).convert("RGB")
    distances = []
    for sharpness in (0.25, 0.5, 0.75):
        draft = Image.open(io.BytesIO(content(request(), sharpness=sharpness))).convert("RGB")
        pairs = zip(whole.resize((256, 256)).tobytes(), draft.resize((256, 256)).tobytes(), strict=True)
        distances.append(sum(abs(a - b) for a, b in pairs))
    assert distances == sorted(distances, reverse=True)
    assert len(set(distances)) == 3


@pytest.mark.parametrize("output_format", ["png", "webp"])
def test_a_transparent_background_is_real(output_format: str) -> None:
    wanted = request(background="transparent", output_format=output_format)
    with Image.open(io.BytesIO(content(wanted))) as picture:
        assert picture.mode == "RGBA"
        assert picture.getchannel("A").getextrema() == (0, 255)
        assert picture.getpixel((0, 0))[3] == 0  # type: ignore[index]  # RGBA pixels are tuples


def test_a_gif_has_its_frames_and_their_delay() -> None:
    wanted = request(output_format="gif", size="384x384", frame_count=8, frame_duration_ms=123)
    with Image.open(io.BytesIO(content(wanted))) as picture:
        assert (picture.format, picture.size, picture.n_frames) == ("GIF", (384, 384), 8)  # type: ignore[attr-defined]
        assert (picture.info["duration"], picture.info["loop"]) == (120, 0)


def test_an_svg_is_well_formed_and_shows_the_prompt() -> None:
    wanted = request(output_format="svg", prompt='<b>"A harbour" & more</b>')
    document = ElementTree.fromstring(content(wanted))
    assert (document.get("width"), document.get("viewBox")) == ("1024", "0 0 1024 1024")
    words = [text.text for text in document.iter("{http://www.w3.org/2000/svg}text")]
    assert words[0] == '<b>"A harbour" & more</b>'
    assert (words[1] or "").startswith("simulated · gpt-image-2.6-flare · 1024x1024 · medium · ")


@pytest.mark.parametrize("output_format", ["png", "jpeg", "webp", "gif", "svg"])
def test_a_padded_file_has_the_exact_size_and_is_still_valid(output_format: str) -> None:
    size = "384x384" if output_format == "gif" else "1024x640"
    plain = content(request(output_format=output_format, size=size))
    for extra in (300, 1001, 65_537, 65_540, 200_000):
        padded = pad(plain, output_format, len(plain) + extra)
        assert len(padded) == len(plain) + extra + (extra % 2 if output_format == "webp" else 0)
        assert pixels(padded, output_format) == pixels(plain, output_format)


def pixels(file: bytes, output_format: str) -> bytes:
    if output_format == "svg":
        return ElementTree.tostring(ElementTree.fromstring(file))
    with Image.open(io.BytesIO(file)) as picture:
        return picture.convert("RGB").tobytes()


def test_a_file_larger_than_the_padding_stays_as_it_is() -> None:
    plain = content(request())
    assert pad(plain, "png", 1000) == plain


def test_with_a_payload_size_every_file_has_it_and_the_images_of_a_request_differ() -> None:
    gallery = Gallery(payload_bytes=600_000)
    pictures = [gallery.picture(request(prompt=prompt), index) for prompt in ("a", "b") for index in range(4)]
    assert {len(picture.content) for picture in pictures} == {600_000}
    assert len({picture.content for picture in pictures[:4]}) == 4
    assert len({id(picture) for picture in pictures}) == 4


def test_the_gallery_forgets_the_oldest_picture() -> None:
    gallery = Gallery(keep=1)
    small = request("dall-e-2", size="256x256")
    gallery.picture(small, 0)
    gallery.picture(small, 1)
    assert gallery.known(small, 0) is None
    assert gallery.known(small, 1) is not None


def test_a_picture_is_drawn_in_a_fraction_of_a_second() -> None:
    content(request())
    began = time.process_time()
    content(request(prompt="Another harbour"))
    assert time.process_time() - began < 1.5


def test_a_caption_is_the_prompt_and_a_note() -> None:
    caption = caption_of("Café\n  crème", "m", "1024x1024", "low", "0123456789")
    assert (caption.title, caption.note) == ("Café crème", "simulated · m · 1024x1024 · low · 01234567")


def test_a_long_prompt_keeps_its_end() -> None:
    assert wrap("one two three four five six", len, 9, limit=2) == ["one two…", "five six"]
    assert wrap("one two", len, 20, limit=2) == ["one two"]
    assert wrap("supercalifragilistic", len, 10, limit=1) == ["supercali…"]
    prompt = "A product shot " + "with very soft light " * 30 + "of item seven: a kettle"
    lines = wrap(prompt, len, 40, limit=3)
    assert lines[0].startswith("A product shot")
    assert lines[2].endswith("of item seven: a kettle")
    assert max(map(len, lines)) <= 41


def test_text_without_spaces_is_wrapped_between_its_signs() -> None:
    assert wrap("日本語のポスター", len, 4, limit=3) == ["日本語の", "ポスター"]
    assert wrap("東" * 40 + "西", len, 8, limit=3)[-1].endswith("西")


def test_the_words_of_a_prompt_choose_the_mood() -> None:
    digest = digest_of("x")
    night, day = (compose(words, digest, 640, 640) for words in ("a city at midnight", "a summer meadow"))
    assert (len(night.stars), len(day.stars)) == (140, 0)
    assert replace(night, phase=0.5) != night
