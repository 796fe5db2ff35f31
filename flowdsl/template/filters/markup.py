"""Filters for HTML and URLs."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from flowdsl.template.filters.record import filter_named
from flowdsl.template.filters.text import text_of
from flowdsl.template.limits import check_items, check_size
from flowdsl.template.members import member
from flowdsl.template.numbers import JS_SPACE, to_integer
from flowdsl.template.values import UNDEFINED, SafeText, is_array, is_number, own_keys, property_key, to_text, truthy

_ENTITIES: Final = str.maketrans({"&": "&amp;", '"': "&quot;", "'": "&#39;", "<": "&lt;", ">": "&gt;", "\\": "&#92;"})


@cache
def _pattern(source: str, flags: int = 0) -> re.Pattern[str]:
    return re.compile(source, flags)


@filter_named("escape", "e", gives="text", quick=True, needs_value=True)
def escape(value: Any) -> SafeText:
    """The text with `& " ' < > \\` as entities; safe text stays."""
    return value if isinstance(value, SafeText) else force_escape(value)


@filter_named("forceescape", gives="text", needs_value=True)
def force_escape(value: Any) -> SafeText:
    """The text with `& " ' < > \\` as entities."""
    text = "" if value is None or value is UNDEFINED else to_text(value)
    check_size(len(text) * 2)
    return SafeText(text.translate(_ENTITIES))


@filter_named("safe", gives="text", quick=True, needs_value=True)
def safe(value: Any) -> SafeText:
    """The text, not to be escaped."""
    return SafeText("" if value is None or value is UNDEFINED else to_text(value))


@filter_named("striptags", gives="text", needs_value=True, keeps_safe=True)
def strip_tags(value: Any, keep_linebreaks: Any = False) -> str:
    """The text without tags and comments, white space squeezed."""
    text = text_of(value)
    tag = _pattern(r"</?[a-z][a-z0-9]*\b[^>]*>", re.IGNORECASE | re.ASCII)
    tag_or_comment = _pattern(r"</?[a-z][a-z0-9]*\b[^>]*>|<!--[\s\S]*?-->", re.IGNORECASE | re.ASCII)
    # a comment or tag that never ends would be searched to the end again and again
    comments, tags = text.rfind("-->") + 3, text.rfind(">") + 1
    comments = comments if comments > 2 else 0
    text = tag_or_comment.sub("", text[:comments]) + tag.sub("", text[comments:tags]) + text[tags:]
    text = text.strip(JS_SPACE)
    if truthy(keep_linebreaks):
        lines = "\n".join(line.strip(" ") for line in text.split("\n"))
        squeezed = _pattern(" +").sub(" ", lines).replace("\r\n", "\n")
        return _pattern("\n\n\n+").sub("\n\n", squeezed)
    return _pattern(f"[{JS_SPACE}]+").sub(" ", text)


def _encode(value: Any) -> str:
    from urllib.parse import quote

    return quote(to_text(value), safe="!~*'()", errors="replace")


@filter_named("urlencode", gives="text", needs_value=True)
def urlencode(value: Any) -> str:
    """The text percent-encoded; a mapping, or list of pairs, as a query string."""
    if isinstance(value, str) or is_number(value):
        return _encode(value)
    if is_array(value):
        pairs = [(member(pair, 0), member(pair, 1)) for pair in value]
    elif isinstance(value, Mapping):
        pairs = [(property_key(key), value[key]) for key in own_keys(value)]
    else:
        pairs = []
    return "&".join([f"{_encode(key)}={_encode(item)}" for key, item in pairs])


@filter_named("urlize", gives="text", needs_value=True)
def urlize(value: Any, length: Any = UNDEFINED, nofollow: Any = False) -> str:
    """The text with links around URLs and e-mail addresses; `length` cuts what is shown."""
    text = text_of(value)
    check_items(len(text) / 4)
    limit = to_integer(length) if is_number(length) and length == length else len(text)
    rel = ' rel="nofollow"' if nofollow is True else ""
    words = _pattern(f"([{JS_SPACE}]+)").split(text)
    return "".join([_link(word, max(0, limit), rel) for word in words if word])


def _link(word: str, limit: int, rel: str) -> str:
    found = _pattern(r"(?:\(|<|&lt;)?(.*?)(?:\.|,|\)|\n|&gt;)?").fullmatch(word)
    url = found.group(1) if found else word
    if url.startswith(("http://", "https://")):
        return f'<a href="{url}"{rel}>{url[:limit]}</a>'
    if url.startswith("www."):
        return f'<a href="http://{url}"{rel}>{url[:limit]}</a>'
    email = r"[\w.!#$%&'*+\-/=?^`{|}~]+@[a-z\d\-]+(\.[a-z\d\-]+)+"
    if "@" in url and _pattern(email, re.IGNORECASE | re.ASCII).fullmatch(url):
        return f'<a href="mailto:{url}">{url}</a>'
    if _pattern(r"\.(?:org|net|com)(?::|/|\Z)").search(url):
        return f'<a href="http://{url}"{rel}>{url[:limit]}</a>'
    return word
