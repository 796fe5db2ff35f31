"""The gateway's description as a page, without any script."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

_HEAD = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>flowdsl gateway</title>"
    "<style>body{font:16px system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "td{padding:.2rem .8rem .2rem 0;vertical-align:top}"
    "code{background:#8882;padding:0 .2em}summary{cursor:pointer}</style>"
    "<h1>flowdsl gateway</h1><p>"
)
WELCOME = f'{_HEAD}What it serves, and how it is asked: <a href="/docs">/docs</a>.'


def page(described: Mapping[str, Any], models: Iterable[str]) -> str:
    """The description as a page, which loads nothing."""
    rows = "".join(_rows(described))
    names = "".join(f"<li><code>{html.escape(name)}</code></li>" for name in models)
    return (
        f"{_HEAD}Version {html.escape(described['info']['version'])}. The same for programs: "
        f'<a href="/openapi.json">openapi.json</a>.</p><h2>Addresses</h2>{rows}<h2>Models</h2><ul>{names}</ul>'
    )


def _rows(described: Mapping[str, Any]) -> Iterator[str]:
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            head = f"<code>{method.upper()} {html.escape(path)}</code> {html.escape(operation['summary'])}"
            content = operation.get("requestBody", {}).get("content", {})
            tables = "".join(f"<p>{html.escape(kind)}{_table(each['schema'])}" for kind, each in content.items())
            yield f"<details><summary>{head}</summary>{tables}</details>"


def _table(schema: Mapping[str, Any]) -> str:
    rows = "".join(
        f"<tr><td><code>{html.escape(name)}</code><td>{html.escape(_said(each))}"
        for name, each in schema["properties"].items()
    )
    return f"<table>{rows}</table>"


def _said(schema: Mapping[str, Any]) -> str:
    if "anyOf" in schema:
        schema = schema["anyOf"][-1]
    kinds = schema.get("type", "any")
    words = [" or ".join(kinds) if isinstance(kinds, list) else str(kinds)]
    if "minimum" in schema:
        words.append(f"from {schema['minimum']} to {schema.get('maximum', '…')}")
    if "enum" in schema:
        words.append("one of " + ", ".join(str(each) for each in schema["enum"] if each is not None))
    return ", ".join(words)
