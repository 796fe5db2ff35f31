"""Forms: what a check found, as each reader wants it. One module a form, loaded when it is asked for.

In: a `Report`. Out: text. `text` and `concise` are for people, `github` is for the log of an Action, which shows it to
people; the others are documents for programs. Begin at `written`.
"""

from __future__ import annotations

from flowdsl.forms.report import Report

__all__ = ["Report", "written"]


def written(form: str, report: Report) -> str:
    """What a check found in a form, without a line end behind it; empty where the form has nothing to say."""
    if form == "text":
        from flowdsl.diagnostics import render

        return render(report.findings)
    from importlib import import_module

    text: str = import_module(f"flowdsl.forms.{form}").written(report)
    return text
