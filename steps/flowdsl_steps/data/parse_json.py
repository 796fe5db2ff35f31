"""PARSE_JSON: a text as the value it holds."""

from __future__ import annotations

import json
import re
from typing import Any

from pydantic import Field

from flowdsl import Port, Step, StepContext, StepError, Written
from flowdsl_steps.data.source import read_source

_FENCE = re.compile(r"\s*```[\w-]*\s*\n(.*?)\n?\s*```\s*", re.DOTALL)


class ParseJson(
    Step,
    name="PARSE_JSON",
    aliases=("PROCESS_PARSE_JSON",),
    category="Data",
    inputs=(Port("text", "The JSON text, when there is no `in`.", optional=True),),
    outputs=(Port("object", "The value."), Port("text", "The text it was read from.")),
    examples=(
        """\
- step: SET
  text: '{"title": "Dawn", "tags": ["sea", "light"]}'
- step: PARSE_JSON
- step: SET
  text: "{{ flowContext.object.title }}: {{ flowContext.object.tags | join(', ') }}"
""",
    ),
):
    """Reads a JSON text, with or without a Markdown fence around it, and checks it against a JSON Schema if there is
    one."""

    in_: Any = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema (draft 2020-12) the value must fit."""

    def run(self, ctx: StepContext) -> Written:
        """The value, and the text it came from."""
        source = read_source(self.in_, ctx)
        if not isinstance(source, str):
            return {"object": self._fitting(source), "text": json.dumps(source, ensure_ascii=False, default=str)}
        fenced = _FENCE.fullmatch(source)
        text = fenced.group(1) if fenced else source
        try:
            value = json.loads(text)
        except ValueError as error:
            raise StepError(
                f"this is not JSON: {error}", code="not-json", hint=f"it starts with {text[:40]!r}"
            ) from None
        except RecursionError:
            raise StepError("this JSON is nested too deep", code="not-json") from None
        return {"object": self._fitting(value), "text": source}

    def _fitting(self, value: Any) -> Any:
        if self.json_schema is None:
            return value
        from jsonschema import Draft202012Validator
        from jsonschema.exceptions import SchemaError, best_match

        try:
            Draft202012Validator.check_schema(self.json_schema)
        except SchemaError as error:
            raise StepError(f"`schema` is not a JSON Schema: {error.message}", code="invalid-schema") from None
        misfit = best_match(Draft202012Validator(self.json_schema).iter_errors(value))
        if misfit is not None:
            place = misfit.json_path.removeprefix("$").lstrip(".") or "the value"
            raise StepError(f"the JSON does not fit its schema: {place}: {misfit.message}", code="schema-misfit")
        return value
