"""Declarative image-generation flows: a YAML list of steps, checked before it costs money.

    import flowdsl

    for finding in flowdsl.check("skyline.flow.yaml"):
        print(finding.span, finding.message)
    result = flowdsl.run("skyline.flow.yaml", {"city": "Lisbon"})
    print(result.images[0].path)

Names are imported on first use, so that `import flowdsl` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from flowdsl.blob import Blob
    from flowdsl.diagnostics import Diagnostic, Related, render
    from flowdsl.engine.result import Result
    from flowdsl.environment import Environment, Flow, FlowText, OnEvent
    from flowdsl.error_value import ErrorValue
    from flowdsl.errors import (
        ConfigError,
        ContentRefused,
        FlowCheckError,
        FlowError,
        FlowSyntaxError,
        LimitExceeded,
        PluginError,
        RunError,
        ServiceError,
        ServiceRateLimited,
        ServiceRefused,
        ServiceTimeout,
        ServiceUnavailable,
        StepError,
        TemplateError,
        UsageError,
    )
    from flowdsl.events import Emitted, Event, FlowFinished, Note, Progress, StepFailed, StepFinished, StepStarted
    from flowdsl.image.store import Image, ImageStore
    from flowdsl.limits import Limits
    from flowdsl.source import Position, Source, Span
    from flowdsl.step.block import Block
    from flowdsl.step.compiling import Execute, Frame, StepCompiler
    from flowdsl.step.condition import holds
    from flowdsl.step.flow_shapes import (
        Assign,
        Call,
        Choice,
        Exit,
        Leaf,
        Loop,
        Parallel,
        Sequence,
        Switch,
        Try,
    )
    from flowdsl.step.gather import Gathered, gather
    from flowdsl.step.rules import (
        AtLeastOne,
        AtMostOne,
        Conflicts,
        ExactlyOne,
        ExclusivePair,
        Limit,
        Options,
        Problem,
        RequiredWhen,
        Rule,
        Together,
    )
    from flowdsl.step.service import Service
    from flowdsl.step.signals import Signal
    from flowdsl.step.spec import Condition, Deferred, Expression, Port, Prompt, Verbatim
    from flowdsl.step.step import Branch, Step, StepContext, Written

__version__ = "0.1.0"

_HOMES = {
    "flowdsl.blob": ("Blob",),
    "flowdsl.diagnostics": ("Diagnostic", "Related", "render"),
    "flowdsl.environment": ("Environment", "Flow", "FlowText", "OnEvent"),
    "flowdsl.errors": (
        "ConfigError",
        "ContentRefused",
        "FlowCheckError",
        "FlowError",
        "FlowSyntaxError",
        "LimitExceeded",
        "PluginError",
        "RunError",
        "ServiceError",
        "ServiceRateLimited",
        "ServiceRefused",
        "ServiceTimeout",
        "ServiceUnavailable",
        "StepError",
        "TemplateError",
        "UsageError",
    ),
    "flowdsl.error_value": ("ErrorValue",),
    "flowdsl.events": (
        "Emitted",
        "Event",
        "FlowFinished",
        "Note",
        "Progress",
        "StepFailed",
        "StepFinished",
        "StepStarted",
    ),
    "flowdsl.image.store": ("Image", "ImageStore"),
    "flowdsl.limits": ("Limits",),
    "flowdsl.engine.result": ("Result",),
    "flowdsl.step.condition": ("holds",),
    "flowdsl.step.gather": ("Gathered", "gather"),
    "flowdsl.step.flow_shapes": (
        "Assign",
        "Call",
        "Choice",
        "Exit",
        "Leaf",
        "Loop",
        "Parallel",
        "Sequence",
        "Switch",
        "Try",
    ),
    "flowdsl.step.rules": (
        "AtLeastOne",
        "AtMostOne",
        "Conflicts",
        "ExactlyOne",
        "ExclusivePair",
        "Limit",
        "Options",
        "Problem",
        "RequiredWhen",
        "Rule",
        "Together",
    ),
    "flowdsl.step.service": ("Service",),
    "flowdsl.step.signals": ("Signal",),
    "flowdsl.source": ("Position", "Source", "Span"),
    "flowdsl.step.spec": ("Condition", "Deferred", "Expression", "Port", "Prompt", "Verbatim"),
    "flowdsl.step.block": ("Block",),
    "flowdsl.step.compiling": ("Execute", "Frame", "StepCompiler"),
    "flowdsl.step.step": ("Branch", "Step", "StepContext", "Written"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [  # noqa: RUF022  sorted without regard to case, as people look names up
    "arun",
    "Assign",
    "AtLeastOne",
    "AtMostOne",
    "Blob",
    "Block",
    "Branch",
    "Call",
    "check",
    "Choice",
    "Condition",
    "ConfigError",
    "Conflicts",
    "ContentRefused",
    "Deferred",
    "Diagnostic",
    "Emitted",
    "Environment",
    "ErrorValue",
    "Event",
    "ExactlyOne",
    "ExclusivePair",
    "Execute",
    "Exit",
    "Expression",
    "Flow",
    "FlowCheckError",
    "FlowError",
    "FlowFinished",
    "FlowSyntaxError",
    "FlowText",
    "Frame",
    "gather",
    "Gathered",
    "holds",
    "Image",
    "ImageStore",
    "Leaf",
    "Limit",
    "LimitExceeded",
    "Limits",
    "load",
    "Loop",
    "Note",
    "OnEvent",
    "Options",
    "Parallel",
    "PluginError",
    "Port",
    "Position",
    "Problem",
    "Progress",
    "Prompt",
    "Related",
    "render",
    "RequiredWhen",
    "Result",
    "Rule",
    "run",
    "RunError",
    "Sequence",
    "Service",
    "ServiceError",
    "ServiceRateLimited",
    "ServiceRefused",
    "ServiceTimeout",
    "ServiceUnavailable",
    "Signal",
    "Source",
    "Span",
    "Step",
    "StepCompiler",
    "StepContext",
    "StepError",
    "StepFailed",
    "StepFinished",
    "StepStarted",
    "Switch",
    "TemplateError",
    "Together",
    "Try",
    "UsageError",
    "Verbatim",
    "Written",
]


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module 'flowdsl' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]


def check(flow: FlowText, *, environment: Environment | None = None, declare: Iterable[str] = ()) -> list[Diagnostic]:
    """Every finding of a flow: errors, warnings and notes, in the order of the file. Never raises for a mistake in
    it."""
    return _environment(environment).check(flow, declare=declare)


def load(
    flow: FlowText,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    declare: Iterable[str] = (),
) -> Flow:
    """A flow that is ready to run. Raises FlowCheckError, with all diagnostics, when it has errors."""
    return _environment(environment).load(flow, action=action, declare=declare)


def run(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
) -> Result:
    """Loads and runs a flow. Raises FlowCheckError before anything runs, RunError for the step that fails."""
    return _environment(environment).run(flow, inputs, action=action, on_event=on_event)


async def arun(
    flow: FlowText,
    inputs: Mapping[str, Any] | None = None,
    *,
    environment: Environment | None = None,
    action: str | None = None,
    on_event: OnEvent | None = None,
) -> Result:
    """`run` for a running event loop."""
    return await _environment(environment).arun(flow, inputs, action=action, on_event=on_event)


def _environment(environment: Environment | None) -> Environment:
    if environment is not None:
        return environment
    from flowdsl.environment import Environment

    return Environment()
