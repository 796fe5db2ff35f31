"""The processors of a pipeline of Redpanda Connect, each as a step that works on a record."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flowdsl.document.dialects import Findings, Node, made
from flowdsl.nearest import nearest
from flowdsl.step.problem import show
from flowdsl.syntax.fixes import added, removed, renamed
from flowdsl_steps.dialects.redpanda_texts import interpolated, mapping, plain_text, prompt, secret_text

PROCESSOR = "openai_image_generation"
PICTURE = "RECORD_IMAGE"
"""The step that it becomes."""
FIELDS = ("server_address", "api_key", "model", "prompt", "quality", "size", "style")
MAPPINGS = ("mapping", "bloblang")
LISTS: Mapping[str, str] = {"try": "RECORD_TRY", "catch": "RECORD_CATCH"}
SUPPORTED = (PROCESSOR, *MAPPINGS, *LISTS, "noop")
_TELLS = "log"
_ELSEWHERE = "do its work before the pipeline, `… | flowdsl run FILE`, or with the pictures that it has made"
_INSTEAD = {
    "switch": "write `if … { … } else { … }` in a `mapping`, and `deleted()` for messages that are not to be painted",
    "branch": "write a `mapping` that makes the prompt, and keep other fields as `meta name = this.name`",
    "mutation": "write a `mapping` that says all of `root`",
    "retry": "put its processors in its place: a picture is asked for again by itself where that costs nothing twice",
    "resource": "put the processor itself in its place",
    "for_each": "put its processors in its place: each message goes through them by itself",
    "try_catch": "write `try`, and a `catch` behind it",
    "dedupe": "take it out, and leave duplicates out of the input: `sort -u`",
    "split": "take it out: each line of the input is a message",
    "sleep": "take it out: a service that asks for a pause gets it",
    "rate_limit": "take it out: a service that asks for a pause gets it",
    "unarchive": "take it out: each line of the input is a message",
    "archive": "take it out: each picture has a file of its own",
    "cache": "take it out: a run keeps nothing for the next one",
    "cached": "put its processors in its place: a run keeps nothing for the next one",
    "parallel": "put its processors in its place: `pipeline.threads` works on messages side by side",
    "while": "put its processors in its place, in a `try`, and what clears a failure into a `catch`",
    "workflow": "write a `mapping` that makes the prompt, and keep other fields as `meta name = this.name`",
    **dict.fromkeys(("jq", "jmespath", "awk"), "write a `mapping`, such as `root = this.prompt`"),
    **dict.fromkeys(("http", "aws_lambda", "command", "subprocess", "sql_insert", "sql_select"), _ELSEWHERE),
    **dict.fromkeys(("openai_chat_completion", "openai_embeddings", "ollama_chat"), _ELSEWHERE),
}
"""What to write in place of processors that often stand beside pictures."""
_BESIDE = ("label", "type")
_LABEL = re.compile(r"[a-z0-9][a-z0-9_\-]*")
_DEFAULT_ADDRESS = "https://api.openai.com/v1"
DEFAULTS = {"server_address": _DEFAULT_ADDRESS, "prompt": "content()"}
"""What its fields are where nothing is written: without a prompt the message is it."""
_DEEPEST = 20
_NOT_THERE = {
    "n": "the processor makes one picture of each message",
    "response_format": "the message becomes the bytes of the picture",
}
"""Fields that people look for, and what is right without them."""


class Processors:
    """Lowers processors. `services` holds the entries that their keys and addresses make, by their names."""

    def __init__(self, findings: Findings) -> None:
        self.findings = findings
        self.services: dict[str, Node] = {}
        self._labels: dict[str, Node] = {}
        self._in_catch = 0

    def lowered(self, listed: Node, *, is_fragment: bool = False) -> list[Node]:
        """The steps of a list of processors. In a fragment one processor alone may stand, as on the vendor's page."""
        if listed.kind == "map" and listed.value:
            listed = made([listed], listed.span)
        if listed.value is None and self.findings.misindented:  # what stood there could not be read
            return []
        if listed.kind != "list":
            message = f"`processors` takes a list, not {show(listed.plain())}"
            self.findings.add("wrong-type", message, listed, hint=f"write `- {PROCESSOR}:`")
            return []
        if not listed.value:
            self.findings.add("empty-flow", "there are no processors", listed, hint=f"write `- {PROCESSOR}:`")
        return self._steps(listed, 0)

    def _steps(self, listed: Node, depth: int) -> list[Node]:
        if depth > _DEEPEST:
            self.findings.add("too-deep", f"processors stand more than {_DEEPEST} deep in each other", listed)
            return []
        found = (self._step(item, depth) for item in listed.value)
        return [step for step in found if step is not None]

    def _step(self, item: Node, depth: int) -> Node | None:
        if item.kind != "map":
            hint = f"write `- {PROCESSOR}:`, and its fields below"
            self.findings.add("wrong-type", f"a processor is a map, not {show(item.plain())}", item, hint=hint)
            return None
        name = self._component(item)
        if name is None:
            return None
        key, value = item.keys[name], item.value[name]
        meant = name if name in SUPPORTED else nearest(name, SUPPORTED)
        options: dict[str, Any] | None = None
        if meant == PROCESSOR:
            options = self._image(key, value)
        elif meant in MAPPINGS:
            text = mapping(value, name, self.findings)
            options = None if text is None else {"step": made("RECORD_MAPPING", key.span), "mapping": text}
        elif meant is not None and meant in LISTS:
            options = self._block(meant, key, value, depth)
        if options is None:
            return None
        label = self._label(item)
        if label is not None and not label.value[0].isdecimal():  # no name of a step begins with a digit
            options["id"] = label
        step = made(options, item.span)
        if value.kind == "map":
            step.keys.update({each: node for each, node in value.keys.items() if each in options})
        return step

    def _component(self, item: Node) -> str | None:
        """The key that says which processor it is."""
        names: list[str] = [name for name in item.value if name not in _BESIDE]
        if len(names) > 1 and len(known := [name for name in names if name in SUPPORTED]) == 1:
            outside = [name for name in names if name in FIELDS and known[0] == PROCESSOR]
            for name in names:
                if name not in known and name not in outside:
                    self._outside(item, name, known[0])
            if outside:
                self._not_indented(item, outside)
            return None if outside and item.value[known[0]].value is None else known[0]
        if len(names) != 1:
            if not names:
                hint = f"there are {', '.join(f'`{each}`' for each in SUPPORTED)}"
                self.findings.add("missing-key", "the processor does not say which one it is", item, hint=hint)
                return None
            message = f"two processors stand in one item: {' and '.join(f'`{name}`' for name in names[:2])}"
            self.findings.add("conflicting-keys", message, item.keys[names[1]], hint="put a dash before each of them")
            return None
        (name,) = names
        if name == _TELLS:
            message = f"`{name}` is left out: it changes no message, and the run tells what becomes of each"
            self.findings.add("no-effect", message, item.keys[name], severity="note")
            return None
        if name not in SUPPORTED:
            near = None if name in _INSTEAD else nearest(name, SUPPORTED)
            key = item.keys[name]
            supported = ", ".join(f"`{each}`" for each in SUPPORTED)
            hint = _INSTEAD.get(name) or (f"did you mean `{near}`?" if near else f"supported here: {supported}")
            fix = renamed(key, near) if near else None
            message = f"`{name}` is not a processor that is supported here"
            self.findings.add("not-supported", message, key, hint=hint, fixes=[fix])
            return name if near else None
        return name

    def _outside(self, item: Node, name: str, component: str) -> None:
        key = item.keys[name]
        if near := nearest(name, _BESIDE):
            fix = renamed(key, near) if near not in item.value else None
            self.findings.add(
                "unknown-key", f"`{name}` is no key of a processor", key, hint=f"did you mean `{near}`?", fixes=[fix]
            )
        else:
            message = f"`{name}` stands beside `{component}` in one item"
            self.findings.add(
                "conflicting-keys", message, key, hint="each processor is an item of its own, with a dash"
            )

    def _not_indented(self, item: Node, names: list[str]) -> None:
        """Tells of fields that stand beside their processor: one finding, as one mistake put them there."""
        listed = (
            f"`{names[0]}`" if len(names) == 1 else f"{', '.join(f'`{name}`' for name in names[:-1])} and `{names[-1]}`"
        )
        verbs = ("is a field", "stands") if len(names) == 1 else ("are fields", "stand")
        message = f"{listed} {verbs[0]} of `{PROCESSOR}`, and {verbs[1]} outside of it"
        hint = "indent it further" if len(names) == 1 else "indent each of these lines further"
        self.findings.add("misnested-key", message, item.keys[names[0]], hint=hint)

    def _label(self, item: Node) -> Node | None:
        """The label of a processor; None where it has none."""
        node: Node | None = item.value.get("label")
        if node is None or node.value in (None, ""):
            return None
        if not isinstance(node.value, str) or not _LABEL.fullmatch(node.value):
            message = f"the label {show(node.plain())} is not one"
            hint = "a label has lower-case letters, digits, `_` and `-`, and begins with a letter or digit"
            self.findings.add("wrong-pattern", message, node, hint=hint)
            return None
        if node.value in self._labels:
            first = self._labels[node.value].span.first.line
            message = f"the label `{node.value}` stands in line {first} already"
            self.findings.add("duplicate-key", message, node, hint="each label is there once")
            return None
        self._labels[node.value] = node
        return node

    def _block(self, name: str, key: Node, value: Node, depth: int) -> dict[str, Any] | None:
        if value.kind != "list":
            message = f"`{name}` takes a list of processors, not {show(value.plain())}"
            self.findings.add(
                "wrong-type", message, value, hint=f"write `{name}: []`, or processors below it, each with a dash"
            )
            return None
        if name == "try" and self._in_catch:
            hint = "put its processors straight into the `catch`"
            self.findings.add(
                "not-supported", "a `try` inside `catch` never runs: the messages are marked", key, hint=hint
            )
        self._in_catch += name == "catch"
        steps = self._steps(value, depth + 1)
        self._in_catch -= name == "catch"
        if not steps and name == "try":
            return None
        options: dict[str, Any] = {"step": made(LISTS[name], key.span)}
        return {**options, "do": made(steps, value.span)} if steps else options

    def _image(self, key: Node, value: Node) -> dict[str, Any] | None:
        """A picture: RECORD_IMAGE, and the service that it asks."""
        findings = self.findings
        if value.kind != "map":
            message = f"`{PROCESSOR}` takes a map, not {show(value.plain())}"
            findings.add("wrong-type", message, value, hint="write its fields below, `api_key` and `model` first")
            return None
        fields, keys = self._fields(value)
        options: dict[str, Any] = {"step": made(PICTURE, key.span)}
        service = self._service(fields, keys)
        if service is not None:
            options["service"] = service
        model = plain_text(fields["model"], "model", findings) if "model" in fields else None
        if "api_key" not in fields:
            fix = added(value, "api_key: ${OPENAI_API_KEY}")
            hint = "write `api_key: ${OPENAI_API_KEY}`, which reads it from the environment"
            findings.add("missing-key", f"`{PROCESSOR}` needs `api_key`", key, hint=hint, fixes=[fix])
        if model is None and ("model" not in fields or fields["model"].kind == "scalar"):
            living = _living_model()
            fix = renamed(fields["model"], living) if "model" in fields else added(value, f"model: {living}")
            at = fields.get("model", key)
            hint = f"write for example `model: {living}`"
            findings.add("missing-key", f"`{PROCESSOR}` needs `model`", at, hint=hint, fixes=[fix])
        options["model"] = model or made("{{ ' ' }}", key.span)  # one that nobody knows, so that it is missed only once
        if "prompt" in fields and (query := prompt(fields["prompt"], findings)) is not None:
            options["prompt"] = query
        for name in ("size", "quality", "style"):
            if name in fields and (text := interpolated(fields[name], name, findings)) is not None:
                options[name] = text
        return options

    def _fields(self, value: Node) -> tuple[dict[str, Node], dict[str, Node]]:
        """The fields and their keys by their names; one that is misspelt counts as the one that is meant."""
        found, keys = {}, {}
        for name, node in value.value.items():
            near, key = name, value.keys[name]
            if name in _NOT_THERE:
                message = f"`{name}` is not a field of `{PROCESSOR}`"
                self.findings.add("unknown-key", message, key, hint=_NOT_THERE[name], fixes=[removed(value, name)])
            elif name not in FIELDS:
                near = self.findings.unknown_key(key, FIELDS, f"`{PROCESSOR}`", beside=value.value) or ""
            if near in FIELDS and near not in found:
                found[near], keys[near] = node, key
        return found, keys

    def _address(self, node: Node) -> Node | None:
        text = node.value if isinstance(node.value, str) else ""
        if "${" not in text and not re.match(r"(?i)https?://[^/\s]", text):
            message = f"`server_address` is {show(node.plain())}, which is no web address"
            is_bare = re.match(r"([\w-]+(\.[\w-]+)+(:\d+)?|localhost(:\d+)?)(/|$)", text) is not None
            scheme = "http" if re.match(r"localhost|127\.|0\.0\.0\.0", text) else "https"
            hint = f"write `{scheme}://{text}`" if is_bare else f"write for example `{_DEFAULT_ADDRESS}`"
            fix = renamed(node, f"{scheme}://{text}") if is_bare else None
            self.findings.add("invalid-endpoint", message, node, hint=hint, fixes=[fix])
            return None
        return plain_text(node, "server_address", self.findings)

    def _service(self, fields: Mapping[str, Node], keys: Mapping[str, Node]) -> str | None:
        """The name of the entry that has this address and key; None where both are the usual ones."""
        address, entry = fields.get("server_address"), dict[str, Node]()
        if address is not None and address.value not in (None, "", _DEFAULT_ADDRESS, f"{_DEFAULT_ADDRESS}/"):
            endpoint = self._address(address)
            entry |= {} if endpoint is None else {"endpoint": endpoint}
        own = secret_text(keys["api_key"], fields["api_key"], self.findings) if "api_key" in fields else None
        if own is not None:
            entry["apiKey"] = own
        if not entry or (entry.keys() == {"apiKey"} and entry["apiKey"].value == "{{ secret('OPENAI_API_KEY') }}"):
            return None
        plain = {name: node.value for name, node in entry.items()}
        for name, other in self.services.items():
            if {key: node.value for key, node in other.value.items() if key != "provider"} == plain:
                return name
        name = "images" if not self.services else f"images_{len(self.services) + 1}"
        at = next(iter(entry.values())).span
        self.services[name] = made({"provider": made("openai", at), **entry}, at)
        names = {"endpoint": "server_address", "apiKey": "api_key"}
        self.services[name].keys.update({key: keys[names[key]] for key in entry})
        return name


def _living_model() -> str:
    """A model to write: the one that has taken the place of those on the vendor's page."""
    from flowdsl_steps.image.catalogue import catalogue
    from flowdsl_steps.image.request import DEFAULT_MODEL

    default = catalogue().find(DEFAULT_MODEL)
    living = default.life("openai").replacement if default is not None else None
    return living or DEFAULT_MODEL
