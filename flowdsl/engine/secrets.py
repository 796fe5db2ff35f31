"""Secrets of a run: where they come from, and how they stay out of everything that is shown.

A secret is a `SecretText`, and templates keep that mark on whatever they make of one, numbers too (`SecretInteger`).
Where a mark could be lost outside of templates, of which `template.taint` says the same: (1) a step or a function of
the host makes a new text of a secret, `key[:8]`, `json.dumps(…)`; `marked` sets the mark again on what a step returns,
where the text holds a known secret whole or in one of its forms. (2) Something is shown before the secret is known:
`notice` is called on what a step is given, and on the whole FlowContext when one fails, before any of it is emitted.
(3) Templates of a flow whose files nowhere spell the word `secret`, and whose host gives plain values alone, are
compiled without marks, which is faster (`Flow._compiled`). (4) A part of a secret shorter than REVEALING is hidden only
where it stands alone, a number below LEAST_NUMBER nowhere. (5) A secret that is an ordinary word, `yes` or `8080`, is
hidden where it has its mark, and not wherever the word stands. Texts are therefore hidden twice: by the mark, and by
`hide`, which searches for every form of every secret seen so far in all that leaves the run: events, errors, effects,
results.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from flowdsl.engine.secret_forms import SecretForms
from flowdsl.errors import StepError, TemplateError
from flowdsl.secrets.plain import HIDDEN, REVEALING
from flowdsl.template.taint import LISTS, PLAIN, Marked, SecretBytes, SecretText, as_map, mark, own_text, rebuilt
from flowdsl.walks import unwalkable

SHORTEST = 2
"""A text that templates made of a secret, of at least so many characters, is hidden where it stands alone."""
LEAST_NUMBER = 1000
"""A smaller number is not taken for a secret whose mark was lost."""
_LONGEST_KEY = 512
_ASCII = 128


class Secrets:
    """The secrets a run has seen; `hide` takes them out of a text."""

    __slots__ = ("_forms", "_hint", "_ordinary", "_seen", "_store", "_watching")

    def __init__(self, store: Callable[[str], str | None], *, watching: bool = False, hint: str | None = None) -> None:
        self._store = store
        self._hint = hint
        self._ordinary: set[str] = set()
        self._watching = watching
        self._seen: set[str] = set()
        self._forms = SecretForms()

    @property
    def seen(self) -> bool:
        """Whether there may be anything to hide."""
        return self._watching or bool(self._seen)

    @property
    def known(self) -> int:
        """How many there are to hide so far: as long as that is the same, so is what is hidden in a value."""
        return len(self._seen)

    def secret(self, name: str) -> SecretText:
        """The template function `secret('NAME')`.

        Raises:
            TemplateError: there is no such secret.
        """
        value = self._store(str(name))
        if value is None:
            raise TemplateError(
                f"the secret `{name}` is not set",
                code="secret-not-set",
                hint=self._hint or f"set the environment variable {name}",
            )
        if not isinstance(value, str):  # it would be sent as `b'…'`
            raise TemplateError(
                f"the secret `{name}` is no text: the host's `secrets` gives {type(value).__name__}",
                code="secret-not-set",
                hint="let it give a text",
            )
        if self._hint is None and _is_ordinary(str(name), value):
            self._ordinary.add(value)
        return self.add(value)

    def add(self, value: str) -> SecretText:
        """Marks a value as secret."""
        self._watching = True
        value = str.__str__(value)  # a text of a kind of its own may show itself as another
        if value and value not in self._seen and value not in self._ordinary:
            if len(value) <= _LONGEST_KEY:
                self._forms.adopt(_formed(value))
            else:  # a prompt with a key in it: no other run has the same, and its forms are long
                self._forms.add(_forms(value))
            self._seen.add(value)  # last: another thread takes what is seen for hidden
        return SecretText(value)

    def hide(self, text: str) -> str:
        """The text without any secret seen so far, in any of the forms it takes in messages."""
        return self._forms.hide(text)

    def hide_in(self, value: Any) -> Any:
        """The value with every text inside hidden; `***` for one that is nested too deep to be looked through."""
        if value.__class__ in PLAIN:
            return self._hidden(value)
        try:
            return rebuilt(value, self._hidden, self._key)
        except RecursionError:
            return HIDDEN

    def _hidden(self, value: Any) -> Any:
        """What is no container, hidden."""
        if value.__class__ is str:  # as nearly everything is
            return HIDDEN if value in self._seen else self._forms.hide(value)
        if isinstance(value, str):
            return HIDDEN if self._is_secret(value) else self.hide(value)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return HIDDEN if isinstance(value, Marked) or self._is_number(value) else value
        if isinstance(value, (bytearray, memoryview)):
            plain = bytes(value)
            return value if (shown := self._hidden(plain)) == plain else type(value)(shown)
        if isinstance(value, SecretBytes):
            return HIDDEN
        if isinstance(value, bytes):
            text = value.decode("utf-8", "surrogateescape")
            return value if (hidden := self.hide(text)) == text else hidden.encode("utf-8", "surrogateescape")
        if value is None or isinstance(value, (bool, Mapping)):  # a picture says itself what it is
            return value
        said = own_text(value)  # a path, an exception
        return value if said is None or (hidden := self._hidden(said)) == said else hidden

    def _is_secret(self, value: str) -> bool:
        return value in self._seen or (isinstance(value, SecretText))

    def _key(self, key: Any) -> Any:
        if key.__class__ is str:
            return self._forms.hide(key)
        if isinstance(key, Marked):
            return HIDDEN
        return self.hide(key) if isinstance(key, str) else key if isinstance(key, (int, float)) else self.hide_in(key)

    def _is_number(self, value: float) -> bool:
        """Whether a number is a secret whose mark was lost; small ones stand everywhere."""
        return bool(self._seen) and abs(value) >= LEAST_NUMBER and str(value) in self._seen

    def notice(self, value: Any) -> None:
        """Takes note of every secret inside a value, so that `hide` knows what templates made of secrets."""
        if value.__class__ in PLAIN:
            return
        waiting: list[Any] = [value]
        seen: dict[int, Any] = {}  # a list may hold itself; kept, so that no other value gets its id
        while waiting:
            value = waiting.pop()
            if isinstance(value, Marked):
                self._watching = True
                text = value.decode("utf-8", "surrogateescape") if isinstance(value, SecretBytes) else str(value)
                is_short = len(text) < (SHORTEST if isinstance(value, SecretText) else REVEALING)
                if not is_short and text not in self._seen:
                    self.add(text)
            elif id(value) not in seen:
                seen[id(value)] = value
                if (values := as_map(value)) is not None:
                    waiting += [key for key in values if key.__class__ is not str]
                    waiting += [item for item in values.values() if item.__class__ not in PLAIN]
                elif isinstance(value, LISTS):
                    waiting += [item for item in value if item.__class__ not in PLAIN]

    def marked(self, value: Any) -> Any:
        """The value with every text that holds a secret marked again: code of steps and hosts loses the marks.

        Raises:
            StepError: it is nested too deep to be looked through.
        """
        if not self._seen or isinstance(value, Marked):
            return value
        if value.__class__ in PLAIN:
            return self._marked(value)
        try:
            return rebuilt(value, self._marked, self.marked)
        except RecursionError:
            problem = unwalkable(value) or "is nested too deep"
            raise StepError(f"secrets cannot be looked for in a value that {problem}") from None

    def _marked(self, value: Any) -> Any:
        """What is no container, marked."""
        if isinstance(value, Marked):
            return value
        if isinstance(value, str):
            return SecretText(value) if value in self._seen or self.hide(value) != value else value
        return mark(value) if isinstance(value, (int, float)) and self._is_number(value) else value


_ORDINARY = frozenset(
    (
        *("HOME", "USER", "LOGNAME", "USERNAME", "PATH", "PWD", "OLDPWD", "SHELL", "LANG", "TERM", "TMPDIR", "TEMP"),
        *("TMP", "EDITOR", "HOSTNAME", "LANGUAGE", "TZ", "SHLVL", "DISPLAY", "USERPROFILE", "APPDATA", "VIRTUAL_ENV"),
    )
)
"""Variables of every process. Who reads one as a secret sees `***` for it, but it is not searched for in other texts:
that would take the folder out of every path."""


def _is_ordinary(name: str, value: str) -> bool:
    """Whether a variable of the environment is no secret whatever it is read as."""
    return name in _ORDINARY or name.startswith(("LC_", "XDG_")) or (os.path.isabs(value) and os.path.exists(value))  # noqa: PTH110, PTH117


_IN_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})
"""What `html.escape` makes of a text; its module is slow to import."""

_IN_URLS = str.maketrans("+/", "-_")
"""What the base64 of addresses and tokens has in place of two signs."""


_PERCENT = re.compile("%[0-9A-F]{2}")


@lru_cache(maxsize=16)
def _formed(secret: str) -> SecretForms:
    """The forms of a secret: made once, as each run of a batch begins with the same key."""
    found = SecretForms()
    found.add(_forms(secret))
    return found


def _forms(secret: str) -> Iterator[str]:
    """A secret as it may stand in a text: as it is, escaped, encoded, in other letters."""
    if len(secret) < REVEALING:
        return
    from base64 import b64encode
    from json import dumps
    from urllib.parse import quote, quote_plus

    raw = secret.encode("utf-8", "surrogatepass")
    yield from (secret, secret.upper(), secret.lower(), secret.capitalize(), secret[::-1], secret.strip() or secret)
    yield from (repr(secret)[1:-1], secret.translate(_IN_HTML), raw.hex(), raw.hex().upper())
    for quoted in (quote(raw), quote(raw, safe=""), quote_plus(raw)):
        yield from (quoted, _PERCENT.sub(lambda found: found[0].lower(), quoted))
    for escaped in (dumps(secret)[1:-1], dumps(secret, ensure_ascii=False)[1:-1]):
        yield from (escaped, escaped.replace("/", "\\/"))  # as PHP writes it
    if len(secret) <= _LONGEST_KEY:  # what is made of a secret, such as a prompt, nobody sends back so
        yield from _spelt_out(secret, raw)
    # Base64 takes three bytes at a time, and other texts stand before a secret.
    for before, mixed in ((0, 0), (1, 2), (2, 3)):
        encoded = b64encode(bytes(before) + raw).decode().rstrip("=")
        known = encoded[mixed : (before + len(raw)) * 4 // 3]  # without what has bits of the characters around it
        yield from (known, known.translate(_IN_URLS))
    yield from (encoded := b64encode(raw).decode().rstrip("="), encoded.translate(_IN_URLS))


def _spelt_out(secret: str, raw: bytes) -> Iterator[str]:
    """A key with each of its characters encoded, or each that is neither a letter nor a digit, as few write it."""
    for percent in ("%{:02X}", "%{:02x}"):
        yield "".join(map(percent.format, raw))
        yield "".join(chr(byte) if chr(byte).isalnum() and byte < _ASCII else percent.format(byte) for byte in raw)
    for escape in ("\\u{:04x}", "\\u{:04X}"):
        yield "".join(escape.format(ord(char)) for char in secret)
    for entity in ("&#x{:X};", "&#x{:x};", "&#{};"):
        yield "".join(char if char.isalnum() else entity.format(ord(char)) for char in secret)


def allowed(environ: Mapping[str, str], names: frozenset[str]) -> dict[str, str]:
    """The environment variables that templates may read."""
    return {name: environ[name] for name in names if name in environ}
