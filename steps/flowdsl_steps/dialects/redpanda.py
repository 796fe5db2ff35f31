"""The dialect of pipelines of Redpanda Connect that make pictures with `openai_image_generation`: they run as they are.

A pipeline becomes a flow of one step, FOR_RECORDS, with a step for each of its processors inside. What is read is the
whole document (`input`, `pipeline`, `output`), and the fragments of the vendor's pages: `processors:`, a list of
processors, or one alone, which read lines from standard input.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl import Diagnostic, Dialect, Source
from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import added, in_a_list, renamed
from flowdsl_steps.dialects.redpanda_ends import lowered_input, lowered_output
from flowdsl_steps.dialects.redpanda_processors import DEFAULTS, LISTS, PICTURE, PROCESSOR, Processors
from flowdsl_steps.dialects.redpanda_schema import pipeline_schema
from flowdsl_steps.records.settings import MESSAGE

if TYPE_CHECKING:
    from flowdsl.document.dialects.task import ForeignTask

_READ = ("input", "pipeline", "output", "processors")
_PASSED_OVER = ("http", "logger", "metrics", "tracer", "shutdown_delay", "shutdown_timeout", "tests")
"""What the engine does beside the messages."""
_REFUSED = {
    "buffer": "take it out: messages are read when it is their turn",
    "error_handling": "put the processors into a `try`, which skips messages that are marked",
    "input_resources": "write the input in place of each `resource: NAME`",
    "processor_resources": "write the processor in place of each `resource: NAME`",
    "output_resources": "write the output in place of each `resource: NAME`",
    "cache_resources": "take it out, and what reads it",
    "rate_limit_resources": "take it out: a service that asks for a pause gets it",
}
"""What is not supported, and what to do without it."""
_KEYS = (*_READ, *_PASSED_OVER, *_REFUSED)
_DEEPEST = 8
"""So deep below the root a processor is looked for."""
_MOST_THREADS = 256


class RedpandaPipeline(Dialect):
    """A pipeline, or a part of one."""

    message = MESSAGE

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A document in which the processor stands, by nearly its name at least, or one with `pipeline`."""
        if root is None:
            return re.search(rf"^[\s-]*{PROCESSOR}\s*:", source.text, re.MULTILINE) is not None
        if root.kind == "map" and "pipeline" in root.value:
            pipeline = root.value["pipeline"]
            is_whole = pipeline.kind == "map" and ("processors" in pipeline.value or not pipeline.value)
            if is_whole or {"input", "output"} & root.value.keys():
                return True
        if root.kind == "map" and "processors" in root.value and not root.value.keys() - {*_KEYS}:
            return True
        return _holds_processor(root, _DEEPEST)

    def lower(self, root: Node, findings: Findings) -> Node | None:
        """A flow of FOR_RECORDS, and what it counted as the output."""
        parts = _parts(root, findings)
        processors = Processors(findings)
        listed = parts.get("processors")
        steps = [] if listed is None else processors.lowered(listed, is_fragment="pipeline" not in parts)
        if not steps and not any(found.severity == "error" for found in findings.diagnostics):
            hint = f"write `pipeline: {{processors: [{{{PROCESSOR}: …}}]}}`"
            findings.add("missing-key", "the pipeline has no `processors`", parts.get("pipeline", root), hint=hint)
        if not steps:
            return None
        threads = _threads(parts.get("pipeline"), findings)
        step: dict[str, Any] = {"step": made("FOR_RECORDS", parts.get("at", root).span)}
        step["input"] = lowered_input(parts.get("input"), findings) or {"stdin": {}}
        if threads is not None:
            step["threads"] = threads
        step["do"] = steps
        output = lowered_output(parts.get("output"), findings)
        if output is not None and _ends_in_a_picture(steps):
            _check_codec(parts["output"], findings)
        step["output"] = output or {"stdout": {}}
        step["outputs"] = [{"type": "object", "name": "records"}]
        lowered = made(step, root.span)
        lowered.keys.update({key: parts[f"{key} key"] for key in ("input", "output") if f"{key} key" in parts})
        flow: dict[str, Any] = {"flow": [lowered], "outputs": {"records": "{{ flowContext.records }}"}}
        if processors.services:
            flow = {"services": processors.services, **flow}
        return made(flow, root.span)

    def worded(self, found: Diagnostic) -> Diagnostic | None:
        """Processors and fields in place of steps and options."""
        from flowdsl_steps.dialects.redpanda_words import worded

        return worded(found)

    def summary(self, printed: Mapping[str, Any]) -> dict[str, list[str]]:
        """How many messages there were, and where the pictures of each are."""
        from flowdsl_steps.dialects.redpanda_explained import counted
        from flowdsl_steps.records.run_records import MOST_TOLD

        told = MOST_TOLD if printed.get("error") else 0
        return {"records": counted(printed["records"], told)} if "records" in printed else {}

    def failure(self, account: Mapping[str, Any]) -> dict[str, Any] | None:
        """Where messages failed, what became of all of them stands under `records`, as after a run that succeeds."""
        error = dict(account["error"] or {})
        records = error.pop("records", None)
        return None if records is None else {"records": records, **account, "error": error}

    def tasks(self, root: Node) -> Iterable[ForeignTask]:
        """The input, the processors and the output, with the defaults of the processor that makes pictures."""
        from flowdsl_steps.dialects.redpanda_explained import components

        return components(_parts(root, Findings([])), LISTS, {PROCESSOR: DEFAULTS})

    def schema(self) -> dict[str, Any]:
        """A pipeline, or a part of one."""
        return pipeline_schema()


