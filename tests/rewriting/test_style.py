"""What `flowdsl fmt` makes of a text, and what it never does."""

from __future__ import annotations

from textwrap import dedent

import pytest

from flowdsl.errors import FlowSyntaxError
from flowdsl.rewriting.style import formatted, formatted_flow, same_values
from flowdsl.source import Source
from flowdsl.syntax.yaml_reader import read

LAYOUTS: dict[str, tuple[str, str]] = {
    "lists stand two columns deeper than their key": (
        """\
        flow:
        - step: SET
          a: 1
        - step: SET
          b: 2
        """,
        """\
        flow:
          - step: SET
            a: 1
          - step: SET
            b: 2
        """,
    ),
    "a list that is the file begins at the margin": (
        "  - step: SET\n    a: 1\n",
        "- step: SET\n  a: 1\n",
    ),
    "four columns become two": (
        """\
        inputs:
            city:
                type: string
        flow:
            -   step: SET
                a: 1
        """,
        """\
        inputs:
          city:
            type: string
        flow:
          - step: SET
            a: 1
        """,
    ),
    "one space behind a dash and a colon, none before": (
        "-   step :   SET\n    a:    1\n",
        "- step: SET\n  a: 1\n",
    ),
    "an item begins behind its dash": (
        "-\n  step: SET\n  a:\n    -\n      - 1\n    -\n",
        "- step: SET\n  a:\n    - - 1\n    -\n",
    ),
    "brackets are tight, commas and colons have a space behind them": (
        '- { step : SET,a: [ 1,2 , 3 ],b: { } , c: {"x":1} }\n',
        '- {step: SET, a: [1, 2, 3], b: {}, c: {"x": 1}}\n',
    ),
    "brackets over several lines": (
        """\
        - step: SET
          a: [
           1,
              # two
              2, {
          x: 1 }
            ]
        """,
        """\
        - step: SET
          a: [
            1,
            # two
            2, {
              x: 1}
          ]
        """,
    ),
    "JSON": (
        '{"flow":[\n{"step":"SET",\n"a":{\n"b":1\n}\n}]}',
        '{"flow": [\n  {"step": "SET",\n    "a": {\n      "b": 1\n    }\n  }]}\n',
    ),
    "a text in a block keeps its form": (
        """\
        flow:
        - step: SET
          text: |
               first

                 deeper~~
               last
          next: >-   # folded
           a

           b
        """,
        """\
        flow:
          - step: SET
            text: |
              first

                deeper~~
              last
            next: >-   # folded
              a

              b
        """,
    ),
    "an indicator of indentation stays right": (
        "flow:\n- step: SET\n  text: |2\n      two blanks\n    none\n",
        "flow:\n  - step: SET\n    text: |2\n        two blanks\n      none\n",
    ),
    "blank lines that a text counts stay": (
        "- step: SET\n  a: |+\n    x\n\n\n  b: 1\n- step: SET\n  c: |+\n    x\n\n\n",
        "- step: SET\n  a: |+\n    x\n\n\n  b: 1\n- step: SET\n  c: |+\n    x\n\n\n",
    ),
    "a text that keeps its blank lines, and has none, gets none at the end of a file": (
        "- step: SET\n  a: |+\n      x\n",
        "- step: SET\n  a: |+\n    x\n",
    ),
    "an empty text that would keep blank lines gets none at the end of a file": (
        "- step: SET\n  a:  >+\n",
        "- step: SET\n  a: >+\n",
    ),
    "blank lines below a comment at the end are none of the text above it": (
        "- step: SET\n  a: |+\n    x\n\n# end\n\n",
        "- step: SET\n  a: |+\n    x\n\n# end\n",
    ),
    "blank lines alone in a text grow no longer": (
        "files:\n  a: |\n  \n     \n  b: |+\n    \n  c: 1\n",
        "files:\n  a: |\n\n  b: |+\n\n  c: 1\n",
    ),
    "a text over several lines goes on below its key": (
        "- step: SET\n  text: a red\n         boat\n  more: 'a\n\n\n    b'\n",
        "- step: SET\n  text: a red\n    boat\n  more: 'a\n\n\n    b'\n",
    ),
    "comments stay with what they stand above, and beside": (
        """\
        # the whole
        flow:
        # the first
        - step: SET     # aligned
          a: 1 # near
          # the second key
          b: 2
          # the last of the first
        # the second
        - step: SET
          c: 3
        # the outputs
        outputs:
              # inside
              x: 1
        """,
        """\
        # the whole
        flow:
          # the first
          - step: SET     # aligned
            a: 1  # near
            # the second key
            b: 2
            # the last of the first
          # the second
          - step: SET
            c: 3
        # the outputs
        outputs:
          # inside
          x: 1
        """,
    ),
    "one blank line at most, none at the ends": (
        "\n\n- step: SET\n  a: 1\n\n \t\n\n- step: SET\n  b: 2\n\n\n",
        "- step: SET\n  a: 1\n\n- step: SET\n  b: 2\n",
    ),
    "white space at the ends of lines goes, a line end at the end comes": (
        "- step: SET  \n  a: 1\t\n  # said \t",
        "- step: SET\n  a: 1\n  # said\n",
    ),
    "comments below each other stay so": (
        """\
        - step: SET
          a:    1     # one
          long: 2     # two
          b: 3       # three
          c: |       # four
            x

          d:   1     # five
        """,
        """\
        - step: SET
          a: 1        # one
          long: 2     # two
          b: 3       # three
          c: |       # four
            x

          d: 1     # five
        """,
    ),
    "a comment at the end of a file without a line end": (
        "- step: SET\n  a: 1 # one",
        "- step: SET\n  a: 1  # one\n",
    ),
    "tabs in comments and texts stay": (
        "- step: SET\t# a\tb\n  a: 'x\ty'\n",
        "- step: SET  # a\tb\n  a: 'x\ty'\n",
    ),
    "anchors, aliases, tags and merge keys": (
        "- step:  &a   SET\n  b:  &m\n      c: 1\n- step: *a\n  <<:   *m\n  d:   !!str   1\n",
        "- step: &a SET\n  b: &m\n    c: 1\n- step: *a\n  <<: *m\n  d: !!str 1\n",
    ),
    "marks of the document": (
        "%YAML 1.2\n---\n- step: SET\n  a: 1\n...\n",
        "%YAML 1.2\n---\n- step: SET\n  a: 1\n...\n",
    ),
    "keys with a question mark": (
        "flow:\n-   ? step\n    : SET\n    ?   a\n    :   - 1\n",
        "flow:\n  - ? step\n    : SET\n    ? a\n    : - 1\n",
    ),
    "quotes stay as they are": (
        """- {step: SET, a: 'yes', b: "yes", c: yes, d: '1', e: "it''s"}\n""",
        """- {step: SET, a: 'yes', b: "yes", c: yes, d: '1', e: "it''s"}\n""",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_the_one_style(name: str) -> None:
    before, after = (dedent(text).replace("~", " ") for text in LAYOUTS[name])
    assert formatted(Source(before)) == after
    assert formatted(Source(after)) == after


def test_windows_line_ends_stay_and_mixed_ones_become_those_of_most_lines() -> None:
    assert (
        formatted(Source("-   step: SET\r\n    a: |\r\n      x\r\n      y\r\n"))
        == "- step: SET\r\n  a: |\r\n    x\r\n    y\r\n"
    )
    assert formatted(Source("- step: SET\r\n  a: 1\n  b: 2\n")) == "- step: SET\n  a: 1\n  b: 2\n"
    assert formatted(Source("- step: SET\r\n  a: 1\r\n  b: 2\n")) == "- step: SET\r\n  a: 1\r\n  b: 2\r\n"


def test_a_text_that_has_no_line_end_at_the_end_gets_none() -> None:
    for text in ("- step: SET\n  a: |\n    x", "- step: SET\n  a: >+\n    x"):
        assert formatted(Source(text)) == text
    assert formatted(Source("- step: SET\n  a: |-\n    x")) == "- step: SET\n  a: |-\n    x\n"


def test_characters_that_look_like_line_ends_are_none() -> None:
    text = "- step: SET\n  a: one\u2028two\u0085three  # four\u2029five\n"
    assert formatted(Source(text)) == text


def test_a_file_with_a_mistake_of_syntax_is_refused_with_it() -> None:
    with pytest.raises(FlowSyntaxError) as caught:
        formatted_flow(Source("- step: SET\n\ta: 1\n"))
    assert [finding.code for finding in caught.value.diagnostics] == ["tab"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("id: a\nnamespace: b\ntasks:\n  - {id: x, type: io.kestra.plugin.core.log.Log}\n", "of another system"),
        ("version: '3'\nservices: {web: {image: x}}\n", "neither a flow nor a module nor a kit"),
    ],
    ids=["kestra", "compose"],
)
def test_what_is_none_of_ours_is_refused(text: str, said: str) -> None:
    with pytest.raises(FlowSyntaxError) as caught:
        formatted_flow(Source(text))
    (finding,) = caught.value.diagnostics
    assert finding.code == "not-a-flow"
    assert said in finding.message


def test_other_values_are_seen() -> None:
    def same(one: str, other: str) -> bool:
        first, second = (read(Source(text))[0] for text in (one, other))
        assert first is not None
        assert second is not None
        return same_values(first, second)

    assert same("a: [1, {b: c}]", "a:\n  - 1\n  - b: c")
    different = (
        "a: [1, {b: d}]",
        "a: [1.0, {b: c}]",
        "a: [1, {b: 'c'}]",
        "a: [1, {b: c}, 2]",
        "b: [1, {b: c}]",
        "a: 1",
    )
    assert not any(same("a: [1, {b: c}]", other) for other in different)
