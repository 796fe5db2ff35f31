"""The dialect of task files: the JSON of a task gateway with `tasktype: generate_image`, which runs as it is.

A task becomes a flow of one step whose outputs are the task's result, field for field. Its texts are only texts: the
gateway has no templates, so `{{` stays in a prompt as it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl import Diagnostic, Dialect, Source, Span
from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import enclosed, removed, renamed
from flowdsl.syntax.scalars import span_in
from flowdsl_steps.dialects.json_mistakes import json_mistakes

if TYPE_CHECKING:
    from flowdsl.document.dialects.task import ForeignTask

TASK = "generate_image"
STEP = "GENERATE_IMAGE"
KEYS = ("tasktype", "taskapigatewayuuid", "params")
PARAMS = ("prompt", "model", "filename", "size", "quality", "disable_model_response")
_NOT_THERE = {
    "n": "leave it out: a task makes one picture",
    "response_format": "leave it out: the result has the address of the picture, and its file",
    "style": "leave it out, and say it in the prompt",
    "user": "leave it out",
}
"""Parameters that people look for, and what is right without them."""
_STUB = re.compile(r"~~[A-Za-z][\w.]*(?:~~)?")
_BOOLEANS = {"true": True, "false": False}
_WORDS = {"steps": "tasks", "step": "task", "options": "parameters", "option": "parameter"}
_EXAMPLE = '`"params": {"prompt": "…"}`'


class GenerateImageTask(Dialect):
    """One task `generate_image`."""

    reads_text = True  # it is JSON, and its mistakes are told as such

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A map with `tasktype`, by this or nearly this name, or a list of such maps; of a file that cannot be read,
        JSON in which `tasktype` stands."""
        if root is None:
            return '"tasktype"' in source.text and source.text.lstrip().startswith(("{", "[", "/"))
        return any(map(_is_task, root.value if root.kind == "list" else [root]))

    def read(self, source: Source) -> tuple[Node | None, list[Diagnostic]]:
        """The nodes of a file, which may be YAML as well. Comments and commas too many are mistakes where it is JSON:
        the gateway takes none."""
        own, readable = json_mistakes(source)
        if not readable:
            return None, own
        root, mistakes = super().read(source)
        return root, [*own, *mistakes]

    def lower(self, root: Node, findings: Findings) -> Node | None:
        """A flow of one step, and outputs that are the task's result."""
        if root.kind == "list":
            message = f"a file holds one task, and this is {show(root.plain())}"
            findings.add("wrong-type", message, root, hint="put each task into a file of its own")
            return None
        name, params = self._task_type(root, findings), self._params(root, findings)
        if name is None or params is None:
            return None
        given = dict(_options(params, findings))
        for value in given.values():
            _refuse_substitution(value, findings)
        options = {key: _literal(value) for key, value in given.items()}
        if "prompt" not in options or options["prompt"].value is None:
            at = params.keys.get("prompt", root.keys.get("params", name))
            findings.add("missing-key", "a task needs a `prompt`", at, hint=f"write {_EXAMPLE}")
            options["prompt"] = made("{{ ' ' }}", params.span)  # one that nobody knows, so that it is missed only once
        outputs = [{"type": "imageList", "name": "imageList"}, {"type": "object", "name": "payload"}]
        step = made({**options, "step": made(STEP, name), "outputs": outputs}, params.span)
        step.keys.update({key: node for key, node in params.keys.items() if key in options})
        result = {"success": True, "payload": "{{ flowContext.payload }}"}
        return made({"flow": [step], "outputs": result}, root.span)

    def worded(self, found: Diagnostic) -> Diagnostic:
        """Tasks and parameters in place of steps and options, and examples in JSON where the file is."""
        from flowdsl_steps.dialects.words import Words, in_json

        found = Words({STEP: TASK}, _WORDS, {}).said(found)
        is_json = found.span.source.text.lstrip().startswith("{")
        return found._replace(hint=in_json(found.hint)) if is_json else found

    def failure(self, account: Mapping[str, Any]) -> dict[str, Any]:
        """`success: false`, and the error in words."""
        error = dict(account.get("error") or {"message": "the run was interrupted"})
        if "message" not in error:
            wrong = [found["message"] for found in error["diagnostics"] if found["severity"] == "error"]
            error = {"message": wrong[0], **error}
        return {"success": False, **account, "error": error}

    def tasks(self, root: Node) -> Iterator[ForeignTask]:
        """The task, with the defaults of its parameters."""
        from flowdsl.document.dialects.task import ForeignOption, ForeignTask
        from flowdsl_steps.image.request import DEFAULT_MODEL

        params = root.value.get("params") if root.kind == "map" else None
        if params is None or params.kind != "map":
            return
        defaults = {"model": DEFAULT_MODEL, "disable_model_response": False}
        given = [ForeignOption(name, node.plain(), "params") for name, node in params.value.items()]
        missing = ((name, value) for name, value in defaults.items() if name not in params.value)
        more = [ForeignOption(name, value, f"default of {TASK}") for name, value in missing]
        yield ForeignTask(TASK, None, "params", root, (*given, *more))

    def schema(self) -> dict[str, Any]:
        """A task, with the keys of the step as its parameters."""
        from flowdsl import step_schema

        step = step_schema(STEP)
        params = {name: step["properties"][name] for name in PARAMS}
        switch = params["disable_model_response"]
        params["disable_model_response"] = {
            "description": switch["description"],
            "enum": [True, False, None, *_BOOLEANS],
        }
        return {
            "title": "task generate_image",
            "description": "A task of a task gateway: an image from a text prompt.",
            "type": "object",
            "required": ["tasktype", "params"],
            "properties": {
                "tasktype": {"const": TASK},
                "taskapigatewayuuid": {"description": "The name of the gateway; it is not read.", "type": "string"},
                "params": {
                    "type": "object",
                    "required": step["required"],
                    "additionalProperties": False,
                    "properties": params,
                },
            },
        }

    def _task_type(self, root: Node, findings: Findings) -> Span | None:
        """Where the type of the task stands; None when it is another task."""
        node: Node | None = root.value.get("tasktype")
        if node is None:
            key = next((key for name, key in root.keys.items() if _is_near(name, root)), None)
            if key is None:
                first = next(iter(root.keys.values()), root)
                findings.add("missing-key", "a task needs `tasktype`", first, hint=f'add `"tasktype": "{TASK}"`')
            return next(iter(root.keys.values()), root).span if key is None else root.value[key.value].span
        if node.value == TASK:
            return node.span
        near = nearest(node.value, (TASK,)) if isinstance(node.value, str) else None
        message = f"`tasktype` is {show(node.plain())}, and of the gateway's tasks there is only `{TASK}` here"
        fix = renamed(node, near) if near else None
        findings.add("not-a-choice", message, node, hint=near and f"did you mean `{near}`?", fixes=[fix])
        return node.span if near else None

    def _params(self, root: Node, findings: Findings) -> Node | None:
        """The map of parameters. Keys beside it are those of other systems around the task, unless they look like its
        own."""
        params: Node | None = root.value.get("params")
        for name, key in root.keys.items():
            if name in KEYS:
                continue
            if name in PARAMS:
                hint = "move it into `params`"
                findings.add("misnested-key", f"`{name}` is a parameter, and stands outside `params`", key, hint=hint)
            elif (near := nearest(name, KEYS)) and near not in root.value:
                findings.unknown_key(key, KEYS, "a task", beside=root.value)
                params = root.value[name] if near == "params" else params
            else:
                message = f"`{name}` is not read: a task has `tasktype`, `taskapigatewayuuid` and `params`"
                findings.add("unknown-key", message, key, severity="warning")
        id = root.value.get("taskapigatewayuuid")
        if id is not None and not isinstance(id.value, str):
            findings.add("wrong-type", f"`taskapigatewayuuid` takes a text, not {show(id.plain())}", id)
        if params is None:
            if not findings.misindented:
                at = root.keys.get("tasktype", root)
                findings.add("missing-key", "a task needs `params`", at, hint=f"add {_EXAMPLE}")
            return None
        if params.kind != "map":
            fix = enclosed(params, '{"prompt": ', "}", title="write it as `prompt`") if _is_text(params) else None
            message = f"`params` takes a map, not {show(params.plain())}"
            findings.add("wrong-type", message, params, hint=f"write {_EXAMPLE}", fixes=[fix])
            return None
        return params


