"""The catalogue beside the types of the official client, as it is installed: its models, parameters and their values.

The client is read as data; nothing is sent. What differs for a reason stands with that under `explained` in
`models.json`.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, NamedTuple

from flowdsl import UsageError
from flowdsl_steps.image.catalogue import Catalogue, Model, catalogue
from flowdsl_steps.image.option_check import REASONING_EFFORTS, SVG_KEYS
from flowdsl_steps.image.vendor import Comparison

_NOT_FACTS = frozenset({"prompt", "model", "n", "size", "user"})
"""Parameters that every model has."""


class Client(NamedTuple):
    """What the client says: its version, the names of models, and of generation and of edits each parameter with the
    values that it lists, none where it takes any."""

    version: str
    models: frozenset[str]
    parameters: Mapping[str, frozenset[str]]


class Difference(NamedTuple):
    """One thing that only one of the two says: `key` names it as `explained` would, `entry` is what to write."""

    key: str
    text: str
    entry: str = ""


def compared() -> Comparison:
    """What differs, in words.

    Raises:
        UsageError: the client is not installed, or has another form than it had.
    """
    known, client = catalogue(), installed_client()
    explained: Mapping[str, str] = known.facts["generic"].get("explained", {})
    found = list(differences(client, known))
    new = [each for each in found if each.key not in explained]
    lines = [f"The catalogue of {known.facts['as_of']} beside openai {client.version}:"]
    lines += [f"- {each.text}" + (f"\n  write: {each.entry}" if each.entry else "") for each in new]
    lines += [f"- {each.text}: {explained[each.key]}" for each in found if each.key in explained]
    lines.append(f"{len(new)} unexplained" if new else "nothing differs that is not explained")
    return Comparison("\n".join(lines), bool(new))


def installed_client() -> Client:
    """What the installed client says.

    Raises:
        UsageError: it is not there, or has another form than it had.
    """
    try:
        from openai import __version__ as version
        from openai.types import image_edit_params, image_generate_params
        from openai.types.image_model import ImageModel
    except ImportError as error:
        hint = "`pip install openai`" if error.name == "openai" else f"it has no {error.name}: read its types by hand"
        raise UsageError(f"the client to compare with cannot be read: {hint}") from None
    parameters: dict[str, set[str]] = {}
    for module, name in ((image_generate_params, "ImageGenerateParams"), (image_edit_params, "ImageEditParams")):
        for form in (f"{name}Base", f"{name}NonStreaming", f"{name}Streaming"):
            kind = getattr(module, form, None)
            if kind is None:
                raise UsageError(f"openai {version} has no {form}: read its types by hand")
            for parameter, annotation in typing.get_type_hints(kind, include_extras=False).items():
                parameters.setdefault(parameter, set()).update(_literals(annotation))
        svg = getattr(module, "Svg", None)
        if svg is None:
            raise UsageError(f"openai {version} has no Svg: read its types by hand")
        parameters["svg"].update(typing.get_type_hints(svg))
        parameters["svg"].update(
            f"effort {each}" for each in _literals(typing.get_type_hints(module.SvgReasoning)["effort"])
        )
    values = {name: frozenset(found) for name, found in parameters.items()}
    return Client(version, frozenset(_literals(ImageModel)), values)


def differences(client: Client, known: Catalogue) -> Iterator[Difference]:
    """Everything that only one of the two says."""
    names = {name: model for model in known.models for name in (model.name, *model.snapshots)}
    for name in sorted(client.models - set(names)):
        text = f"the client has the model `{name}`, which the catalogue lacks"
        yield Difference(f"model {name}", text, _entry(name, known))
    for name, model in names.items():
        if name not in client.models and model.dates("openai") is not None:
            yield Difference(f"model {name}", f"the catalogue has the model `{name}`, which the client lacks")
    mine = _parameters(known)
    for name in sorted(set(client.parameters) - set(mine)):
        text = f"the client has the parameter `{name}`, which the catalogue lacks"
        yield Difference(name, text, f'"{name}": true, or its values, under `params` of the models that have it')
    for name in sorted(set(mine) - set(client.parameters)):
        yield Difference(name, f"the catalogue has the parameter `{name}`, which the client lacks")
    for name in sorted(set(mine) & set(client.parameters)):
        theirs, ours = client.parameters[name], mine[name]
        if not theirs or (not ours and name != "size"):
            continue
        for value in sorted(theirs - ours):
            text = f"the client has `{value}` as `{name}`, which the catalogue lacks"
            yield Difference(f"{name} {value}", text, f'"{value}" under `values` of `{name}`')
        for value in sorted(ours - theirs) if name != "size" else ():
            yield Difference(f"{name} {value}", f"the catalogue has `{value}` as `{name}`, which the client lacks")


def _entry(name: str, known: Catalogue) -> str:
    """The entry for a model that is new, as the one that its name is nearest to."""
    like = known.find(known.nearest(name) or "") or next(each for each in known.models if each.life("openai").state)
    return f'[models."{name}"] like = "{like.name}" in flowdsl.toml; in models.json {json.dumps({name: _data(like)})}'


def _data(like: Model) -> dict[str, Any]:
    return {"family": like.family, "life": {"openai": {"released": "?"}}, "prices": "?", "sources": ["sdk"]}


def _parameters(known: Catalogue) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = dict.fromkeys(_NOT_FACTS, frozenset())
    for model in known.models:
        for name, parameter in model.parameters.items():
            found[name] = found.get(name, frozenset()) | {*parameter.values, *parameter.maybe}
        found["svg"] = frozenset((*SVG_KEYS, *(f"effort {each}" for each in REASONING_EFFORTS)))
        sizes = {*model.sizes.values, *(("auto",) if model.sizes.auto else ())}
        found["size"] = found["size"] | sizes
    return found


def _literals(annotation: Any) -> Iterator[str]:
    """The texts that a type lists, wherever they stand in it."""
    origin = typing.get_origin(annotation)
    if origin is Literal:
        yield from (value for value in typing.get_args(annotation) if isinstance(value, str))
    elif origin is not None or isinstance(annotation, types.UnionType):
        for inner in typing.get_args(annotation):
            yield from _literals(inner)
