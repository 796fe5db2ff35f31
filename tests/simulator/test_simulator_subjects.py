"""The subject of a prompt is what its picture shows, large, in every format and in every process."""

from __future__ import annotations

import io
import subprocess
import sys
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from flowdsl_steps.image.simulator import lettering
from flowdsl_steps.image.simulator.gallery import Gallery
from flowdsl_steps.image.simulator.models import MODELS
from flowdsl_steps.image.simulator.scene import digest_of
from flowdsl_steps.image.simulator.scenes.subject import emoji, subject_of, subjects
from flowdsl_steps.image.simulator.validation import AcceptedRequest, validated
from flowdsl_steps.image.simulator.view import view_of

ROOT = Path(__file__).parents[2]
sys.path.append(str(ROOT / "scripts"))
from contact_sheet import PROMPTS  # noqa: E402  the twenty prompts of the sheet in the docs


def request(prompt: str, **parameters: object) -> AcceptedRequest:
    body = {"prompt": prompt, "size": "1024x1024", **parameters}
    return validated(body, MODELS["gpt-image-2.6-flare"], vendor="openai", asked_model="gpt-image-2.6-flare")


def thumbnail(prompt: str) -> bytes:
    """The middle of the picture, without its caption, in 12 x 12 pixels."""
    content = Gallery().picture(request(prompt, quality="low"), 0).content
    with Image.open(io.BytesIO(content)) as picture:
        middle = picture.convert("RGB").crop((128, 100, 896, 868))
        return middle.resize((12, 12), Image.Resampling.BOX).tobytes()


def name_of(prompt: str) -> str | None:
    found = subject_of(prompt)
    return None if found is None else found.name


def test_there_are_many_subjects_and_emoji() -> None:
    assert len(subjects()) >= 60
    assert len(emoji()) >= 60
    assert len({found.name for found in emoji().values()}) >= 30


@pytest.mark.long
def test_twenty_prompts_give_twenty_pictures_that_differ_as_thumbnails() -> None:
    assert len(set(PROMPTS)) == 20
    seen = [thumbnail(prompt) for prompt in PROMPTS]
    nearest = min(sum(abs(a - b) for a, b in zip(*pair, strict=True)) / len(seen[0]) for pair in combinations(seen, 2))
    assert nearest > 15


def test_prompts_about_nothing_that_can_be_drawn_differ_too() -> None:
    prompts = [f"Thought {number}" for number in range(12)]
    assert len({view_of(prompt, digest_of(prompt), 256, 256).shapes for prompt in prompts}) == 12


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        ("a red fox", "fox"),
        ("Three KITTENS, asleep", "cat"),
        ("strawberries and a slice of cherry pie", "apple"),
        ("a dog and a cat", "dog"),
        ("a hot air balloon", "balloon"),
        ("a hot dog with mustard", "burger"),
        ("A fire truck", "truck"),
        ("the cat's bowl", "cat"),
        ("Portrait of a fox", "fox"),
        ("A portrait", "person"),
        ("poster: 🚀", "rocket"),
        ("a beach at noon", "palm"),
        ("A skyline", "city"),
        ("catalogue of a category", None),
        ("", None),
    ],
)
def test_the_first_word_that_is_known_decides_and_the_longest_of_those_there(prompt: str, name: str | None) -> None:
    assert name_of(prompt) == name


@pytest.mark.parametrize("name", sorted(subjects()))
def test_every_subject_is_drawn_inside_of_the_picture(name: str) -> None:
    view = view_of(name.replace("_", " "), digest_of(name), 400, 300)
    assert view.landscape is not None or len(view.shapes) > 8
    assert subject_of(name.replace("_", " ")) is subjects()[name]


def test_a_colour_in_the_prompt_is_the_colour_of_the_subject() -> None:
    red, blue = (view_of(f"a {colour} car", digest_of("car"), 256, 256) for colour in ("red", "blue"))
    assert red.shapes != blue.shapes


def test_the_images_of_one_request_show_the_same_subject_in_other_ways() -> None:
    pictures = {Gallery().picture(request("a red fox", n=4), index).content for index in range(4)}
    assert len(pictures) == 4


@pytest.mark.long
def test_a_second_process_draws_the_same_subject() -> None:
    code = (
        "import sys, hashlib; sys.path.insert(0, sys.argv[1])\n"
        "from test_simulator_subjects import request; from flowdsl_steps.image.simulator.gallery import Gallery\n"
        "print(hashlib.sha256(Gallery().picture(request('a red fox 🦊 日本'), 1).content).hexdigest())"
    )
    runs = [
        subprocess.run(
            [sys.executable, "-c", code, str(Path(__file__).parent)],
            capture_output=True,
            text=True,
            check=True,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    ]
    assert runs[0] == runs[1]
    assert len(runs[0]) == 65


def test_an_svg_shows_the_subject_too() -> None:
    content = Gallery().picture(request("a red fox", output_format="svg"), 0).content
    paths = list(ElementTree.fromstring(content).iter("{http://www.w3.org/2000/svg}path"))
    other = Gallery().picture(request("a red fox", output_format="svg"), 1).content
    assert len(paths) > 20
    assert content != other


@pytest.mark.parametrize(
    "text", ["日本語のポスター", "한국어", "ملصق", "שלום", "नमस्ते", "สวัสดี", "Привет", "Ελλάδα", "élan", "🦊🍕"]
)
def test_text_of_other_scripts_is_drawn(text: str) -> None:
    assert lettering.showable(text) == text
    assert lettering.missing_scripts(text) == []
    canvas = Image.new("RGB", (400, 60))
    lettering.Lettering(30).draw(canvas, 5, 40, text, (255, 255, 255))
    assert canvas.getbbox() is not None
    assert lettering.Lettering(30).length(text) > 20


def test_without_the_fonts_a_script_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    with_fonts = Gallery().picture(request("日本語のポスター"), 0).content
    lettering._kind.cache_clear()
    monkeypatch.setattr(lettering, "_path", lambda file: "")
    try:
        assert lettering.showable("日本語のポスター, café 🦊 ملصق") == "[Japanese] , cafe 🦊 [Arabic]"
        assert lettering.missing_scripts("日本語のポスター, ملصق") == ["Arabic", "Japanese"]
        assert Gallery().picture(request("日本語のポスター"), 0).content != with_fonts
    finally:
        lettering._kind.cache_clear()


def test_an_emoji_without_a_drawing_is_named() -> None:
    assert lettering.showable("a 🧵") == "a [spool of thread]"
