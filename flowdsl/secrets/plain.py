"""Secrets that stand in a file in plain text: where they are, so that no finding shows them.

A file with a mistake may not be readable as YAML, so this looks at the text alone: at values behind names that speak of
keys (`apiKey`, `Authorization`, and `apiKeyy` too), and at words that look like a vendor's key wherever they stand. Who
knows more, such as the settings of a service, says so by `Source.conceal`. Hiding too much is the lesser evil.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator

from flowdsl.nearest import nearest

HIDDEN = "***"
"""What stands in place of a secret."""
REVEALING = 6
"""A secret, or a part of one, shorter than this is only hidden where it stands alone: taking it out of other texts
would garble every message and reveal nobody's secret."""
BEGINNING = 12
"""So many first characters of a secret are hidden too, because messages shorten long values."""

_NAMED = re.compile(
    r"""(?<![\w$-])(?P<name>[\w-]{1,80}+)["']?[ \t]*(?::(?!//)|=(?![=~]))[ \t]*+(?:[&!]\S{0,200}+[ \t]++)*+"""
)
"""A name and what stands between it and its value: a colon, also one without its blank, or `=`."""
_WORDS = (
    *("apikey", "authkey", "accesskey", "secretkey", "privatekey", "projectkey", "subscriptionkey", "signingkey"),
    *("clientpem", "password", "passwd", "passphrase", "secret", "credential", "authorization", "bearer", "cookie"),
)
_ALONE = frozenset({"pwd", "pass", "auth", "login"})
_SPELT = ("apiKey", "authKey")
_OPEN = frozenset({"true", "false", "null", "~"})
_LONGEST_WORD = 80
"""Longer than each of these, with blanks about it."""
_MAYBE_A_KEY = re.compile(r"(?=[^\s\d]*+\d)(?=[^\sA-Za-z]*+[A-Za-z])[\w.~+/=-]{12,}+")
_NOT_OF_A_KEY = r"[^\w.~+/=-]"
_DASH, _LINE, _BLANK = r"(?:-|%2[dD])", r"(?:_|%5[fF])", r"(?:[ ]|%20)"
_CHARACTER = r"(?:[\w-]|%2[dD]|%5[fF])"
"""Of a key, also where an address has it percent-encoded, and all that is no letter of it."""
_LOOKS_LIKE_A_KEY = re.compile(
    r"(?<![\w-])(?:"
    rf"(?:sk|sess|xai|gsk|glpat){_DASH}{_CHARACTER}{{6,}}"
    rf"|(?:ghp|gho|ghs|ghu|github{_LINE}pat|hf|r8|gsk|sk|rk|pk){_LINE}(?:\w|%5[fF]){{16,}}"
    rf"|xox[a-z]{_DASH}{_CHARACTER}{{10,}}"
    rf"|fdsl{_DASH}[0-9a-f]{{12}}{_DASH}{_CHARACTER}{{16,}}"
    rf"|AKIA[0-9A-Z]{{12,}}|AIza{_CHARACTER}{{20,}}"
    rf"|eyJ{_CHARACTER}{{10,4000}}+\.{_CHARACTER}+(?:\.{_CHARACTER}+)?"
    rf"|(?:[Bb]earer|[Bb]asic|Token|Key){_BLANK}+(?P<scheme>(?=\S*[\d=]|\S{{20}})[\w.~+/=-]{{6,}})"
    r"|[A-Z][A-Z0-9_]{0,60}(?:KEY|TOKEN|SECRET|PASSWORD)=(?P<variable>[^\s\"'{]+)"
    r")"
    r"|://(?:[^/\s:@{]*:)?(?P<login>[^/@\s{]+)@"
    r"|[?&](?:[\w-]*key|[\w-]*token|[\w-]*secret|sig|signature|password)=(?P<query>[^&\s\"'#{},]+)"
    r"|-----BEGIN[ ][\w ]{0,30}-----(?P<pem>.*?)(?=-----|\Z)",
    re.DOTALL,
)
_KEY_IN_PROSE = 16
_KEY_LINE = re.compile(r"\s*(?:-\s|[\w-]+[\"']?\s*:(?:\s|$))")
_VARIABLE = re.compile(r"\$\{[A-Za-z_]\w{0,80}\}")
"""The name of an environment variable, as many systems write it, is no secret."""
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"?|\'(?:[^\']|\'\')*\'?', re.DOTALL)


