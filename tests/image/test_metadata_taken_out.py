"""Metadata that were put into a file are taken out again, and what is left are the bytes as they came."""

from __future__ import annotations

import io

import pytest
from image_pictures import PICTURES, drawn

from flowdsl.image.formats import media_type
from flowdsl.image.metadata import packet, with_packet, without_packet


def written(content: bytes, xmp: bytes) -> bytes:
    mime = media_type(content)
    assert mime is not None
    pieces = with_packet(mime, io.BytesIO(content), xmp)
    assert pieces is not None
    return b"".join(piece if isinstance(piece, bytes) else content[slice(*piece)] for piece in pieces)


@pytest.mark.parametrize("prompt", ["", "a fox", "a hut" * 5000], ids=["none", "odd", "long"])
@pytest.mark.parametrize("name", [name for name in PICTURES if name.endswith(("png", "jpg", "webp"))])
def test_the_bytes_are_those_that_came(name: str, prompt: str) -> None:
    content, mime = PICTURES[name]
    changed = written(content, packet({"Iptc4xmpExt:AIPromptInformation": prompt}))
    assert changed != content
    assert content in without_packet(mime, changed)
    assert without_packet(mime, content) == []


@pytest.mark.parametrize("mime", ["image/png", "image/jpeg", "image/webp", "image/gif", "text/plain"])
def test_what_is_damaged_is_taken_as_having_none(mime: str) -> None:
    changed = written(drawn("PNG"), packet({}))
    for content in (b"", changed[:8], changed[:60], changed[:-30], b"RIFF" + changed[4:8] + b"WEBPVP8X" + changed[16:]):
        assert isinstance(without_packet(mime, content), list)
