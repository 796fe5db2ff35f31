"""The fields of a request for pictures, read from JSON or a form: what they are called and of which type they are.

What values they may have is no matter of this file: the flow of the request is checked for that as any other.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any, NamedTuple

from flowdsl.checker.inputs import SPELLED
from flowdsl.nearest import nearest
from flowdsl.secrets.plain import without_keys
from flowdsl.serve.refusal import Refusal

MOST_UNKNOWN = 20
"""So many names that there are not are looked at: each is compared with those there are."""
TEXT, NUMBER, FLAG = "a string", "an integer", "a boolean"
FIELDS: Mapping[str, str] = {
    "model": TEXT,
    "prompt": TEXT,
    "background": TEXT,
    "moderation": TEXT,
    "n": NUMBER,
    "output_compression": NUMBER,
    "output_format": TEXT,
    "partial_images": NUMBER,
    "quality": TEXT,
    "response_format": TEXT,
    "size": TEXT,
    "stream": FLAG,
    "style": TEXT,
    "user": TEXT,
}
"""The fields that the API documents, the model first."""
NEWER: Mapping[str, str] = {
    "complexity": TEXT,
    "frame_count": NUMBER,
    "frame_duration_ms": NUMBER,
    "safety_identifier": TEXT,
}
"""Fields that the vendor has added since."""
OF_EDITS: Mapping[str, str] = {"input_fidelity": TEXT}
_KNOWN: Mapping[str, str] = {**FIELDS, **NEWER}
KNOWN_OF_EDITS: Mapping[str, str] = {**_KNOWN, **OF_EDITS}
OF_GENERATIONS = ("style",)
"""What an edit does not have; it is told so by what checks flows."""
NOT_IN_FORMS = ("moderation",)
"""What an edit has as JSON alone."""
_OF_PICTURES = frozenset({*OF_EDITS, "image", "images", "image[]", "mask"})
FORMATS = ("url", "b64_json")
_PYTHON = {TEXT: str, NUMBER: int, FLAG: bool}
_LONGEST_SHOWN = 60
_LONGEST_READ = 1000
_LONGEST_PARAM = 200


class Asked(NamedTuple):
    """What a request asks for: `options` are the fields that the step has, `images` and `mask` the pictures to edit.
    `response_format` is None where the request does not say it."""

    model: str
    prompt: str
    options: Mapping[str, Any]
    response_format: str | None
    stream: bool
    is_edit: bool = False
    images: tuple[Any, ...] = ()
    mask: Any = None


def asked(
    body: Mapping[str, Any], *, deployment: str | None = None, is_edit: bool = False, is_form: bool = False
) -> Asked | list[Refusal]:
    """What the fields of a request ask for, or everything that is wrong with their names and types; a field that is
    null counts as absent."""
    known = KNOWN_OF_EDITS if is_edit else _KNOWN
    given = {name: value for name, value in body.items() if value is not None}
    if deployment is not None:
        given["model"] = deployment
    wrong = [_unknown(name, known) for name in islice((name for name in body if name not in known), MOST_UNKNOWN)]
    wrong += [
        _mistyped(name, given[name], kind, is_form=is_form)
        for name, kind in known.items()
        if name in given and not _fits(given[name], kind)
    ]
    faulty = {each.param for each in wrong}
    for name in ("model", "prompt"):
        if name not in faulty and not str(given.get(name, "")).strip():
            message = f"You must provide a {name} parameter."
            wrong.insert(0, Refusal(400, message, param=name, code="missing_required_parameter"))
    form = given.pop("response_format", None)
    if form is not None and "response_format" not in faulty and form not in FORMATS:
        message = f"Invalid value for 'response_format': {shown(form)}. It is one of {' or '.join(FORMATS)}."
        wrong.append(Refusal(400, message, param="response_format", code="invalid_value"))
    if wrong:
        return sorted(wrong, key=lambda each: (*known, each.param).index(each.param))
    model, prompt = given.pop("model"), given.pop("prompt")
    return Asked(model, prompt, given, form, bool(given.get("stream")), is_edit)


def json_body(raw: bytes, content_type: str, also: str = "") -> dict[str, Any]:
    """The JSON object that is the body of a request; `also` says what else the address takes.

    Raises:
        Refusal: it is none.
    """
    takes = f"This address takes {also}'application/json'."
    if not raw:
        raise Refusal(400, f"The request has no body. {takes}", code="invalid_json")
    kind = content_type.partition(";")[0].strip()
    if kind.lower() != "application/json":
        what = f"Unsupported content type: {shown(kind)}" if content_type else "The request has no content type"
        raise Refusal(400, f"{what}. {takes}", code="unsupported_content_type")
    try:
        text = raw.decode(json.detect_encoding(raw))
        body = _DECODER.decode(text)
        if "\\u" in text:
            json.dumps(body, ensure_ascii=False).encode()  # half a surrogate pair is no text
    except (ValueError, RecursionError) as error:
        said = f" {error}." if isinstance(error, _Twice) else ""
        if isinstance(error, json.JSONDecodeError):
            said = f" {error.msg}: line {error.lineno}, column {error.colno}."
        message = f"We could not parse the JSON body of your request.{said}"
        raise Refusal(400, message, code="invalid_json") from None
    if not isinstance(body, dict):
        message = "We could not parse the JSON body of your request. The API expects a JSON object."
        raise Refusal(400, message, code="invalid_json")
    return body


def form_values(fields: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """The fields of a form with the types that the API gives them; what has another stays a text, and is refused."""
    found: dict[str, Any] = {}
    for name, text in fields:
        if name in found:
            raise Refusal(
                400, f"The field {shown(name)} is there twice.", param=param_of(name), code="duplicate_parameter"
            )
        found[name] = _typed(text, KNOWN_OF_EDITS.get(name, TEXT))
    return found


def shown(value: Any) -> str:
    """A value of a request in a message: no more of it than tells which one is meant, and no key that somebody put
    there by mistake."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    text = without_keys(text[:_LONGEST_READ])
    text = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text[: _LONGEST_SHOWN + 1])
    return f"'{text[:_LONGEST_SHOWN]}…'" if len(text) > _LONGEST_SHOWN else f"'{text}'"


