"""The flow that a request for pictures is: one step, with the request's fields as its keys.

So a request is checked by what checks flows, and paid for by what pays for them. Nothing of a request is a template:
what could be one, and what differs from one request to the next, is an input of the flow.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Container, Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.diagnostics import Diagnostic
from flowdsl.environment import Environment
from flowdsl.environment.flow import Flow
from flowdsl.environment.picture_steps import edit_step, picture_step
from flowdsl.errors import FlowCheckError, RunError, UsageError
from flowdsl.journal.runs import OF_GATEWAY
from flowdsl.serve.fields import Asked
from flowdsl.serve.refusal import Refusal, code_of
from flowdsl.serve.routes import Routing, Target
from flowdsl.source import Source, Span
from flowdsl.step.rules import Options

if TYPE_CHECKING:
    from flowdsl.step.spec import StepSpec

NAME = OF_GATEWAY
PICTURES, FACTS = "pictures", "facts"
"""The outputs of the flow."""
TIMEOUT_MS = 180_000
"""The deadline of an attempt where the service entry says none: complex prompts take up to two minutes."""
_ALWAYS_INPUTS = frozenset({"user", "safety_identifier"})
_MOST_KEPT = 256
_LONGEST_LITERAL = 200
_CONFLICT, _LACKING = "conflicting-keys", "unsupported_parameter"
_OWN_NAMES = {"instruction": "prompt", "images": "image"}
"""Keys of the step → the field of the request."""
_Shape = tuple[Any, ...]
"""All of a request that the text of its flow is made of."""


class RequestFlow(NamedTuple):
    """A flow that is ready to run, and which field of the request each of its lines is."""

    flow: Flow
    lines: dict[int, str]

    def param(self, error: RunError) -> str | None:
        """The field that an error of a run stands at."""
        return None if error.span is None or error.step is None else _field(error.span, self.lines)

    def doubts(self, field: str) -> list[Diagnostic]:
        """The warnings that stand at a field."""
        found = self.flow.diagnostics
        return [each for each in found if each.severity == "warning" and _field(each.span, self.lines) == field]


class RequestFlows:
    """The flows of requests. Those of equal fields are one, which is checked once."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._layers = environment.settings_for(Source("", NAME)).services
        self._steps: dict[tuple[str | None, bool], tuple[StepSpec, bool]] = {}
        self._kept: OrderedDict[_Shape, RequestFlow] = OrderedDict()

    def of(self, asked: Asked, target: Target) -> RequestFlow:
        """The flow of a request to a service.

        Raises:
            FlowCheckError: the request does not fit.
            UsageError: there is no such service.
        """
        shape = _shape(asked, target)
        found = self._kept.get(shape)
        if found is None:
            text, lines = self._text(asked, target)
            found = self._kept[shape] = RequestFlow(self._environment.load(Source(text, NAME)), lines)
            if len(self._kept) > _MOST_KEPT:
                self._kept.popitem(last=False)
        self._kept.move_to_end(shape)
        return found

    def wrong(self, asked: Asked, target: Target) -> list[Refusal]:
        """Everything that is wrong with the fields of a request, by what checks flows."""
        try:
            self.of(asked, target)
        except FlowCheckError as error:
            _, lines = self._text(asked, target)
            found = [each for each in error.diagnostics if each.severity == "error"]
            told = [_refusal(each, lines) for each in found]
            if any(each.code == _CONFLICT for each in found) and len(asked.options) > 1:
                told = self._told_alone(asked, target, told)
            return [*told, *self._wrong_pictures(asked, target, {each.param for each in told})]
        return []

    def shut_down(self, model: str) -> str | None:
        """Since when the standard service has a model no more, and what to write in its place; None for every other."""
        asked = Asked(model, "A picture", {}, None, False)
        try:
            found = self.of(asked, Target(None, model)).flow.diagnostics
        except FlowCheckError as error:
            found = error.diagnostics
        over = next((each for each in found if each.code == "retired-model"), None)
        if over is None:
            return None
        message = over.message.partition("; this endpoint may still serve it")[0]  # we do not, whatever it may
        return f"{message}: {over.hint.removeprefix('if it does not, ')}" if over.hint else message

    def _told_alone(self, asked: Asked, target: Target, refused: list[Refusal]) -> list[Refusal]:
        """What is wrong, where fields do not go with each other: of two of which the model has one, it is the other
        that is wrong, whatever stands beside it."""
        own = [
            each
            for name, value in asked.options.items()
            for each in self.wrong(asked._replace(options={name: value}), target)
            if each.param == name and each.code == _LACKING
        ]
        conflict = code_of(_CONFLICT)
        return [*own, *(each for each in refused if each.code != conflict)] if own else refused

    def _wrong_pictures(self, asked: Asked, target: Target, told: Container[str | None]) -> Iterator[Refusal]:
        """What is wrong with the pictures to edit of a request, but for fields that are `told` already. Where nothing
        else is wrong the run says it."""
        if not asked.images:
            return
        spec, _ = self._step(target.service, is_edit=asked.is_edit)
        service = self._layers.service(target.service or str(spec.service), spec, {})
        pictures = {"images": list(asked.images), **({"mask": asked.mask} if asked.mask else {})}
        given = {"model": target.model, "instruction": asked.prompt, **pictures}
        for problem in spec.problems(Options(spec.name, given, spec.defaults, service)):
            field = _OWN_NAMES.get(problem.key or "", problem.key)
            if problem.key in pictures and problem.severity == "error" and field not in told:
                message = f"{problem.message}: {problem.hint}" if problem.hint else problem.message
                yield Refusal(400, message, param=field, code=code_of(problem.code))

    def _text(self, asked: Asked, target: Target) -> tuple[str, dict[int, str]]:
        spec, has_timeout = self._step(target.service, is_edit=asked.is_edit)
        keys: dict[str, str] = {"instruction": '"{{ inputs.prompt }}"'}
        given = ["  prompt: {type: string}"]
        if target.service is not None and target.service != spec.service:
            keys["service"] = json.dumps(target.service, ensure_ascii=False)
        for name, value in {"model": target.model, **asked.options}.items():
            if _is_literal(name, value):
                keys[name] = json.dumps(value, ensure_ascii=False)
            else:
                keys[name] = f'"{{{{ inputs.{name} }}}}"'
                given.append(f"  {name}: {{}}")
        for name, there in (("images", asked.images), ("mask", asked.mask)):
            if there:
                keys[name] = f'"{{{{ inputs.{name} }}}}"'
                given.append(f"  {name}: {{}}")
        if not has_timeout:
            keys["timeoutMs"] = str(TIMEOUT_MS)
        head = ["inputs:", *given, "flow:", f"  - step: {spec.name}"]
        lines = {len(head) + number: _OWN_NAMES.get(name, name) for number, name in enumerate(keys, 1)}
        body = [f"    {name}: {value}" for name, value in keys.items()]
        return "\n".join([*head, *body, _OUTPUTS]), lines

    def _step(self, name: str | None, *, is_edit: bool) -> tuple[StepSpec, bool]:
        """The step that asks a service, and whether that has a deadline or knows none: settings are read once."""
        found = self._steps.get((name, is_edit))
        if found is None:
            registry, layers = self._environment.registry, self._layers
            making = picture_step(registry, layers, name)
            spec = (edit_step(registry, making) or making) if is_edit else making
            service = layers.service(name or str(spec.service), spec, {})
            has_timeout = "timeoutMs" not in spec.keys or service.option("timeoutMs") is not None
            found = self._steps[name, is_edit] = spec, has_timeout
        return found


