"""Makes XML fragments well-formed, in time linear in their length."""

from __future__ import annotations

import re
from collections import Counter
from html import escape, unescape

# Source: XML 1.0 (fourth edition), appendix B: the letters of common scripts, which parsers of every edition take.
_START = (
    r"A-Za-z_:\u00C0-\u00D6\u00D8-\u00F6\u00F8-\u0131\u0134-\u013E\u0141-\u0148\u014A-\u017E\u0391-\u03A1\u03A3-\u03CE"
    r"\u0410-\u044F\u05D0-\u05EA\u0621-\u063A\u0641-\u064A\u3041-\u3094\u30A1-\u30FA\u4E00-\u9FA5\uAC00-\uD7A3"
)
_NAME = rf"[{_START}][{_START}0-9.\u00B7-]*+"
# Possessive throughout, and a value cannot hold `<`: no character is looked at more often than a few times.
_TAG = re.compile(rf"<(/?)({_NAME})((?:[^<>\"']++|\"[^\"<]*+\"|'[^'<]*+'|[\"'])*+)>")
_ATTRIBUTE = re.compile(rf"({_NAME})(?:\s*+=\s*+(\"[^\"]*+\"|'[^']*+'|[\"']?[^\s\"'>]++))?")
_ENTITY = re.compile(r"&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});")
_ILLEGAL = re.compile(r"[^\t\n\r\x20-\uD7FF\uE000-\uFFFD\U00010000-\U0010FFFF]")
_SPECIAL = (("<!--", "-->"), ("<![CDATA[", "]]>"), ("<?", "?>"), ("<!", ">"))
_EMPTY = frozenset({"br", "hr", "img", "wbr"})


def well_formed(text: str) -> str:
    """The text with every element closed, stray end tags and document types gone, attributes quoted, `&` and `<`
    escaped, and without characters that XML cannot hold."""
    text = _ILLEGAL.sub("", text)
    writer = _Writer()
    absent: set[str] = set()
    at = 0
    while (start := text.find("<", at)) >= 0:
        writer.text(text[at:start])
        opening, closing = next((pair for pair in _SPECIAL if text.startswith(pair[0], start)), ("", ""))
        if opening and closing not in absent:
            end = text.find(closing, start + len(opening))
            if end >= 0:
                writer.special(opening, text[start + len(opening) : end])
                at = end + len(closing)
                continue
            absent.add(closing)
        tag = _TAG.match(text, start)
        if tag is not None:
            writer.tag(*tag.groups())
        else:
            writer.text("<")
        at = tag.end() if tag is not None else start + 1
    writer.text(text[at:])
    return writer.finished()


class _Writer:
    """Collects what is written, and knows which elements are open."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._open: list[str] = []
        self._counts: Counter[str] = Counter()

    def text(self, text: str) -> None:
        self._parts.append(escape(_plain(text), quote=False))

    def special(self, opening: str, inside: str) -> None:
        """A comment, CDATA or a processing instruction; a document type and a misplaced declaration are left out."""
        if opening == "<!--":
            self._parts.append(f"<!--{re.sub('-(?=-|$)', '- ', inside)}-->")
        elif opening == "<![CDATA[":
            self._parts.append(f"<![CDATA[{inside}]]>")
        elif opening == "<?" and (target := re.match(_NAME, inside)):
            declares = target.group().lower() == "xml"
            if (target.end() == len(inside) or inside[target.end()].isspace()) and not declares:
                self._parts.append(f"<?{inside}?>")
            elif declares and not "".join(self._parts).strip():
                self._parts = ['<?xml version="1.0" encoding="UTF-8"?>']

    def tag(self, slash: str, name: str, inside: str) -> None:
        if slash:
            self._close(name)
            return
        inside = inside.rstrip()
        empty = inside.endswith("/") or name.lower() in _EMPTY
        attributes: dict[str, str] = {}
        for key, value in _ATTRIBUTE.findall(inside.removesuffix("/")):
            closed = value[:1] in ("'", '"') and value[-1:] == value[:1]
            attributes.setdefault(key, _plain(value[1:-1] if closed else value.lstrip("\"'") or key))
        written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
        self._parts.append(f"<{name}{written}{'/' if empty else ''}>")
        if not empty:
            self._open.append(name)
            self._counts[name] += 1

    def _close(self, name: str) -> None:
        """Ends the innermost element of that name and what is open inside it."""
        while self._counts[name]:
            inner = self._open.pop()
            self._counts[inner] -= 1
            self._parts.append(f"</{inner}>")
            if inner == name:
                return

    def finished(self) -> str:
        self._parts += [f"</{name}>" for name in reversed(self._open)]
        return "".join(self._parts)


def _plain(text: str) -> str:
    """The text with its entities read; an `&` that begins none stays."""
    return _ILLEGAL.sub("", _ENTITY.sub(lambda entity: unescape(entity.group()), text))