def param_of(name: str) -> str:
    """The name of a field that there is not, as the `param` of a refusal."""
    return without_keys(name[:_LONGEST_PARAM])


def _typed(text: str, kind: str) -> Any:
    digits = text.removeprefix("-")
    if kind == NUMBER and digits.isascii() and digits.isdigit() and len(digits) < 19:
        return int(text)
    return {"true": True, "false": False}.get(text.lower(), text) if kind == FLAG else text


def _fits(value: Any, kind: str) -> bool:
    return isinstance(value, _PYTHON[kind]) and not (kind == NUMBER and isinstance(value, bool))


def _mistyped(name: str, value: Any, kind: str, *, is_form: bool) -> Refusal:
    right = _meant(value, kind)
    quotes = ", without quotes" if isinstance(value, str) and not is_form else ""
    hint = "" if right is None else f" Write {right}{quotes}."
    message = f"Invalid type for '{name}': expected {kind}, but got {_kind(value)} instead.{hint}"
    return Refusal(400, message, param=name, code="invalid_type")


def _meant(value: Any, kind: str) -> str | None:
    """The value of the right type that is meant, as JSON has it."""
    if kind == FLAG:
        return {**SPELLED, "true": "true", "false": "false"}.get(str(value).lower())
    if kind == NUMBER and isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else None
    digits = value.strip() if kind == NUMBER and isinstance(value, str) else ""
    return digits if digits.isascii() and digits.isdigit() and len(digits) < 10 else None


def _unknown(name: str, known: Iterable[str]) -> Refusal:
    near = nearest(name, known)
    hint = f" Did you mean '{near}'?" if near else ""
    if name in _OF_PICTURES:
        in_edits = " In JSON the pictures to edit are 'images', and each is an object with 'image_url'."
        hint = in_edits if "input_fidelity" in known else " It goes with edits: POST …/images/edits."
    return Refusal(400, f"Unknown parameter: {shown(name)}.{hint}", param=param_of(name), code="unknown_parameter")


def _kind(value: Any) -> str:
    kinds = ((bool, FLAG), (int, NUMBER), (float, "a number"), (str, TEXT), (list, "an array"))
    return next((word for kind, word in kinds if isinstance(value, kind)), "an object")


class _Twice(ValueError):
    pass


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise _Twice(f"The key {shown(next(name for name in names if names.count(name) > 1))} is there twice")
    return found


def _no_number(word: str) -> Any:
    raise ValueError(word)


_DECODER = json.JSONDecoder(parse_constant=_no_number, object_pairs_hook=_once)
