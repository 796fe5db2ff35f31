"""Whether a flow can read a secret at all: only then its templates follow where it goes."""

from __future__ import annotations

import re

_MAY_READ = re.compile(r"secret|\\(?:[xuU\r\n]|\Z)", re.IGNORECASE)


def may_read_secrets(*texts: str) -> bool:
    """Whether the texts of all files of a flow could spell the word `secret`: as it is, or by an escape of YAML."""
    return any(_MAY_READ.search(text) is not None for text in texts)