def plain_secrets(text: str) -> list[tuple[int, int]]:
    """Where a text holds what may be a secret: start and end of each, in order, none touching the next."""
    found = [match.span(match.lastgroup or 0) for match in _LOOKS_LIKE_A_KEY.finditer(text)]
    judged: dict[str, bool] = {}
    marks = _Marks(text)
    for match in _NAMED.finditer(text):
        name = match["name"]
        if name not in judged:
            judged[name] = names_secret(name)
        if (judged[name] or name == "key") and match.end() >= marks.hidden:
            found += _values(text, match, judged[name], marks)
    return merged(found)


def keys_in(text: str) -> Iterator[str]:
    """The words of a text that look like a key, whatever stands before them. Of what stands behind `basic` and the like
    only what is as long as a key: in prose these are ordinary words."""
    for match in _LOOKS_LIKE_A_KEY.finditer(text):
        group = match.lastgroup or 0
        if len(match[group]) >= (_KEY_IN_PROSE if group == "scheme" else REVEALING):
            yield match[group]


def names_secret(name: str) -> bool:
    """Whether a name of a key or a header, also a misspelt one, is one for a secret."""
    folded = name.lower().replace("-", "").replace("_", "")
    if folded in _ALONE or any(word in folded for word in _WORDS):
        return True
    if "token" in folded:
        return "tokens" not in folded
    return nearest(name, _SPELT) is not None


def may_be_secret(name: str, value: str) -> bool:
    """Whether a text behind a name is a secret: by the name, or as a `key` that looks like one."""
    return names_secret(name) or (name.lower() == "key" and _MAYBE_A_KEY.fullmatch(value) is not None)


def merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, with those that overlap made one."""
    whole: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if whole and start <= whole[-1][1]:
            whole[-1] = whole[-1][0], max(end, whole[-1][1])
        elif start < end:
            whole.append((start, end))
    return whole


def without(text: str, secrets: Iterable[str]) -> str:
    """A message without the secrets, also where it shows the beginning of one."""
    longest_first = sorted(secrets, key=lambda secret: (-len(secret), secret))
    for secret in longest_first:
        text = text.replace(secret, HIDDEN)
    beginnings: dict[str, list[str]] = {}  # after all whole ones: one may begin as another does
    for secret in longest_first:
        if len(secret) > BEGINNING:
            beginnings.setdefault(secret[:BEGINNING], []).append(secret)
    for beginning, alike in beginnings.items():
        text = without_beginning(text, beginning, alike)
    return text


def without_keys(text: str) -> str:
    """A text without what looks like a secret in it."""
    for start, end in reversed(plain_secrets(text)):
        text = text[:start] + HIDDEN + text[end:]
    return text


def without_beginning(text: str, beginning: str, forms: list[str]) -> str:
    """The text without the shortened forms that begin like this."""
    at = text.find(beginning)
    while at >= 0:
        length = max(_agreeing(text, at, form) for form in forms)
        length += _rest_of_key(text, at + length)
        text = text[:at] + HIDDEN + text[at + length :]
        at = text.find(beginning, at + len(HIDDEN))
    return text


def _rest_of_key(text: str, at: int) -> int:
    """How many characters from there on a key may have: another secret may begin like the one that is known."""
    end = at
    while end < len(text) and (text[end].isalnum() or text[end] in "-_"):
        end += 1
    return end - at


def _agreeing(text: str, at: int, form: str) -> int:
    """How many characters of the text from there on are those of the form."""
    return next((i for i, char in enumerate(form) if text[at + i : at + i + 1] != char), len(form))


class _Marks:
    """Where marks stand in a text, each looked for once: a line may have as many names as it likes, and what is done
    for each must not grow with the line."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._places: dict[str, list[int]] = {}
        self._below: dict[tuple[int, bool], _Below] = {}
        self.hidden = 0
        """Up to there all is hidden by the value of a name: whatever is named in it is too."""

    def are_open(self, at: int, since: int = 0) -> bool:
        """Whether more braces are opened than closed before a place."""
        return self._count("{", since, at) > self._count("}", since, at)

    def next(self, mark: str, start: int, end: int) -> int:
        """Where the first match of a mark begins; the end, when there is none before it."""
        places = self._of(mark)
        at = bisect_left(places, start)
        return min(end, places[at]) if at < len(places) else end

    def below(self, line: int, ends: int, block: bool) -> _Below:
        """The lines below that belong to a value of a line."""
        if (line, block) not in self._below:
            self._below[line, block] = _Below(self._text, [*_below(self._text, line, ends, block)])
        return self._below[line, block]

    def _count(self, mark: str, start: int, end: int) -> int:
        return bisect_left(self._of(mark), end) - bisect_left(self._of(mark), start)

    def _of(self, mark: str) -> list[int]:
        if mark not in self._places:
            self._places[mark] = [found.start() for found in re.finditer(mark, self._text)]
        return self._places[mark]


