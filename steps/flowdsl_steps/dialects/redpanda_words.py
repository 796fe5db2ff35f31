"""Findings about the steps of a pipeline, in the words of Redpanda Connect: processors, and fields of theirs."""

from __future__ import annotations

from flowdsl import Diagnostic
from flowdsl_steps.dialects.words import Words

_NAMES = {
    "FOR_RECORDS": "pipeline",
    "RECORD_IMAGE": "openai_image_generation",
    "RECORD_MAPPING": "mapping",
    "RECORD_TRY": "try",
    "RECORD_CATCH": "catch",
}
_PLAIN = {"steps": "processors", "step": "processor", "options": "fields", "option": "field"}
_WORDS = Words(_NAMES, _PLAIN, {})


def worded(found: Diagnostic) -> Diagnostic | None:
    """A finding in words of Redpanda Connect."""
    name = found.message.partition("`")[2].partition("`")[0]
    if found.code == "undefined-variable" and name.startswith("env."):
        name = name.removeprefix("env.")
        message = f"the environment variable {name} is not read: only those are that the run is told of"
        return found._replace(message=message)
    return _WORDS.said(found)
