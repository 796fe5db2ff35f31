"""A `multipart/form-data` body, taken apart as strictly as a vendor does."""

from __future__ import annotations

import re
from dataclasses import dataclass

from flowdsl_steps.image.simulator.refusal import Refusal, refused

_BOUNDARY = re.compile(r"""multipart/form-data\s*;.*?\bboundary=(?:"([^"]+)"|([^\s;,"]+))""", re.IGNORECASE)
_NAME = re.compile(rb'form-data(?=[^\r]*?;\s*name="([^"\r]*)")(?:[^\r]*?;\s*filename="([^"\r]*)")?', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:\s*([^\s;]+)", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True)
class File:
    """A file of a form: the name of its field, its own name, its media type as sent, and its bytes."""

    field: str
    name: str
    media_type: str
    content: bytes


def parsed_form(content_type: str, raw: bytes) -> tuple[dict[str, str], list[File]]:
    """The fields and the files of a form.

    Raises: Refusal for what is no such form.
    """
    found = _BOUNDARY.match(content_type)
    if found is None:
        message = (
            f"Unsupported content type: '{content_type}'. This API method only accepts 'multipart/form-data' requests. "
            "Please try again with a supported content type."
        )
        raise refused(message, code="unsupported_content_type")
    mark = b"--" + (found[1] or found[2]).encode("latin-1")
    first, *pieces = (b"\r\n" + raw).split(b"\r\n" + mark)
    if first.strip() or not pieces or not pieces[-1].startswith(b"--"):
        raise _unreadable()
    fields: dict[str, str] = {}
    files: list[File] = []
    for piece in pieces[:-1]:
        head, separator, content = piece.partition(b"\r\n\r\n")
        named = _NAME.search(head)
        if not separator or named is None:
            raise _unreadable()
        name, own = named[1].decode("utf-8", "replace"), named[2]
        if own is None:
            fields[name] = content.decode("utf-8", "replace")
        else:
            kind = _TYPE.search(head.lstrip(b"\r\n"))
            media_type = kind[1].decode("latin-1").lower() if kind else "application/octet-stream"
            files.append(File(name, own.decode("utf-8", "replace"), media_type, content))
    return fields, files


def _unreadable() -> Refusal:
    return refused("We could not parse the multipart form of your request.", code=None)
