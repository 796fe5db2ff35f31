"""Service entries of a settings file or of a host: what is wrong with them, in a file with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.errors import UsageError
from flowdsl.services import SETTINGS, all_settings, is_plain_secret, is_secret, other_names, problem_of, setting
from flowdsl.step.problem import show
from flowdsl.step.spec import is_templated

if TYPE_CHECKING:
    from flowdsl.settings.files import Settings
    from flowdsl.step.spec import Key

_AT = "services"
_SUCH_AS = {
    "text": '"…"',
    "integer": "10",
    "number": "10",
    "boolean": "true",
    "map": '{ NAME = "…" }',
    "list": '["…"]',
    "any": '"…"',
}
"""Values of the types of settings, as TOML has them."""


_WHOM = (None, "provider", "protocol")
"""Without these it is not known whom an entry is for."""


class WrongSetting(NamedTuple):
    """What is wrong with an entry (None: with all of them), or with a setting of one (None: with all of it)."""

    entry: str | None
    key: str | None
    message: str
    hint: str | None = None
    is_unknown: bool = False
    """Whether there is no such setting."""
    near: str | None = None
    """The setting that an unknown one is likely to mean."""


def checked_settings(where: str, entries: Any, *, templated: bool = True) -> dict[str, Mapping[str, Any]]:
    """The service entries of a host, or its overrides: provider → settings.

    Raises:
        UsageError: entries and settings that cannot be; it says all.
    """
    if wrong := list(wrong_settings(entries, templated=templated)):
        raise UsageError("\n".join(_said(where, each) for each in wrong))
    return dict(entries)


def entries_of(settings: Settings | None) -> dict[str, Mapping[str, Any]]:
    """The service entries of a file.

    Raises:
        Mistaken: everything that is wrong with them, each at its place.
    """
    if settings is None:
        return {}
    path, content = settings
    entries = content.get(_AT, {})
    wrong = list(wrong_settings(entries))
    if wrong:
        from flowdsl.settings.mistakes import Mistakes, mistake

        mistakes, hidden = Mistakes(), _secrets(wrong, entries)
        for each in wrong:
            at = tuple(name for name in (_AT, each.entry, each.key) if name is not None)
            where = _AT if each.entry is None else f"{_AT}.{each.entry}"
            joint = " " if each.key is None else ": "
            found = mistake(path, at, f"{where}{joint}{each.message}", _hint(each, entries), of_key=each.is_unknown)
            for source in (finding.span.source for finding in found.findings):
                for span in (match.span() for value in hidden for match in re.finditer(re.escape(value), source.text)):
                    source.conceal(*span)
            mistakes.add(found)
        mistakes.check()
    return dict(entries)


def right_entries(settings: Settings | None) -> tuple[dict[str, Mapping[str, Any]], frozenset[str]]:
    """The service entries of a file without what is wrong in them, and the names of those of which it is not known
    whom they are for."""
    entries = {} if settings is None else settings[1].get(_AT, {})
    wrong = list(wrong_settings(entries))
    if not isinstance(entries, Mapping):
        return {}, frozenset()
    unsure = {each.entry for each in wrong if _meant(each) in _WHOM}
    left_out = {(each.entry, each.key) for each in wrong}
    found = {
        name: {key: value for key, value in entry.items() if (name, key) not in left_out}
        for name, entry in entries.items()
        if isinstance(entry, Mapping) and (name, None) not in left_out
    }
    return {**{str(name): {} for name in entries}, **found}, frozenset(filter(None, unsure))


def wrong_settings(entries: Any, *, templated: bool = True) -> Iterator[WrongSetting]:
    """Everything that is wrong with the service entries of a settings file or of a host."""
    if not isinstance(entries, Mapping):
        yield WrongSetting(None, None, f"must be a table of names and settings, not {type(entries).__name__}")
        return
    if not entries:
        return
    from flowdsl.nearest import nearest
    from flowdsl.secrets.plain import names_secret
    from flowdsl.walks import unwalkable

    for name, entry in entries.items():
        odd = unwalkable(entry) if isinstance(entry, Mapping) else "must be a table of settings"
        if odd is not None:
            yield WrongSetting(name, None, odd)
            continue
        for key, value in entry.items():
            if setting(key) is None:
                near = other_names().get(key) or nearest(str(key), all_settings())
                hint = f"did you mean `{near}`?" if near else None
                yield WrongSetting(name, key, f"unknown setting `{key}`", hint, is_unknown=True, near=near)
                continue
            is_open = templated and isinstance(value, str) and is_templated(value)
            problem = None if is_open else problem_of(key, value, entry.get("provider"))
            if problem is not None and names_secret(key):
                yield WrongSetting(name, key, problem.message.replace(f" {show(value)}", ""))
            elif problem is not None:
                yield WrongSetting(name, key, problem.message, problem.hint)


def _said(where: str, wrong: WrongSetting) -> str:
    """What is wrong in one line, for a host."""
    if wrong.entry is None:
        return f"{where} {wrong.message}"
    if wrong.key is None:
        return f"{where}.{wrong.entry} {wrong.message}"
    hint = "" if wrong.hint is None else f"{',' if wrong.is_unknown else ';'} {wrong.hint}"
    return f"{where}.{wrong.entry}: {wrong.message}{hint}"


def _hint(wrong: WrongSetting, entries: Any) -> str:
    """What to write in a settings file."""
    if wrong.entry is None or wrong.key is None:
        name = wrong.entry or "NAME"
        return f'write `[{_AT}.{name}]`, and below it the settings, such as `provider = "NAME"`'
    if wrong.hint is not None:
        return wrong.hint.replace(f"`{wrong.key}: ", f"`{wrong.key} = ").replace("= https://…", '= "https://…"')
    provider = entries[wrong.entry].get("provider")
    if wrong.is_unknown:
        return f"there are {', '.join(SETTINGS)}, and those of the provider"
    if is_secret(wrong.key, provider):
        return f"write `{wrong.key} = \"{{{{ secret('MY_KEY') }}}}\"`, which reads the environment variable MY_KEY"
    return f"write `{wrong.key} = {_such_as(setting(wrong.key, provider))}`"


def _such_as(key: Key | None) -> str:
    if key is None:
        return _SUCH_AS["any"]
    if key.choices:
        return f'"{key.choices[0]}"'
    if key.type in ("integer", "number") and key.minimum is not None and key.minimum > 1:
        return f"{10 * key.minimum:g}"
    return _SUCH_AS.get(key.type, _SUCH_AS["any"])


def _meant(wrong: WrongSetting) -> str | None:
    """The setting that is meant, as far as it is known."""
    return wrong.near if wrong.is_unknown else wrong.key


def _secrets(wrong: Iterable[WrongSetting], entries: Any) -> set[str]:
    """The values of entries that may be secret: by the setting, or by the one that is meant."""
    meant = {(each.entry, each.key): _meant(each) for each in wrong}
    found = set()
    for name, entry in entries.items() if isinstance(entries, Mapping) else ():
        for key, value in entry.items() if isinstance(entry, Mapping) else ():
            if is_plain_secret(meant.get((name, key)) or key, value, entry.get("provider")) and not is_templated(value):
                found.add(value)
    return found
