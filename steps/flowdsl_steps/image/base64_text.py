"""The base64 of a picture as vendors write it, decoded while it arrives."""

from __future__ import annotations

import json
from urllib.parse import unquote_to_bytes

import pybase64

from flowdsl.errors import StepError
from flowdsl.image.store import ImageWriter
from flowdsl_steps.image.received import BrokenResponse

_SPACE = b" \t\r\n"
_NOT_STANDARD = (b"-", b"_", b" ", b"\n", b"\r", b"\t")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_DATA = b"data:"
_LONGEST_DATA_HEAD = 256


class Base64Text:
    """Decodes the text of one JSON string while it arrives and hands the bytes to a writer. A data: address that is not
    base64 holds the bytes percent-encoded, as those of an SVG often are."""

    __slots__ = ("_carry", "_ended", "_head", "_held", "_percent", "_writer")

    def __init__(self, writer: ImageWriter) -> None:
        self._head: bytes | None = b""  # the beginning, until it is known whether it is the head of a data: address
        self._writer = writer
        self._carry = b""
        self._held = b""
        self._ended = False
        self._percent = False

    @property
    def is_escaped(self) -> bool:
        """Whether a quote that comes now belongs to the text."""
        return self._held == b"\\"

    def feed(self, text: bytes) -> None:
        """Takes the next part of the text.

        Raises:
            BrokenResponse: it is not base64, or more bytes than the writer or the disk takes.
        """
        if self._held or b"\\" in text:
            text = self._unescape(self._held + text)
        self._decode(text)

    def _unescape(self, text: bytes) -> bytes:
        """JSON escapes resolved; one that is cut by the end of the chunk is held back.

        Some servers write `/` as `\\/` and `+` as `\\u002B`, and some break lines, wherever they end.
        """
        text = text.translate(None, b"\r\n")
        cut = text.rfind(b"\\", max(0, len(text) - 5))
        whole = cut < 0 or (len(text) - cut >= 2 and text[cut + 1 : cut + 2] != b"u")
        if text.endswith(b"\\"):
            whole = (len(text) - len(text.rstrip(b"\\"))) % 2 == 0
        self._held = b"" if whole else text[cut:]
        try:
            plain: str = json.loads(b'"' + (text if whole else text[:cut]) + b'"')
            return plain.encode()
        except ValueError as error:
            raise _bad_base64() from error

    def _without_head(self, text: bytes) -> bytes:
        """What is base64 of the beginning: all of it, or what stands behind the comma of a data: address."""
        text = (self._head or b"") + text
        self._head = text
        if text[: len(_DATA)].lower() != _DATA[: len(text)]:
            self._head = None
            return text
        head, comma, content = text.partition(b",")
        if not comma:
            if len(text) > _LONGEST_DATA_HEAD:
                raise _bad_base64()
            return b""
        self._percent = not head.lower().endswith(b";base64")
        self._head = None
        return content

    def _decode(self, text: bytes) -> None:
        if self._head is not None:
            text = self._without_head(text)
        if self._percent:
            self._unquote(text)
            return
        if self._carry:
            text = self._carry + text
        content = _standard(text)
        if content is None:
            text = text.translate(_URL_SAFE, _SPACE)
            content = _standard(text)
        cut = len(text) & ~3
        self._carry = text[cut:]
        if not cut:
            return
        if self._ended or content is None:
            raise _bad_base64()
        self._ended = text[cut - 1 : cut] == b"="
        try:
            self._writer.write(content)
        except StepError as error:
            raise unstorable(error) from error

    def _unquote(self, text: bytes) -> None:
        text = self._carry + text
        cut = text.rfind(b"%", max(0, len(text) - 2))
        whole = text if cut < 0 else text[:cut]
        self._carry = text[len(whole) :]
        try:
            self._writer.write(unquote_to_bytes(whole))
        except StepError as error:
            raise unstorable(error) from error

    def finish(self) -> None:
        """The text has ended.

        Raises:
            BrokenResponse: before what it began.
        """
        if self._percent:
            if self._held or self._carry:
                raise _bad_base64()
            return
        if self._head:
            text, self._head = self._head, None
            if text.lower().startswith(_DATA):
                raise _bad_base64()
            self._decode(text)
        if self._held or len(self._carry) == 1:
            raise _bad_base64()
        if self._carry:  # some leave out the padding
            self._decode(b"=" * (4 - len(self._carry)))


def _standard(text: bytes) -> bytes | None:
    """The bytes of the whole groups of four; None where the text has signs beside those of standard base64. To look for
    these signs first would cost as much as decoding does."""
    cut = len(text) & ~3
    rest = text[cut:]
    if rest and any(each in rest for each in _NOT_STANDARD):
        return None
    try:
        return pybase64.b64decode(memoryview(text)[:cut], validate=True)
    except ValueError:
        return None


def _bad_base64() -> BrokenResponse:
    return BrokenResponse("bad-base64", "the response holds a picture whose base64 is broken")


def unstorable(error: StepError) -> BrokenResponse:
    """What a writer's refusal means for a response: it has too many bytes, or the disk does not take them."""
    if error.code == "image-too-large":
        return BrokenResponse("too-large", error.message)
    return BrokenResponse("unwritable", error.message, error=error)