def _options(params: Node, findings: Findings) -> Iterator[tuple[str, Node]]:
    """The parameters by their names; one that is misspelt counts as the one that is meant."""
    for name, value in params.value.items():
        if name in PARAMS:
            yield name, _boolean(value) if name == "disable_model_response" else value
            continue
        if name in _NOT_THERE:
            message = f"`{name}` is not a parameter of `{TASK}`"
            fix = removed(params, name)
            findings.add("unknown-key", message, params.keys[name], hint=_NOT_THERE[name], fixes=[fix])
            continue
        near = nearest(name, PARAMS)
        findings.unknown_key(params.keys[name], PARAMS, "`params`", beside=params.value)
        if near and near not in params.value:
            yield near, value


def _refuse_substitution(node: Node, findings: Findings) -> None:
    """Refuses what the gateway fills in: its sign would be drawn."""
    found = _STUB.search(node.value) if isinstance(node.value, str) else None
    if found is not None:
        message = f"`{found[0]}` is filled in by the gateway before the task runs, and stays as it is here"
        hint = "write the value itself"
        findings.add("not-supported", message, span_in(node, found.start(), found.end()), hint=hint)


def _literal(node: Node) -> Node:
    """A value as it stands: a text is no template."""
    if not isinstance(node.value, str):
        return node
    if "{" in node.value:
        return made(node.value.replace("{", "{{ '{' }}"), node.span)
    return node


def _boolean(node: Node) -> Node:
    """A value that the vendor's page calls a string, and says to be `true`."""
    found = _BOOLEANS.get(node.value.lower()) if isinstance(node.value, str) else None
    return node if found is None else made(found, node.span)


def _is_task(node: Node) -> bool:
    if node.kind != "map":
        return False
    meant = {name if name in KEYS else nearest(name, KEYS) for name in node.value}
    return "tasktype" in node.value or {"tasktype", "params"} <= meant


def _is_near(name: str, root: Node) -> bool:
    """Whether a key is a misspelt `tasktype`."""
    return name not in KEYS and nearest(name, KEYS) == "tasktype" and root.value[name].kind == "scalar"


def _is_text(node: Node) -> bool:
    return node.kind == "scalar" and isinstance(node.value, str)
