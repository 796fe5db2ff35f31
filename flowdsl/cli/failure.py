"""Errors on their way to the user: a few lines and an exit code, and a traceback for our own bugs only."""

from __future__ import annotations

import sys

from flowdsl.errors import FlowCheckError, FlowError, RunError, ServiceError
from flowdsl.settings.mistakes import Mistaken
from flowdsl.source import Source, Span

FAILED = 4
"""The exit code of a run that failed, and where the output is lost: 1 says that nothing has run."""
CHARGE_WARNING = "the service may have done, and billed, the work"


def is_of_inputs(error: RunError) -> bool:
    """Whether inputs do not fit the flow, so that nothing has run."""
    return error.code in ("missing-input", "invalid-input", "undefined-input") and error.step is None


def report_error(error: Exception) -> int:
    """Prints an error to stderr and returns the exit code."""
    from flowdsl.cli.terminal import colors

    if isinstance(error, FlowCheckError):
        from flowdsl.diagnostics import counts, render

        report = render(error.diagnostics, color=colors(sys.stderr))
        sys.stderr.write(report + f"\n\n{counts(error.diagnostics)}\n")
        return 1
    if isinstance(error, RunError):
        sys.stderr.write(failed_run(error, color=colors(sys.stderr)) + "\n")
        return 1 if is_of_inputs(error) else FAILED
    if isinstance(error, FlowError):
        from flowdsl.cli.arguments import cut

        parts = error.parts if isinstance(error, Mistaken) else [str(error)]
        said = "\n".join(f"{cut(part)}\n" for part in parts)
        sys.stderr.write(f"flowdsl: {said}")
        return 2
    if isinstance(error, OSError):
        from flowdsl.cli.arguments import cut

        place = f"{error.filename or '``'}: " if error.filename is not None else ""
        sys.stderr.write(cut(f"flowdsl: {place}{error.strerror or error}{_meant(error)}") + "\n")
        return 2 if place else FAILED  # a file of the user's, or a stream
    import traceback

    sys.stderr.write("".join(traceback.format_exception(error)))
    sys.stderr.write("this is a bug in flowdsl, please report it\n")
    return 3


def _meant(error: OSError) -> str:
    return (
        meant_flow(error.filename) if isinstance(error, FileNotFoundError) and isinstance(error.filename, str) else ""
    )


def meant_flow(name: str) -> str:
    """The file beside one that is not there that its name most likely means: one with another ending, or misspelt."""
    from pathlib import Path

    from flowdsl.nearest import nearest

    path = Path(name)
    try:
        names = sorted(file.name for file in path.parent.iterdir() if ".flow." in file.name)
    except OSError:
        return ""
    by_stem = {name.partition(".")[0]: name for name in names}
    stem, _, ending = path.name.partition(".")
    if ending in ("", "yaml", "yml", "flow", "flow.yaml", "flow.yml"):
        near = by_stem.get(stem if stem in by_stem else nearest(stem, by_stem) or "")
    else:
        near = nearest(path.name, names)  # not for one of another kind, such as a.inputs.yaml
    return f"; did you mean `{path.parent / near}`?" if near else ""


def failed_run(error: RunError, *, color: bool = False, source: Source | None = None) -> str:
    """A failed run as text for people: message, place with a caret, hint, and what the service said. Of a document of
    another system, which is its `source`, in the words of that."""
    from flowdsl.diagnostics import Diagnostic, render

    span = error.span or Nowhere(Source("", error.step or "flowdsl"), 0, 0)
    found, place = Diagnostic(error.code, error.message, span, hint=error.hint), None
    if source is not None:
        from flowdsl.document.dialects import told

        found, place = told(source, found) or (found, None)
    return render([found], color=color) + "".join(f"\n{fact}" for fact in _facts(error, place))


class Nowhere(Span):
    """The place of an error that no place of a file is known for."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.path


def _facts(error: RunError, place: str | None = None) -> list[str]:
    facts = [f"  in {place}"] if place else []
    if place is None and error.step and error.path and error.step != error.path:
        facts.append(f"  in {error.step} ({error.path})")
    if isinstance(error, ServiceError):
        said = [
            f"service {error.service}" if error.service else "",
            f"HTTP {error.status}" if error.status else "",
            f"{error.attempts} requests" if error.attempts > 1 else "",
            f"request id {error.request_id}" if error.request_id else "",
        ]
        facts += [f"  {', '.join(filter(None, said))}"] if any(said) else []
    return [*facts, f"  {CHARGE_WARNING}"] if error.charge_possible else facts
