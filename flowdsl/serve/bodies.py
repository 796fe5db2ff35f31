"""The body of a request: read within a limit and a time, as JSON or as a form with pictures."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException
from starlette.requests import ClientDisconnect, Request

from flowdsl.nearest import nearest
from flowdsl.serve.content import note_fields
from flowdsl.serve.fields import KNOWN_OF_EDITS, NOT_IN_FORMS, Asked, asked, form_values, json_body, param_of, shown
from flowdsl.serve.reading import Held
from flowdsl.serve.refusal import Refusal, all_of
from flowdsl.values import Blob

LONGEST_JSON = 32 * 1024 * 1024
"""An edit may hold pictures as `data:` addresses."""
LONGEST_FORM = 256 * 1024 * 1024
PATIENCE_S = 120.0
"""So long a body may take."""
_MOST_PICTURES = 16
_MOST_FIELDS = 64
_LONGEST_FIELD = 1024 * 1024
_FORM = "multipart/form-data"
logging.getLogger("python_multipart").addHandler(logging.NullHandler())
"""What is wrong with a form is told to who sent it. Without a handler it is a line on standard error too, among those
of the log."""
_LINKS = ("https://", "http://", "data:image/")


class ClientGone(Exception):
    """The client left before its request was there."""


async def generation(request: Request, deployment: str | None) -> Asked:
    """What a request for new pictures asks for.

    Raises:
        Refusal: it cannot be read, or its fields have other names and types.
    """
    body = json_body(await whole_body(request, LONGEST_JSON), request.headers.get("content-type", ""))
    note_fields(request.scope["state"], body, KNOWN_OF_EDITS)
    return _accepted(asked(body, deployment=deployment))


async def json_object(request: Request) -> dict[str, Any]:
    """The JSON object that a request has; an empty one where it has no body.

    Raises:
        Refusal: it cannot be read.
    """
    raw = await whole_body(request, LONGEST_JSON)
    return json_body(raw, request.headers.get("content-type", "")) if raw else {}


async def edit(request: Request, deployment: str | None) -> Asked:
    """What a request for edited pictures asks for, its pictures read.

    Raises:
        Refusal: it cannot be read, or its fields have other names and types.
    """
    kind, wrong = request.headers.get("content-type", ""), list[Refusal]()
    if kind.partition(";")[0].strip().lower() != _FORM:
        body = json_body(await whole_body(request, LONGEST_JSON), kind, "a form with files, 'multipart/form-data', or ")
        images, mask = body.pop("images", None), body.pop("mask", None)
        note_fields(request.scope["state"], body, KNOWN_OF_EDITS)
        found = asked(body, deployment=deployment, is_edit=True)
        links = tuple(_linked(images, "images", wrong))
        masks = _linked(None if mask is None else [mask], "mask", wrong)
        return _with_pictures(found, links, masks[0] if masks else None, wrong, is_form=False)
    _check_head(request, LONGEST_FORM)
    limited = Request(request.scope, _limited(request, LONGEST_FORM))
    try:
        async with (
            held_of(request).within(PATIENCE_S),
            limited.form(max_files=_MOST_PICTURES + 1, max_fields=_MOST_FIELDS, max_part_size=_LONGEST_FIELD) as form,
        ):
            files: dict[str, list[Blob]] = {"image": [], "mask": []}
            fields: list[tuple[str, str]] = []
            for name, value in form.multi_items():
                if isinstance(value, UploadFile):
                    field = name.removesuffix("[]")
                    if name in KNOWN_OF_EDITS:
                        message = f"Invalid type for '{name}': expected a field of the form, but got a file instead."
                        wrong.append(Refusal(400, message, param=name, code="invalid_type"))
                    elif field in files:
                        files[field].append(Blob(await value.read(), value.content_type or "", value.filename or None))
                    else:
                        near = nearest(field, files)
                        hint = f" Did you mean '{near}'?" if near else " The pictures to edit are 'image'."
                        message = f"Unknown file: {shown(name)}.{hint}"
                        wrong.append(Refusal(400, message, param=param_of(name), code="unknown_parameter"))
                elif name.removesuffix("[]") in files:
                    how = "curl sends one by `-F image=@FILE`, with an @."
                    message = f"Invalid type for {shown(name)}: expected a file, but got a text instead; {how}"
                    wrong.append(Refusal(400, message, param=name, code="invalid_type"))
                else:
                    fields.append((name, value))
    except ClientDisconnect:
        raise ClientGone from None
    except (MultiPartException, FormParserError) as error:  # older versions of starlette let the second pass
        why = error.message if isinstance(error, MultiPartException) else "Invalid multipart data."
        raise Refusal(400, f"We could not parse the form of your request: {why}", code="invalid_form") from None
    body = form_values(fields)
    note_fields(request.scope["state"], body, KNOWN_OF_EDITS)
    for name in (name for name in NOT_IN_FORMS if name in body):
        message = f"A form has no '{name}': send the edit as 'application/json', with 'images'."
        wrong.append(Refusal(400, message, param=name, code="unknown_parameter"))
    found = asked(body, deployment=deployment, is_edit=True, is_form=True)
    if isinstance(found, list):  # what came as a file is not missing
        found = [each for each in found if each.param not in {other.param for other in wrong}]
    if len(files["mask"]) > 1:
        wrong.append(Refusal(400, "There can be one mask.", param="mask", code="invalid_value"))
    return _with_pictures(found, tuple(files["image"]), files["mask"][0] if files["mask"] else None, wrong)


def _with_pictures(
    found: Asked | list[Refusal],
    images: tuple[Any, ...],
    mask: Any,
    wrong: Sequence[Refusal] = (),
    *,
    is_form: bool = True,
) -> Asked:
    """What is asked for, with its pictures; what is `wrong` with them is told with what is wrong with the fields."""
    told = [*(found if isinstance(found, list) else ()), *wrong]
    name = "image" if is_form else "images"
    if not images and not wrong and not any(each.param in ("image", "image[]", "images") for each in told):
        what = "files of the form" if is_form else "a list, and each picture in it an object with `image_url`"
        message = f"You must provide an {name} parameter: the pictures to edit, {what}."
        told.append(Refusal(400, message, param=name, code="missing_required_parameter"))
    if len(images) > _MOST_PICTURES:
        message = f"There are {len(images)} pictures to edit, and at most {_MOST_PICTURES} are taken."
        told.append(Refusal(400, message, param=name, code="invalid_value"))
    if told or isinstance(found, list):
        raise all_of(told)
    return found._replace(images=images, mask=mask)


def _linked(values: Any, name: str, wrong: list[Refusal]) -> list[str]:
    """The addresses of pictures to edit: never a path, which would be one of this machine. The first that is none is
    added to what is `wrong`."""
    links = []
    for value in values if isinstance(values, list) else [] if values is None else [values]:
        link = value.get("image_url") if isinstance(value, dict) and len(value) == 1 else None
        if values is value or not isinstance(link, str) or not link.lower().startswith(_LINKS):
            what = "it is a list, and each picture in it" if values is value else "each picture is"
            message = f"Invalid value for '{name}': {what} an object with `image_url`, a web or a data: address."
            if isinstance(value, dict) and "file_id" in value:
                message += " There is no `file_id` here: a gateway keeps no files."
            wrong.append(Refusal(400, message, param=name, code="invalid_value"))
            break
        links.append(link)
    return links


def _accepted(found: Asked | list[Refusal]) -> Asked:
    if isinstance(found, list):
        raise all_of(found)
    return found


async def whole_body(request: Request, most: int) -> bytes:
    """The body of a request, whatever it is.

    Raises:
        ClientGone: it did not come, and will not.
        Refusal: it has more bytes than this, or takes too long.
    """
    _check_head(request, most)
    pieces: list[bytes] = []
    receive = _limited(request, most)
    async with held_of(request).within(PATIENCE_S):
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientGone
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                break
    return b"".join(pieces)


def held_of(request: Request) -> Held:
    """What counts the body of a request."""
    found: Held = request.scope["state"]["held"]
    return found


def _limited(request: Request, most: int) -> Any:
    """What gives the messages of a body, and refuses one that grows beyond a limit."""
    length, held = 0, held_of(request)

    async def receive() -> Any:
        nonlocal length
        message = await request.receive()
        came = len(message.get("body", b""))
        length += came
        if length > most:
            raise _too_large(most)
        held.take(came)
        return message

    return receive


def _check_head(request: Request, most: int) -> None:
    """Looks at what the head of a request says of its body."""
    encoding = request.headers.get("content-encoding", "identity").strip()
    if encoding.lower() != "identity":
        message = f"Unsupported content encoding: {shown(encoding)}. Send the body as it is, without compressing it."
        raise Refusal(400, message, code="unsupported_content_encoding")
    said = request.headers.get("content-length", "")
    if said.isdecimal() and int(said[:20]) > most:
        raise _too_large(most)


def _too_large(most: int) -> Refusal:
    message = f"The body is larger than {most} bytes."
    return Refusal(413, message, code="request_too_large", headers={"connection": "close"})
