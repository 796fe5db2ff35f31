"""What `input` and `output` of records may hold: the keys and their types, and what is wrong with values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath, PureWindowsPath
from typing import Any, NamedTuple

from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.step.rules import UNKNOWN

_SCANNERS: Mapping[str, Mapping[str, str]] = {
    "lines": {"custom_delimiter": "text", "max_buffer_size": "number", "omit_empty": "boolean"},
    "to_the_end": {},
    "csv": {"custom_delimiter": "text", "parse_header_row": "boolean", "lazy_quotes": "boolean"},
}
_CSV = {"paths": "texts", "parse_header_row": "boolean", "delimiter": "text", "lazy_quotes": "boolean"}
_INPUTS: Mapping[str, Mapping[str, str]] = {
    "stdin": {"scanner": "scanner"},
    "file": {"paths": "texts", "scanner": "scanner"},
    "csv": _CSV,
}
_OUTPUTS: Mapping[str, Mapping[str, str]] = {
    "stdout": {"codec": "text"},
    "file": {"path": "text", "codec": "text"},
    "drop": {},
}
_INSTEAD = {
    "input": "what comes from elsewhere is piped in: `… | flowdsl run FILE`, a message a line",
    "output": "what goes elsewhere is copied from the files",
}
_REQUIRED = {"file": {"input": "paths", "output": "path"}, "csv": {"input": "paths"}}
_PASSED_OVER: Mapping[str, Any] = {"auto_replay_nacks": None, "delete_on_finish": False, "batch_count": 1}
"""Keys of the engine that change nothing here, where they have these values (None: any)."""


MESSAGE = "message of a batch"
"""What stands in the FlowContext under this name is the only message, in place of those of an input."""


class Wrong(NamedTuple):
    """What is wrong with a setting: the way to its place, the words, a hint, and the key that would be right."""

    inside: tuple[str | int, ...]
    message: str
    hint: str | None = None
    near: str | None = None
    on_key: bool = False
    code: str = "unknown-key"


def input_faults(settings: Any) -> Iterator[Wrong]:
    """What is wrong with an `input`."""
    yield from _faults("input", settings, _INPUTS)


def output_faults(settings: Any) -> Iterator[Wrong]:
    """What is wrong with an `output`."""
    for wrong in _faults("output", settings, _OUTPUTS):
        yield wrong
        return
    if isinstance(settings, Mapping) and isinstance(settings.get("file"), Mapping):
        path, codec = settings["file"].get("path"), settings["file"].get("codec")
        if isinstance(path, str) and _leaves(path):
            hint = (
                "files are written below the output folder (`--out`, or the host's Storage(output=…)): name them from "
                "there, such as `pictures/cat.png`"
            )
            yield Wrong(("file", "path"), f"`path` leaves the output folder: {show(path)}", hint, code="outside-output")
        if isinstance(codec, str) and codec not in ("lines", "append", "all-bytes") and not codec.startswith("delim:"):
            message = f"{show(codec)} is not a codec: there are `lines`, `append`, `delim:x` and `all-bytes`"
            near = nearest(codec, ("lines", "append", "all-bytes"))
            yield Wrong(("file", "codec"), message, near and f"did you mean `{near}`?", near, code="not-a-choice")


def _leaves(path: str) -> bool:
    plain = path.replace("\\", "/")
    return PurePosixPath(plain).is_absolute() or bool(PureWindowsPath(path).drive) or ".." in PurePosixPath(plain).parts


_EXAMPLES = {"paths": "[products.csv]", "path": "pictures/cat.png"}


def _faults(what: str, settings: Any, kinds: Mapping[str, Mapping[str, str]]) -> Iterator[Wrong]:
    names = ", ".join(f"`{name}`" for name in kinds)
    if settings is UNKNOWN:
        return
    if not isinstance(settings, Mapping):
        yield Wrong((), f"`{what}` takes a map, not {show(settings)}", f"it has one of {names}", code="wrong-type")
        return
    found = [name for name in settings if name in kinds]
    for name in settings:
        if name not in kinds:
            near = nearest(name, kinds)
            hint = f"did you mean `{near}`?" if near else f"supported here: {names}; {_INSTEAD[what]}"
            yield Wrong((name,), f"`{name}` is not an {what} that is supported here", hint, near, on_key=True)
            return
    if len(found) != 1:
        many = f"there are {len(found)}" if found else "there is none"
        yield Wrong(
            (), f"`{what}` has one of {names}, and here {many}", code="conflicting-keys" if found else "missing-key"
        )
        return
    (kind,) = found
    own = settings[kind]
    if own is None or own is UNKNOWN:
        own = {}
    if not isinstance(own, Mapping):
        yield Wrong((kind,), f"`{kind}` takes a map, not {show(own)}", f"write `{kind}: {{}}`", code="wrong-type")
        return
    yield from _keys(kind, own, kinds[kind], (kind,))
    required = _REQUIRED.get(kind, {}).get(what)
    misspelt = {nearest(name, kinds[kind]) for name in own if name not in kinds[kind]}
    if required is not None and own.get(required) in (None, "", []) and required not in misspelt:
        hint = f"add `{required}: {_EXAMPLES.get(required, '…')}`"
        yield Wrong((kind,), f"`{kind}` needs `{required}`", hint, on_key=True, code="missing-key")


def _keys(what: str, own: Mapping[str, Any], keys: Mapping[str, str], inside: tuple[str | int, ...]) -> Iterator[Wrong]:
    for name, value in own.items():
        if name in _PASSED_OVER and name not in keys:
            usual = _PASSED_OVER[name]
            if usual is not None and value != usual:
                hint = f"leave it out, or write `{name}: {show(usual).strip('`')}`"
                yield Wrong(
                    (*inside, name), f"`{name}: {show(value).strip('`')}` is not supported here", hint, on_key=True
                )
        elif name not in keys:
            near = nearest(name, keys)
            known = ", ".join(f"`{key}`" for key in keys) or "none"
            hint = f"did you mean `{near}`?" if near else f"supported here: {known}"
            yield Wrong(
                (*inside, name), f"`{name}` is not a field of `{what}` that is supported here", hint, near, on_key=True
            )
        elif value is not None and value is not UNKNOWN:
            yield from _value(name, value, keys[name], (*inside, name))


def _value(name: str, value: Any, kind: str, inside: tuple[str | int, ...]) -> Iterator[Wrong]:
    if kind == "scanner":
        if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _SCANNERS:
            hint = "supported here: `scanner: {lines: {}}`, `{to_the_end: {}}` and `{csv: {}}`"
            yield Wrong(inside, "this scanner is not supported here", hint, code="wrong-type")
            return
        (scanner,) = value
        own = value[scanner] or {}
        if not isinstance(own, Mapping):
            yield Wrong(
                (*inside, scanner),
                f"`{scanner}` takes a map, not {show(own)}",
                f"write `{scanner}: {{}}`",
                code="wrong-type",
            )
            return
        yield from _keys(scanner, own, _SCANNERS[scanner], (*inside, scanner))
        return
    fits = {
        "text": isinstance(value, (str, int, float)) and not isinstance(value, bool),
        "number": isinstance(value, int) and not isinstance(value, bool) and value > 0,
        "boolean": isinstance(value, bool),
        "texts": isinstance(value, (list, tuple)) and all(isinstance(item, str) or item is UNKNOWN for item in value),
    }
    if not fits[kind]:
        words = {"text": "a text", "number": "a whole number", "boolean": "true or false", "texts": "a list of paths"}
        yield Wrong(inside, f"`{name}` takes {words[kind]}, not {show(value)}", code="wrong-type")
    elif kind == "text" and name in ("delimiter",) and len(str(value)) != 1:
        yield Wrong(inside, f"`{name}` is one character, not {show(value)}", code="wrong-type")
