"""A dialect: a JSON list of prompts, each a text or a map with `prompt` and options of the image step."""

from __future__ import annotations

from flowdsl import Dialect, Edit, Fix, Source, Span
from flowdsl.document.dialects import Findings, Node, made

KEYS = ("prompt", "size", "model", "n")


class PromptList(Dialect):
    """One image for each prompt, in turn."""

    def recognises(self, source: Source, root: Node | None) -> bool:
        """A list in brackets that holds a text, or a map with something like a prompt."""
        if root is None or root.kind != "list" or not source.text.lstrip().startswith("["):
            return False
        return any(isinstance(item.value, str) or _is_map(item) for item in root.value)

    def lower(self, root: Node, findings: Findings) -> Node:
        """A step for each prompt that is one."""
        steps = (self.step(item, findings) for item in root.value)
        return made([step for step in steps if step is not None], root.span)

    def step(self, item: Node, findings: Findings) -> Node | None:
        """The step of one prompt; its values keep their places."""
        if item.kind == "map":
            options = {}
            for name, value in item.value.items():
                if name in KEYS:
                    options["instruction" if name == "prompt" else name] = value
                elif findings.unknown_key(item.keys[name], KEYS, "a prompt", beside=item.value):
                    return None  # what a misspelt key stands for is not missing
        elif isinstance(item.value, str):
            options = {"instruction": item}
        else:
            ends = (Edit(Span(item.source, place, place), '"') for place in (item.start, item.end))
            fix = Fix("put it in quotes", tuple(ends), safe=True)
            findings.add("wrong-type", "a prompt is a text or a map", item, hint="put it in quotes", fixes=[fix])
            return None
        return made({"step": "OPENAI_IMAGE_GENERATION", "model": "gpt-image-2", **options}, item.span)


def _is_map(item: Node) -> bool:
    return item.kind == "map" and any("prom" in key for key in item.value)
