"""What is wrong with the steps for records, found before anything runs. Nothing heavy is imported until a text of
Bloblang is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from flowdsl.step.problem import Problem
from flowdsl.step.rules import UNKNOWN, Options
from flowdsl_steps.image.capabilities import check_image, of_endpoint
from flowdsl_steps.records.settings import Wrong, input_faults, output_faults

if TYPE_CHECKING:
    from flowdsl_steps.expressions.bloblang import Interpolation, Mapping

INTERPOLATED = ("quality", "size", "style")
"""The options of a picture that may have `${! … }` in them."""
BEGIN = "${!"


def check_records(options: Options) -> Iterator[Problem]:
    """Inputs and outputs that there are not, and what is wrong with theirs."""
    for key, faults in (("input", input_faults), ("output", output_faults)):
        value = options.given.get(key)
        if value is not None and value is not UNKNOWN:
            yield from (_problem(key, wrong) for wrong in faults(value))
    yield from _path(options.given.get("output"))


def _problem(key: str, wrong: Wrong) -> Problem:
    return Problem(wrong.code, wrong.message, key, wrong.hint, inside=wrong.inside, severity="error")


def _path(output: Any) -> Iterator[Problem]:
    path = output["file"].get("path") if isinstance(output, dict) and isinstance(output.get("file"), dict) else None
    if isinstance(path, str) and "${!" in path:
        from flowdsl_steps.expressions.bloblang import Interpolation, Mistake

        try:
            Interpolation(path)
        except Mistake as mistake:
            yield Problem("bloblang-syntax", mistake.message, "output", mistake.hint, inside=("file", "path"))


@lru_cache(maxsize=256)
def mapping_of(text: str) -> Mapping:
    """A mapping, made once for each text.

    Raises:
        Mistake: it is none.
    """
    from flowdsl_steps.expressions.bloblang import Mapping

    return Mapping(text)


def check_mapping(options: Options) -> Iterator[Problem]:
    """A mapping that is none."""
    text = options.given.get("mapping")
    if isinstance(text, str):
        from flowdsl_steps.expressions.bloblang import Mistake

        try:
            mapping_of(text)
        except Mistake as mistake:
            yield Problem("bloblang-syntax", mistake.message, "mapping", mistake.hint)


def check_record_image(options: Options) -> Iterator[Problem]:
    """What `check_image` finds as far as no message decides it, and mistakes in Bloblang."""
    given = dict(options.given)
    for name in ("prompt", *INTERPOLATED):
        text = given.get(name)
        if not isinstance(text, str) or (name != "prompt" and BEGIN not in text):
            continue
        from flowdsl_steps.expressions.bloblang import Mistake

        try:
            known = query_of(text).value if name == "prompt" else interpolation_of(text).value
        except Mistake as mistake:
            known = None
            yield Problem("bloblang-syntax", mistake.message, name, mistake.hint)
        if name == "prompt" and known is not None and not known.strip():
            hint = "leave it out: then the message is the prompt"
            yield Problem("missing-prompt", "the prompt is empty, and a message fails that has none", name, hint)
        given[name] = UNKNOWN if known is None else known
    asked = options.replaced(given)
    yield from (problem for problem in of_endpoint(check_image(asked)) if problem.code != "missing-prompt")


@lru_cache(maxsize=256)
def query_of(text: str) -> Mapping | Interpolation:
    """A `prompt`: a mapping of Bloblang, or a text with `${! … }` in it.

    Raises:
        Mistake: it is neither.
    """
    if BEGIN in text:
        return interpolation_of(text)
    return mapping_of(text)


@lru_cache(maxsize=256)
def interpolation_of(text: str) -> Interpolation:
    """A text with `${! … }` in it.

    Raises:
        Mistake: a query in it is none.
    """
    from flowdsl_steps.expressions.bloblang import Interpolation

    return Interpolation(text)
