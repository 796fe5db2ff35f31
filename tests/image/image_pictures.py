"""Small pictures of every kind, 61 by 43."""

from __future__ import annotations

import io

from PIL import Image as Pillow


def drawn(kind: str, size: tuple[int, int] = (61, 43), **options: object) -> bytes:
    out = io.BytesIO()
    Pillow.new("RGB", size, (200, 30, 40)).save(out, kind, **options)
    return out.getvalue()


PICTURES = {
    "png": (drawn("PNG"), "image/png"),
    "jpg": (drawn("JPEG"), "image/jpeg"),
    "progressive.jpg": (drawn("JPEG", progressive=True), "image/jpeg"),
    "gif": (drawn("GIF"), "image/gif"),
    "lossy.webp": (drawn("WEBP"), "image/webp"),
    "lossless.webp": (drawn("WEBP", lossless=True), "image/webp"),
    "profile.webp": (drawn("WEBP", icc_profile=b"x" * 100), "image/webp"),
    "svg": (
        b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg" width="61" height="43px"/>',
        "image/svg+xml",
    ),
    "box.svg": (b"\xef\xbb\xbf <svg viewBox='0 0 61 43'><path/></svg>", "image/svg+xml"),
}
