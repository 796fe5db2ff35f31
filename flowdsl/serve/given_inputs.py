"""The inputs in the body of a request for a run: names and values are looked at together, and all that is wrong is said
at once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from flowdsl.checker.inputs import wrong_inputs
from flowdsl.document.document import InputDeclaration
from flowdsl.environment.flow import Flow
from flowdsl.errors import ConfigError
from flowdsl.nearest import nearest
from flowdsl.serve.fields import MOST_UNKNOWN, param_of, shown
from flowdsl.serve.json_hints import INPUTS, in_request
from flowdsl.serve.refusal import Refusal, all_of, code_of, of_run


def given_inputs(flow: Flow, body: Mapping[str, Any]) -> dict[str, Any]:
    """The inputs of a run.

    Raises:
        Refusal: the body has other names than `inputs`, or those do not fit; it says everything.
    """
    inputs, declared = body.get(INPUTS, {}), flow.document.inputs
    wrong = [_misplaced(name) for name in islice((name for name in body if name != INPUTS), MOST_UNKNOWN)]
    if INPUTS not in body and (near := nearest(INPUTS, body)) is not None and isinstance(body[near], dict):
        inputs = body[near]  # what is meant is clear, and looked at, too
    if not isinstance(inputs, dict):
        wrong.append(Refusal(400, "'inputs' is an object: name and value.", param=INPUTS, code="invalid_type"))
    elif declared is not None:
        misplaced = {name: value for name, value in body.items() if name in declared}  # where they are meant is clear
        wrong += _wrong(declared, {**misplaced, **inputs})
    if wrong:
        raise all_of(wrong)
    found: dict[str, Any] = inputs
    return found


def _misplaced(name: str) -> Refusal:
    hint = f"Did you mean '{INPUTS}'?" if nearest(name, [INPUTS]) else "The inputs of the flow stand in 'inputs'."
    message = f"Unknown parameter: {shown(name)}. {hint}"
    return Refusal(400, message, param=param_of(name), code="unknown_parameter")


def _wrong(declared: Mapping[str, InputDeclaration], given: Mapping[str, Any]) -> Iterator[Refusal]:
    known = {name: value for name, value in given.items() if name in declared}
    unknown = islice((param_of(name) for name in given if name not in declared), MOST_UNKNOWN)
    try:
        found = wrong_inputs(declared, {**dict.fromkeys(unknown), **known}, in_request)
    except ConfigError as error:  # of a schema that cannot be used
        raise of_run(error) from error
    for each in found:
        said = each.error.message if each.error.hint is None else f"{each.error.message}: {each.error.hint}"
        yield Refusal(400, said, param=param_of(f"{INPUTS}.{each.name}"), code=code_of(each.error.code))
