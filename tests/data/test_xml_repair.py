"""Repaired XML is well-formed, and what was well-formed stays as it is."""

from __future__ import annotations

from xml.parsers.expat import ParserCreate

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowdsl_steps.data.xml_repair import well_formed

DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def parsed(fragment: str) -> list[tuple[str, object]]:
    """What a strict parser finds in a fragment. Raises ExpatError when it is not well-formed."""
    found: list[tuple[str, object]] = []
    parser = ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = lambda name, attributes: found.append((name, attributes))
    parser.EndElementHandler = lambda name: found.append(("/", name))
    parser.CharacterDataHandler = lambda text: found.append(("text", text))
    declaration = DECLARATION if fragment.startswith(DECLARATION) else ""
    parser.Parse(f"{declaration}<root>{fragment.removeprefix(declaration)}</root>".encode(), True)
    return found[1:-1]


@pytest.mark.parametrize(
    ("broken", "repaired"),
    [
        ("plain", "plain"),
        ("<a><b>1</a>", "<a><b>1</b></a>"),
        ("<a>1</b></a>", "<a>1</a>"),
        ("<a><b></a></b>", "<a><b></b></a>"),
        ("<a", "&lt;a"),
        ("a < b && c > d", "a &lt; b &amp;&amp; c &gt; d"),
        ("&amp; &lt; &nbsp; &unknown; &#65; &#x42; &copy", "&amp; &lt; \u00a0 &amp;unknown; A B &amp;copy"),
        ("?a=1&copy=2", "?a=1&amp;copy=2"),
        ("<a b=c d='e' f>", '<a b="c" d="e" f="f"></a>'),
        ('<a b="1" b="2"/>', '<a b="1"/>'),
        ("<a b='\"&lt;'/>", '<a b="&quot;&lt;"/>'),
        ('<a b="x>y">z</a>', '<a b="x&gt;y">z</a>'),
        ('<a b="open>z</a>', '<a b="open">z</a>'),
        ("<p>a<br>b<img src=x></p>", '<p>a<br/>b<img src="x"/></p>'),
        ("<br></br>", "<br/>"),
        ("<!-- a -- b -->", "<!-- a - - b -->"),
        ("<!-- open", "&lt;!-- open"),
        ("<![CDATA[a < b]]>", "<![CDATA[a < b]]>"),
        ("<!DOCTYPE a [<!ENTITY x 'y'>]><a/>", None),
        ("<?go now?>", "<?go now?>"),
        ("a <?xml version='1.0'?>", "a "),
        ("a\x00b\x1b\ufffe", "ab"),
        ("]]>", "]]&gt;"),
        ("</a>", ""),
        ("<1a>", "&lt;1a&gt;"),
        ("<größe/>", "<größe/>"),
    ],
)
def test_a_fragment_is_repaired(broken: str, repaired: str | None) -> None:
    found = well_formed(broken)
    parsed(found)
    assert repaired in (None, found)


def test_a_declaration_in_front_stays_in_front() -> None:
    assert well_formed("<?xml version='1.1'?><a>") == f"{DECLARATION}<a></a>"


PIECES = st.sampled_from(
    [
        *("<", ">", "/", "</", "/>", "<a", "<b:c", "</a>", "<br>", "a", " ", "=", '"', "'", "&", ";", "&lt;", "&#x0;"),
        *(
            "&#55296;",
            "<!--",
            "-->",
            "--",
            "<![CDATA[",
            "]]>",
            "<?",
            "?>",
            "<?xml",
            "<!DOCTYPE x",
            "\x00",
            "\ud800",
            "ü",
        ),
        *("b='1'", 'c="2"', "\n", "<²>", "<ʰ>", "xml:a='b'"),
    ]
)


@settings(max_examples=400, deadline=None, derandomize=True)
@example("<?xml?>")
@given(st.lists(PIECES, max_size=20).map("".join))
def test_whatever_comes_in_what_goes_out_is_well_formed(text: str) -> None:
    parsed(well_formed(text))


TEXT = st.text(st.sampled_from("ab &<>\"'ü"), max_size=5)


def _element(children: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    from xml.sax.saxutils import escape, quoteattr

    attributes = st.dictionaries(st.sampled_from(["x", "y:z"]), TEXT, max_size=2)
    inside = st.lists(children | TEXT.map(escape), max_size=3).map("".join)

    def written(name: str, pairs: dict[str, str], content: str) -> str:
        return f"<{name}{''.join(f' {key}={quoteattr(value)}' for key, value in pairs.items())}>{content}</{name}>"

    return st.builds(written, st.sampled_from(["a", "b", "c-d"]), attributes, inside)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.recursive(TEXT.map(lambda text: text.replace("&", "+").replace("<", "-").replace(">", "-")), _element))
def test_what_is_well_formed_means_the_same_afterwards(text: str) -> None:
    assert parsed(well_formed(text)) == parsed(text)