def _values(text: str, match: re.Match[str], sure: bool, marks: _Marks) -> Iterator[tuple[int, int]]:
    """The places of the value behind a name; only one that looks like a key when the name alone does not say so."""
    start, ends = match.end(), text.find("\n", match.end())
    ends = len(text) if ends < 0 else ends
    named = match.start("name")
    line = text.rfind("\n", 0, named) + 1
    inline = marks.are_open(start) if text[line:named].lstrip()[:1] in "\"'{" else False
    inline = inline or marks.are_open(named, line)
    if inline and start == ends:  # the value of a map in braces may stand on the next line
        start = marks.next(r"\S", start, len(text))
        ends = text.find("\n", start)
        ends = len(text) if ends < 0 else ends
    below = _NOTHING
    is_quoted = text[start : start + 1] in ('"', "'")
    if is_quoted:
        quoted = _QUOTED.match(text, start)
        assert quoted is not None  # noqa: S101  a quote begins there
        end = quoted.end() if quoted[0][-1] == quoted[0][0] and len(quoted[0]) > 1 else ends
        spans = [(start + 1, end - (end != ends or text[end - 1] == text[start]))]
    elif text[start : start + 1] in ("{", "*"):
        return
    else:
        end = marks.next(r"\s#", start, ends)
        rest = text[start : marks.next("[,}]", start, end) if inline else end].rstrip()
        block = not rest or rest[0] in "|>"
        spans = [] if block else [(start, start + len(rest))]
        if not inline:
            below = marks.below(line, ends, block and bool(rest))
    whole = "".join(text[start:end] for start, end in spans) + below.said
    if below.is_template or any(marks.next(r"\{[{%]", start, end) < end for start, end in spans):
        return
    if (len(whole) < _LONGEST_WORD and whole.strip().lower() in _OPEN) or _VARIABLE.fullmatch(whole):
        return
    if not sure:
        has_digit = below.has_digit or any(marks.next(r"\d", start, end) < end for start, end in spans)
        is_word = below.is_word and all(marks.next(_NOT_OF_A_KEY, start, end) == end for start, end in spans)
        sure = has_digit and is_word and _MAYBE_A_KEY.fullmatch(whole) is not None
    if sure:
        yield from (*spans, *below.spans)
        below.spans.clear()  # these are told, to whichever name of their line
        if spans and not is_quoted and not inline and end == ends:
            marks.hidden = spans[0][1]


class _Below:
    """The lines that belong to a value above them."""

    def __init__(self, text: str, spans: list[tuple[int, int]]) -> None:
        self.spans = spans
        self.said = "".join(text[start:end] for start, end in spans)
        self.is_template = "{{" in self.said or "{%" in self.said
        self.has_digit = re.search(r"\d", self.said) is not None
        self.is_word = re.search(_NOT_OF_A_KEY, self.said) is None


_NOTHING = _Below("", [])


def _below(text: str, line: int, ends: int, block: bool) -> Iterator[tuple[int, int]]:
    """The lines that belong to a value above them: deeper than its key, and no keys themselves unless in a `block`."""
    depth = _depth(text[line:ends])
    at = ends + 1
    while at < len(text):
        end = text.find("\n", at)
        end = len(text) if end < 0 else end
        row = text[at:end].rstrip()
        if row.strip():
            if _depth(row) <= depth or (not block and _KEY_LINE.match(row)):
                return
            yield at + _depth(row), at + len(row)
        at = end + 1


def _depth(row: str) -> int:
    return len(row) - len(row.lstrip(" \t"))
