"""Declarative image-generation flows: a YAML list of steps, checked before it costs money.

    import flowdsl

    for finding in flowdsl.check("skyline.flow.yaml"):
        print(finding.span, finding.message)
    result = flowdsl.run("skyline.flow.yaml", {"city": "Lisbon"})
    print(result.images[0].path)

Names are imported on first use, so that `import flowdsl` costs nothing. Type checkers read `__init__.pyi`, which
`make generate` makes of the table below.
"""

__version__ = "0.1.0"

_HOMES = {
    "batches.dispatching": "Dispatcher",
    "batches.running": "batch Outcome Stop",
    "diagnostics": "Diagnostic Edit Fix Related render",
    "document.dialects.dialect": "Dialect",
    "engine.effects": "ASKED Began Effect Effects Journaling Recovered",
    "engine.result": "Result",
    "environment": "arun check load run",
    "environment.environment": "Environment FlowText",
    "environment.flow": "Flow OnEvent",
    "errors": (
        "ConfigError ContentRefused FlowCheckError FlowError FlowSyntaxError LimitExceeded PluginError RunError "
        "ServiceError ServiceRateLimited ServiceRefused ServiceTimeout ServiceUnavailable StepError TemplateError "
        "UsageError"
    ),
    "events": (
        "Emitted Event FinishedImage FlowFinished Invocation Note PartialImage Progress RequestFinished RequestStarted "
        "StepFailed StepFinished StepStarted"
    ),
    "host": "Host OpenTransport PictureStore Storage",
    "image.image": "Image",
    "image.origin": "Origin",
    "image.store": "ImageStore",
    "journal.journal": "Journal",
    "limits": "Allowance Budget Limits Pace Reservation",
    "reference.step_schemas": "step_schema",
    "source": "Position Source Span",
    "step.block": "Block",
    "step.compiling": "Execute Frame StepCompiler",
    "step.condition": "holds",
    "step.flow_shapes": "Assign Call Choice Exit Leaf Loop Parallel Sequence Switch Try",
    "step.gather": "Gathered gather",
    "step.marks": "Condition Deferred Expression InFile ProjectFile Prompt Reads Secrets Verbatim",
    "step.problem": "Problem",
    "step.purchase": "Expected Purchase",
    "step.rules": "AtLeastOne AtMostOne Conflicts ExactlyOne ExclusivePair Limit Options RequiredWhen Rule Together",
    "step.sending": "Sending",
    "step.service": "Service",
    "step.signals": "Signal",
    "step.spec": "Port",
    "step.step": "Step Written",
    "step.step_context": "Branch StepContext",
    "values": "Blob ErrorValue",
}
"""Module → its public names: the one list of what is public."""
_MODULES = ("template", "testing")
"""Modules with public names of their own, there after `import flowdsl` too."""
_HOME = {name: f"flowdsl.{module}" for module, names in _HOMES.items() for name in names.split()}

__all__ = sorted(_HOME, key=str.lower)


def __getattr__(name: str) -> object:
    home = _HOME.get(name)
    if home is None and name not in _MODULES:
        raise AttributeError(f"module 'flowdsl' has no attribute {name!r}")
    from importlib import import_module

    if home is None:
        return import_module(f"flowdsl.{name}")
    value = globals()[name] = getattr(import_module(home), name)
    return value


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
