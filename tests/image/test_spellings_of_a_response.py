"""A response holds what `json.loads` reads in it, however it is spelt and cut."""

from __future__ import annotations

import base64
import itertools
import json
import re
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from image_pictures import PICTURES

from flowdsl.image.image import Image
from flowdsl.image.store import ImageStore
from flowdsl_steps.image.document import Document
from flowdsl_steps.image.images_api import received_of
from flowdsl_steps.image.received import LinkedImage, Received
from flowdsl_steps.image.response import JsonResponse

SMALL = {name: PICTURES[name][0] for name in ("png", "gif", "jpg")}
TEXT = base64.b64encode(SMALL["png"]).decode()
LIMIT = 8_000_000

blanks = st.one_of(
    st.just(""), st.text(" \t\r\n", max_size=12), st.sampled_from([" " * 65, "\n" * 200, " \t\r\n" * 300])
)
odd_texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ['"b64_json":', '{"b64_json": "AAAA"}', "b64_json", "url", "data:", "\\", '\\"', "\\\\", "image 0"]
    ),
)
leaves = st.one_of(st.none(), st.booleans(), st.integers(-9, 9), odd_texts)
unknown = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(odd_texts.filter(lambda key: key not in KEYS), inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = ("b64_json", "url", "data", "error", "usage", "size", "quality", "created", "revised_prompt")
more = st.dictionaries(odd_texts.filter(lambda key: key not in KEYS), unknown, max_size=3)


def written(content: bytes, how: str) -> str:
    text = base64.b64encode(content).decode()
    if how == "without padding":
        return text.rstrip("=")
    if how == "url safe":
        return text.translate(str.maketrans("+/", "-_"))
    if how == "lines":
        return base64.encodebytes(content).decode()
    return f"data:image/x;base64,{text}" if how == "data" else text


WAYS = ["plain", "without padding", "url safe", "lines", "data"]


@st.composite
def pictures(draw: st.DrawFn) -> tuple[bytes, dict[str, Any]]:
    """A picture, and the item of a response that holds it, its members in any order."""
    content = draw(st.sampled_from([*SMALL.values()]))
    if draw(st.integers(0, 3)):
        item: dict[str, Any] = {"b64_json": written(content, draw(st.sampled_from(WAYS)))}
        if draw(st.booleans()):
            item["url"] = draw(st.sampled_from([None, ""]))
    else:
        item = {"url": written(content, "data")}
    if draw(st.booleans()):
        item["revised_prompt"] = draw(odd_texts)
    item |= draw(more)
    return content, dict(draw(st.permutations([*item.items()])))


@st.composite
def spellings(draw: st.DrawFn, value: Any) -> str:
    """A JSON text of a value."""
    random = draw(st.randoms(use_true_random=False))
    gaps = draw(st.lists(blanks, min_size=1, max_size=6))
    escapes = draw(st.sampled_from([0.0, 0.0, 0.02, 0.5]))

    def gap() -> str:
        return random.choice(gaps)

    def string(text: str) -> str:
        if not escapes:
            return json.dumps(text, ensure_ascii=random.random() < 0.5)
        units = (character for character in text)
        return '"' + "".join(escaped(each) if random.random() < escapes else plain(each) for each in units) + '"'

    def plain(character: str) -> str:
        return json.dumps(character)[1:-1]

    def escaped(character: str) -> str:
        if character == "/" and random.random() < 0.5:
            return "\\/"
        if ord(character) > 0xFFFF:
            return plain(character)
        code = f"{ord(character):04x}"
        return "\\u" + (code.upper() if random.random() < 0.5 else code)

    def spelt(value: Any) -> str:
        if isinstance(value, str):
            text = string(value)
        elif isinstance(value, dict):
            members = (f"{gap()}{string(key)}{gap()}:{spelt(each)}" for key, each in value.items())
            text = "{" + ",".join(members) + gap() + "}"
        elif isinstance(value, list):
            text = "[" + ",".join(map(spelt, value)) + gap() + "]"
        else:
            text = json.dumps(value)
        return f"{gap()}{text}{gap()}"

    return spelt(value)


@st.composite
def responses(draw: st.DrawFn) -> tuple[list[bytes], Any, bytes, list[int]]:
    """Pictures, the object of the response, its bytes, and where they are cut."""
    found = draw(st.lists(pictures(), min_size=1, max_size=3))
    members = {**draw(more), "data": [item for _, item in found], "created": 1, "usage": {"total_tokens": 1}}
    payload = dict(draw(st.permutations([*members.items()])))
    body = draw(spellings(payload)).encode("utf-8", "replace")
    every = draw(st.sampled_from([0, 0, 1, 2, 7, 64]))
    cuts = [*range(0, len(body), every)] if every else draw(st.lists(st.integers(0, len(body)), max_size=30))
    return [content for content, _ in found], payload, body, cuts


def read(folder: Path, body: bytes, cuts: list[int]) -> Received:
    reader = JsonResponse(ImageStore(folder), LIMIT, received_of)
    try:
        for start, end in itertools.pairwise(sorted({0, len(body), *cuts})):
            reader.feed(body[start:end])
        return reader.finish()
    finally:
        reader.abort()


def unbroken(value: Any) -> Any:
    """A value without the line breaks in its keys."""
    if isinstance(value, list):
        return [*map(unbroken, value)]
    if not isinstance(value, dict):
        return value
    whole = {key: unbroken(each) for key, each in value.items() if not {*"\r\n"} & {*key}}
    return whole | {
        name: unbroken(each) for key, each in value.items() if (name := re.sub(r"[\r\n]", "", key)) not in whole
    }


@pytest.mark.long
@settings(max_examples=120, deadline=None, suppress_health_check=[*HealthCheck])
@given(responses())
def test_a_picture_is_found_however_the_response_is_spelt(
    tmp_path: Path, given: tuple[list[bytes], Any, bytes, list[int]]
) -> None:
    contents, _, body, cuts = given
    whole = json.loads(body)  # the measure: it may read other texts than were meant, for bytes that are no UTF-8
    received = read(tmp_path, body, cuts)
    assert [image.read() for image in received.images if isinstance(image, Image)] == contents
    assert [image.revised_prompt for image in received.images] == [item.get("revised_prompt") for item in whole["data"]]
    del whole["data"]
    assert received.payload == unbroken(whole)
    assert [*tmp_path.rglob("*.part")] == []


@pytest.mark.parametrize("count", [64, 65, 100, 10_000, 1_000_000])
@pytest.mark.parametrize("place", ["before the colon", "behind the colon", "in front", "in a list", "at the end"])
@pytest.mark.parametrize("cut", [0, 1, 50_000], ids=["whole", "cut behind the key", "cut in the blanks"])
def test_any_amount_of_white_space_hides_no_picture(tmp_path: Path, count: int, place: str, cut: int) -> None:
    blank = b" \n\r\t"[:4] * (count // 4 + 1)
    item = json.dumps(TEXT).encode()
    body = {
        "before the colon": b'{"data": [{"b64_json"BLANK: TEXT}]}',
        "behind the colon": b'{"data": [{"b64_json":BLANKTEXT}]}',
        "in front": b'BLANK{"data": [{"b64_json": TEXT}]}',
        "in a list": b'{"data": [{BLANK"b64_json": [BLANKTEXTBLANK]}], "a":BLANK1}',
        "at the end": b'{"data": [{"b64_json": TEXT}]BLANK}BLANK',
    }[place].replace(b"TEXT", item)
    start = body.index(b"BLANK")
    body = body.replace(b"BLANK", blank)
    document = Document(ImageStore(tmp_path), LIMIT)
    places = [0, start + min(cut, count), len(body)] if cut else [0, len(body)]
    for begin, end in itertools.pairwise(places):
        document.feed(body[begin:end])
    found = document.value()["data"][0]["b64_json"]
    assert (found[0] if isinstance(found, list) else found).commit().read() == SMALL["png"]
    assert len(document.text()) < 500


@pytest.mark.parametrize("size", [1, 64, 65_536])
def test_white_space_costs_neither_time_nor_memory(tmp_path: Path, size: int) -> None:
    document = Document(ImageStore(tmp_path), LIMIT)
    document.feed(b'{"data": [{"b64_json":')
    blank, total = b" " * size, 20_000 * min(size, 1600)
    tracemalloc.start()
    began = time.process_time()
    for _ in range(total // size):
        document.feed(blank)
    elapsed, peak = time.process_time() - began, tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    document.feed(json.dumps(TEXT).encode() + b"}]}")
    assert document.value()["data"][0]["b64_json"].commit().read() == SMALL["png"]
    assert (peak < 1_000_000, elapsed < 10) == (True, True)


def test_a_picture_under_a_key_that_is_spelt_with_escapes_is_found(tmp_path: Path) -> None:
    body = f'{{"data": [{{"b64\\u005fjson": "{TEXT}"}}, {{"\\u0075rl": "DATA:image/png;base64,{TEXT}"}}]}}'.encode()
    received = read(tmp_path, body, [])
    assert [image.read() for image in received.images if isinstance(image, Image)] == [SMALL["png"]] * 2


def wrapped(body: bytes, width: int, end: bytes) -> bytes:
    """A body as a gateway passes it on that breaks its lines at a width."""
    return end.join(body[at : at + width] for at in range(0, len(body), width))


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\\n"], ids=["LF", "CRLF", "an escape"])
@pytest.mark.parametrize("every", [0, 1, 7, 64])
def test_keys_and_addresses_that_are_broken_over_lines_lose_no_picture(end: bytes, every: int, tmp_path: Path) -> None:
    for at in range(1, 8):
        key, url, data = (name[:at] + end + name[at:] for name in (b"b64_json", b"url", b"data"))
        body = b'{"%b": [{"%b": "TEXT"}, {"%b": "https://a.ex%bample/x"}, {"%b": "data:;base64,TEXT"}]}'
        body = (body % (data, key, url, end, url)).replace(b"TEXT", TEXT.encode())
        images = read(tmp_path, body, [*range(0, len(body), every)] if every else []).images
        assert [image.read() for image in images if isinstance(image, Image)] == [SMALL["png"]] * 2, at
        assert [image.url for image in images if isinstance(image, LinkedImage)] == ["https://a.example/x"], at


def test_a_large_picture_under_a_broken_key_is_read_while_it_arrives(tmp_path: Path) -> None:
    large = SMALL["png"] + b"\0" * 6_000_000
    body = f'{{"data": [{{"b6\n4_json": "{base64.b64encode(large).decode()}", "u\nrl": null}}]}}'.encode()
    (image,) = read(tmp_path, body, [*range(0, len(body), 65_536)]).images
    assert isinstance(image, Image) and image.read() == large


@pytest.mark.parametrize("width", [60, 64, 72, 76, 77, 78, 79, 80, 128, 1000])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_a_body_whose_lines_are_broken_at_a_width_loses_no_picture(width: int, end: bytes, tmp_path: Path) -> None:
    item = f'{{"b64_json": "{TEXT.replace("/", chr(92) + "/")}", "revised_prompt": "A boat", "url": ""}}'
    body = wrapped(f'{{"data": [{", ".join([item] * 6)}], "a": []}}'.encode(), width, end)
    images = read(tmp_path, body, []).images
    assert [image.read() for image in images if isinstance(image, Image)] == [SMALL["png"]] * 6


def test_a_text_beside_a_picture_that_is_no_text_loses_no_picture(tmp_path: Path) -> None:
    body = b'{"data": [{"revised_prompt": "a \xff \n b", "b64_json": "TEXT"}]}'.replace(b"TEXT", TEXT.encode())
    (image,) = read(tmp_path, body, []).images
    assert isinstance(image, Image) and image.read() == SMALL["png"]
    assert image.revised_prompt == "a \ufffd \n b"


def test_an_address_that_only_begins_like_a_picture_stays_one(tmp_path: Path) -> None:
    for url in ("d", "data", "database.example/x", "da:ta:"):
        body = json.dumps({"data": [{"url": url}]}).encode()
        assert read(tmp_path, body, [*range(len(body))]).images == (LinkedImage(url, None, None),)
