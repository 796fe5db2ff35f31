"""Makes XML fragments well-formed."""

from __future__ import annotations

import re
from html import escape, unescape

_TOKEN = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>|</?[A-Za-z_][\w.:-]*(?:[^<>\"']|\"[^\"]*\"|'[^']*')*>", re.DOTALL
)
_NAME = re.compile(r"</?([A-Za-z_][\w.:-]*)")
_ATTRIBUTE = re.compile(r"([A-Za-z_:][\w.:-]*)(?:\s*=\s*(\"[^\"]*\"|'[^']*'|[^\s\"'>]+))?")


def well_formed(text: str) -> str:
    """The text with every element closed, stray end tags gone, attributes quoted and `&` and `<` escaped."""
    parts: list[str] = []
    open_names: list[str] = []
    at = 0
    for match in _TOKEN.finditer(text):
        parts.append(_text(text[at : match.start()]))
        parts.append(_tag(match.group(), open_names))
        at = match.end()
    parts.append(_text(text[at:]))
    parts += [f"</{name}>" for name in reversed(open_names)]
    return "".join(parts)


def _text(text: str) -> str:
    return escape(unescape(text), quote=False)


def _tag(tag: str, open_names: list[str]) -> str:
    found = _NAME.match(tag)
    if found is None:  # a comment, CDATA or a processing instruction
        return tag
    name = found.group(1)
    if tag.startswith("</"):
        if name not in open_names:
            return ""
        closed = []
        while open_names:
            closed.append(open_names.pop())
            if closed[-1] == name:
                break
        return "".join(f"</{inner}>" for inner in closed)
    inside = tag[found.end() : -1].rstrip()
    empty = inside.endswith("/")
    attributes: dict[str, str] = {}
    for attribute in _ATTRIBUTE.finditer(inside.removesuffix("/")):
        value = attribute.group(2) or attribute.group(1)
        attributes.setdefault(attribute.group(1), unescape(value.strip("\"'")))
    written = "".join(f' {key}="{escape(value)}"' for key, value in attributes.items())
    if not empty:
        open_names.append(name)
    return f"<{name}{written}{'/' if empty else ''}>"