def _ends_in_a_picture(steps: list[Node]) -> bool:
    """Whether messages are pictures when they come to the output."""
    last = next((step for step in reversed(steps) if step.value["step"].value != LISTS["catch"]), None)
    if last is None or last.value["step"].value != LISTS["try"]:
        return last is not None and last.value["step"].value == PICTURE
    return _ends_in_a_picture(last.value["do"].value)


def _check_codec(output: Node, findings: Findings) -> None:
    """Warns of pictures in a file of lines."""
    file = output.value.get("file")
    codec = file.value.get("codec") if file is not None else None
    if file is None or (codec is not None and codec.value not in ("lines", None)):
        return
    message = "`codec: lines`, the default, puts a line end behind each picture, and all of a `path` into one file"
    fix = renamed(codec, "all-bytes") if codec is not None else added(file, "codec: all-bytes")
    findings.add("picture-as-lines", message, codec or file, hint="write `codec: all-bytes`", fixes=[fix])


def _parts(root: Node, findings: Findings) -> dict[str, Node]:
    """The parts of a document by their names: those that are there."""
    if root.kind == "list":
        return {"processors": root, "at": root}
    if not root.value.keys() & {"pipeline", "processors"} and PROCESSOR in root.value:
        return {"processors": made([root], root.span), "at": root}
    found: dict[str, Node] = {"at": next(iter(root.keys.values()), root)}
    for name, key in root.keys.items():
        value = root.value[name]
        if name in _READ:
            found[name], found[f"{name} key"] = value, key
        elif name in _REFUSED:
            _refuse(name, key, value, findings)
        elif name in _PASSED_OVER:
            message = f"`{name}` is not read: here it is the run that says what it does"
            findings.add("not-supported", message, key, severity="note")
        elif (near := findings.unknown_key(key, _KEYS, "a pipeline", beside=root.value)) in _READ and near not in found:
            found[str(near)] = value
    pipeline = found.get("pipeline")
    if pipeline is not None:
        _pipeline(pipeline, found, findings)
    return found


def _pipeline(pipeline: Node, found: dict[str, Node], findings: Findings) -> None:
    if pipeline.kind != "map":
        hint = "write `pipeline: {processors: [ … ]}`"
        findings.add("wrong-type", f"`pipeline` takes a map, not {show(pipeline.plain())}", pipeline, hint=hint)
        return
    keys = ("threads", "processors")
    for name, key in pipeline.keys.items():
        value = pipeline.value[name]
        near = name if name in keys else findings.unknown_key(key, keys, "`pipeline`", beside=pipeline.value)
        if near != "processors":
            continue
        if "processors" in found:
            message = "processors stand in `pipeline` and beside it"
            findings.add("conflicting-keys", message, key, hint="keep those in `pipeline`")
        found["processors"] = value
        if value.kind == "map" and value.value:
            message = "`processors` takes a list, and this is a map"
            findings.add("wrong-type", message, value, hint="put a dash before it", fixes=[in_a_list(value)])


def _refuse(name: str, key: Node, value: Node, findings: Findings) -> None:
    plain = value.plain()
    is_empty = plain in (None, {}, [], {"none": {}}, {"strict": False})
    if not is_empty:
        message = f"`{name}` is not supported here"
        findings.add("not-supported", message, key, hint=_REFUSED[name])


def _threads(pipeline: Node | None, findings: Findings) -> Node | None:
    """The concurrency limit; the engine's -1 is one message after another here, so that they keep their order."""
    node = pipeline.value.get("threads") if pipeline is not None and pipeline.kind == "map" else None
    if node is None or node.value in (None, -1):
        return None
    if isinstance(node.value, bool) or not isinstance(node.value, int) or not 1 <= node.value <= _MOST_THREADS:
        message = f"`threads` is a number from 1 to {_MOST_THREADS}, or -1, and not {show(node.plain())}"
        findings.add("wrong-type", message, node, fixes=[renamed(node, 1)])
        return None
    found: Node = node
    return found


def _holds_processor(node: Node, depth: int) -> bool:
    return any(_is_near(name) for name in _names(node, depth))


def _is_near(name: str) -> bool:
    return name == PROCESSOR or (name.startswith("openai_") and nearest(name, (PROCESSOR,)) is not None)


def _names(node: Node, depth: int) -> Iterator[str]:
    """The keys of all maps in a node."""
    if depth == 0 or node.kind == "scalar":
        return
    if node.kind == "map":
        yield from node.value
    for child in node.value.values() if node.kind == "map" else node.value:
        yield from _names(child, depth - 1)
