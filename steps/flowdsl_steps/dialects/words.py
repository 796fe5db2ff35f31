"""What findings about steps are called in documents of other systems, whose readers know no steps."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from flowdsl import Diagnostic

_IN_BACKTICKS = re.compile(r"(`[^`]*`)")


class Words(NamedTuple):
    """The words of a system: `names` of its parts by those of the steps that they become, `plain` ones in place of
    words such as `step`, and `hints` by the code of a finding. A hint of None is left out: it does not work there."""

    names: Mapping[str, str]
    plain: Mapping[str, str]
    hints: Mapping[str, str | None]

    def said(self, found: Diagnostic) -> Diagnostic:
        """A finding in these words."""
        hint = self.hints[found.code] if found.code in self.hints else self.text(found.hint)
        related = tuple(place._replace(message=self.text(place.message) or "") for place in found.related)
        return found._replace(message=self.text(found.message) or "", hint=hint, related=related)

    def text(self, text: str | None) -> str | None:
        """A text in these words; what stands in backticks is of the file, and stays, unless it is the name of a
        step."""
        if text is None:
            return None
        return "".join(
            self._quoted(part) if part[:1] == "`" else self._plain(part) for part in _IN_BACKTICKS.split(text)
        )

    def _quoted(self, part: str) -> str:
        return f"`{self.names[part[1:-1]]}`" if part[1:-1] in self.names else part

    def _plain(self, part: str) -> str:
        words = {**self.plain, **self.names}
        return _pattern(words).sub(lambda found: words[found[0]], part)


def _pattern(words: Mapping[str, str]) -> re.Pattern[str]:
    longest_first = sorted(map(re.escape, words), key=len, reverse=True)
    return re.compile(rf"\b(?:{'|'.join(longest_first)})\b")


def in_json(text: str | None) -> str | None:
    """A text whose examples in backticks, `key: value`, are those of JSON."""
    if text is None:
        return None
    return re.sub(r"`(\w+): ([^`]+)`", lambda found: f'`"{found[1]}": {_value(found[2])}`', text)


def _value(text: str) -> str:
    if text[0] in '"[{' or text in ("true", "false", "null") or re.fullmatch(r"-?\d+(\.\d+)?", text):
        return text
    return f'"{text}"'
