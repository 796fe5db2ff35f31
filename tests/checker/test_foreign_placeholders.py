"""A text with signs of other languages stays a text, where nothing has the name in it or the language has the signs."""

from __future__ import annotations

import pytest

import flowdsl

TEXTS = (
    "a tag for %(other)s, ${other}, $other, <other>, [[other]], %other%, __other__, <%= other %>, $(other), #{other}",
    "<p>A <city>Lisbon</city> of tags</p>",
    "<city/>, <city />",
    "query($city: String!) { weather(at: $city) { sky } }",
    "it costs $5, 100% city, a < city > b, __init__, C:\\\\city%20hall",
    "city: (city), {city}, [city], @city, :city, *city*, `city`",
    "{{ inputs.city }} for <{{ inputs.city }}> and [[{{ inputs.city }}]] and ${{ inputs.price }}",
    "{{ [[inputs.city]][0][0] }} {% if 1 <city.length> 0 %}x{% endif %}",
)


@pytest.mark.parametrize("text", TEXTS, ids=[f"text {number}" for number in range(len(TEXTS))])
def test_what_only_looks_like_a_placeholder_is_not_reported(text: str) -> None:
    flow = f"""\
inputs:
  city: {{type: string}}
  price: {{type: number}}
flow:
  - step: SET
    shown: |
      {text}
    more: [{{deep: '{text.replace("'", "''")}'}}]
  - {{step: REST, url: "https://a.example", body: '{text.replace("'", "''")}'}}
outputs: {{shown: "{{{{ flowContext.shown }}}}"}}
"""
    found = [each for each in flowdsl.check(flow) if each.code in ("foreign-syntax", "single-braces")]
    assert found == []
