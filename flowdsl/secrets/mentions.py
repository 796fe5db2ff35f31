"""Whether a flow can read a secret at all: only then its templates follow where it goes."""

from __future__ import annotations

import re
from collections.abc import Iterable

_ESCAPE = r"\\(?:[xuU\r\n]|\Z)"
_MAY_READ = re.compile(rf"secret|\bkv\s*\(|{_ESCAPE}", re.IGNORECASE)


def may_read_secrets(*texts: str) -> bool:
    """Whether the texts of all files of a flow could spell the word `secret`, as it is or by an escape of YAML, or call
    `kv`, which in a document of another system may read the environment."""
    return any(_MAY_READ.search(text) is not None for text in texts)


def may_mention(words: Iterable[str], *texts: str) -> bool:
    """Whether the texts could spell one of these words, as it is or by an escape."""
    wanted = [re.escape(word) for word in words]
    return bool(wanted) and any(re.search("|".join([*wanted, _ESCAPE]), text) is not None for text in texts)
