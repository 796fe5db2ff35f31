"""The tree of pieces: whose a comment is, what replacing a node changes, what files that cannot be read give."""

from __future__ import annotations

import pytest

from flowdsl.source import Source
from flowdsl.syntax.lossless import Piece, pieces_of, write
from flowdsl.syntax.yaml_reader import read, read_bytes

FLOW = """\
# about the file
flow: # about the flow
  - step: SET # about the step
    text: [a, 'b # no comment'] # about both

  # about the end
  - step: END
# behind everything
"""


def tree(text: str) -> Piece:
    source = Source(text)
    return pieces_of(source, read(source)[0])


def test_comments_belong_to_the_node_above_which_or_on_whose_line_they_stand() -> None:
    found = {
        piece.node.span.text.split("\n")[0]: [comment.text for comment in piece.comments]
        for piece in tree(FLOW).walk()
        if piece.node is not None and piece.comments and piece.node.kind == "scalar"
    }
    assert found == {"flow": ["# about the flow"], "SET": ["# about the step"]}
    whole = tree(FLOW)
    assert [comment.text for comment in whole.comments] == ["# about the file", "# behind everything"]
    first, second = whole.pieces[1].pieces
    assert [comment.text for comment in second.comments] == ["# about the end"]
    assert [comment.text for comment in first.pieces[3].comments] == ["# about both"]


def test_a_comment_right_behind_a_bracket_or_a_quote_is_one_as_the_parser_reads_it() -> None:
    flow = tree("- a: [1]# one\n  b: {c: 2}# two\n  d: 'x'# three\n  e: y# none\n").pieces[0]
    assert [comment.text for piece in flow.walk() for comment in piece.comments] == ["# one", "# two", "# three"]


def test_a_comment_behind_the_sign_of_a_text_in_a_block_is_one_of_it_and_what_the_text_says_is_none() -> None:
    flow = tree("- a: | # one\n    # text\n    x\n  b: >-# two\n    y\n  c: '| # none'\n").pieces[0]
    assert [comment.text for piece in flow.walk() for comment in piece.comments] == ["# one", "# two"]


def test_the_pieces_of_a_map_are_its_keys_and_values_in_turn() -> None:
    flow = tree(FLOW).pieces
    assert [piece.node.kind for piece in flow if piece.node is not None] == ["scalar", "list"]
    pair = flow[1].pieces[0].pieces[3]
    assert (pair.before.text, pair.closing.text, pair.after.text) == (": ", "]", " # about both\n")


def test_a_replaced_node_leaves_everything_around_it() -> None:
    whole = tree(FLOW)
    value = whole.pieces[1].pieces[0].pieces[3].node
    assert value is not None
    assert write(whole, {value: "a\tb"}).decode() == FLOW.replace("[a, 'b # no comment']", "a\tb")


def test_one_node_can_be_written_alone() -> None:
    assert write(tree(FLOW).pieces[1].pieces[1]).decode() == "\n  # about the end\n  - step: END\n"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# only\n",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf- step: END\r\n",
        b"- a: \xff\xfe\n",
        b"\xff\xfe-\x00",
        b"a: [1\n",
    ],
    ids=[
        "nothing",
        "comments",
        "a mark alone",
        "a mark",
        "bytes that are no text",
        "another encoding",
        "an open bracket",
    ],
)
def test_what_cannot_be_read_is_written_back_too(content: bytes) -> None:
    source, _ = read_bytes(content, "x.yaml")
    assert write(pieces_of(source, read(source)[0])) == content


def test_aliases_and_dropped_keys_stand_between_the_pieces() -> None:
    text = "- &a one\n- *a\n- {b: 1, b: 2}\n- last\n"
    assert write(tree(text)).decode() == text
    assert [p.text.text for p in tree(text).walk() if p.text.text] == ["&a one", "b", "1", "last"]


def test_a_list_whose_last_item_is_an_alias_ends_behind_its_start() -> None:
    root, _ = read(Source("- &a 1\n- [x, *a]\n-\n  - y\n  - *a\n"))
    assert root is not None
    assert all(item.end > item.start for item in root.value)
