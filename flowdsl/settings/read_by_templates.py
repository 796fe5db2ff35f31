"""`env` and `kv` of a settings file: what templates may read on the command line."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from flowdsl.settings.mistakes import Mistakes, mistake

if TYPE_CHECKING:
    from flowdsl.settings.files import Settings

_NAME = re.compile(r"[A-Za-z_]\w*")


def env_names(settings: Settings | None) -> list[str]:
    """The environment variables that a file lets templates read.

    Raises:
        Mistaken: it says what cannot be; it says everything.
    """
    if settings is None or "env" not in settings[1]:
        return []
    path, names, mistakes = settings[0], settings[1]["env"], Mistakes()
    if not isinstance(names, list):
        raise mistake(path, ("env",), "env must be a list of names", 'write `env = ["BRAND"]`')
    for number, name in enumerate(names):
        problem = name_problem(name)
        if problem is not None:
            mistakes.add(mistake(path, ("env", number), f"env: {problem[0]}", problem[1]))
    mistakes.check()
    return list(names)


def name_problem(name: object) -> tuple[str, str] | None:
    """Why templates may read no variable of this name, and what to write instead; None where they may."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        return f"`{name}` is not the name of an environment variable", "a name has letters, digits and `_`"
    from flowdsl.secrets.plain import names_secret

    if not names_secret(name):
        return None
    return f"{name} names a secret", f"read it with `{{{{ secret('{name}') }}}}`, which hides it"


def kv_values(settings: Settings | None) -> dict[str, Any]:
    """The values that a file gives to `kv('NAME')`.

    Raises:
        Mistaken: it is no table.
    """
    found: Any = {} if settings is None else settings[1].get("kv", {})
    if settings is not None and not isinstance(found, dict):
        raise mistake(
            settings[0], ("kv",), "kv must be a table of names and values", 'write `[kv]`, and below it `NAME = "…"`'
        )
    return dict(found)
