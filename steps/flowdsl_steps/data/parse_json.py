"""PARSE_JSON: a text as the value it holds."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from flowdsl import Port, Reads, Step, StepContext, Written
from flowdsl.template import stringify
from flowdsl_steps.data.json_schema import check_schema_option, require_fit
from flowdsl_steps.data.json_value import read_json, unfenced
from flowdsl_steps.data.source import read_source, wrong_type


class ParseJson(
    Step,
    name="PARSE_JSON",
    aliases=("PROCESS_PARSE_JSON",),
    category="Data",
    check=check_schema_option,
    inputs=(Port("text", "The JSON text, when there is no `in`.", optional=True, instead=("in",)),),
    outputs=(Port("object", "The value."), Port("text", "The text it was read from.")),
    examples=(
        """\
- step: SET
  text: '{"title": "Dawn", "tags": ["sea", "light"]}'
- step: PARSE_JSON
- step: SET
  text: "{{ flowContext.object.title }}: {{ flowContext.object.tags | join(', ') }}"
""",
        """\
- step: SET
  reply: '[{"city": "Lisbon"}, {"city": "Porto"}]'
- step: PARSE_JSON
  in: reply
  schema: {type: array, items: {type: object, required: [city]}}
  outputs:
    - {type: object, name: places}
- step: SET
  text: "{{ flowContext.places | pluck('city') | join(' and ') }}"
""",
    ),
):
    """Reads a JSON text, which may stand in a Markdown fence, and checks it against a JSON Schema if there is one."""

    in_: Annotated[Any, Reads("text", "list", "map")] = Field(default=None, alias="in")
    """The text, or the FlowContext path that holds it; without it the input `text`."""
    json_schema: dict[str, Any] | None = Field(default=None, alias="schema")
    """A JSON Schema (draft 2020-12) the value must fit."""

    def run(self, ctx: StepContext) -> Written:
        """The value, and the text it came from."""
        source = read_source(self.in_, ctx)
        if isinstance(source, str):
            value, text = read_json(unfenced(source)), source
        elif isinstance(source, (dict, list)):
            value, text = source, str(stringify(source))
        else:
            raise wrong_type(source, ctx)
        if self.json_schema is not None:
            require_fit(value, self.json_schema)
        return {"object": value, "text": text}