_OUTPUTS = f"""\
    outputs:
      - {{type: imageList, name: {PICTURES}}}
      - {{type: object, name: {FACTS}}}
outputs:
  {PICTURES}: "{{{{ flowContext.{PICTURES} }}}}"
  {FACTS}: "{{{{ flowContext.{FACTS} }}}}"
"""


def example(environment: Environment, routing: Routing) -> Iterator[Flow]:
    """The flow of a request to each service that requests may go to."""
    flows = RequestFlows(environment)
    routes = [route for name in routing.names() if (route := routing.route(name)) is not None]
    for target in dict.fromkeys(target for route in routes for target in route.targets()):
        with suppress(FlowCheckError):  # a request will say so
            yield flows.of(Asked(target.model, "A picture", {}, None, False), target).flow


def example_of(environment: Environment, services: Iterable[str], model: str) -> Iterator[Flow]:
    """The flow of a request for a model to each of these services that makes pictures."""
    flows = RequestFlows(environment)
    for name in services:
        with suppress(FlowCheckError, UsageError):
            yield flows.of(Asked(model, "A picture", {}, None, False), Target(name, model)).flow


def inputs_of(asked: Asked, target: Target) -> dict[str, Any]:
    """What the flow of a request is given."""
    fields = {"model": target.model, **asked.options}
    found = {name: value for name, value in fields.items() if not _is_literal(name, value)}
    pictures: dict[str, Any] = {"images": list(asked.images)} if asked.images else {}
    if asked.mask:
        pictures["mask"] = asked.mask
    return {"prompt": asked.prompt, **found, **pictures}


def _shape(asked: Asked, target: Target) -> _Shape:
    fields = tuple((name, value) if _is_literal(name, value) else name for name, value in asked.options.items())
    model = target if _is_literal("model", target.model) else target.service
    return model, asked.is_edit, bool(asked.images), bool(asked.mask), fields


def _is_literal(name: str, value: Any) -> bool:
    """Whether a value can stand in the text of a flow and mean nothing but itself."""
    if not isinstance(value, str):
        return True
    is_plain = value.isprintable() and "{" not in value and len(value) <= _LONGEST_LITERAL
    return is_plain and name not in _ALWAYS_INPUTS


def _refusal(found: Diagnostic, lines: dict[int, str]) -> Refusal:
    field = _field(found.span, lines)
    found = found.hidden()  # of a key that somebody put there by mistake
    message = f"{found.message}: {found.hint}" if found.hint else found.message
    return Refusal(400, message, param=field, code=code_of(found.code))


def _field(span: Span, lines: dict[int, str]) -> str | None:
    return lines.get(span.first[0])
