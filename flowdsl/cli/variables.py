"""The environment variables that templates may read on the command line: those that flowdsl.toml or `--env` names."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from flowdsl.environment import Environment
from flowdsl.errors import UsageError
from flowdsl.host import Host
from flowdsl.settings.files import Settings, project_file, user_file
from flowdsl.settings.mistakes import Mistaken
from flowdsl.settings.read_by_templates import env_names, kv_values, name_problem

if TYPE_CHECKING:
    from datetime import date

    from flowdsl.diagnostics import Diagnostic
    from flowdsl.environment.environment import Examined
    from flowdsl.settings.layers import InForce
    from flowdsl.source import Source

T = TypeVar("T")


def variables(source: Source, named: Iterable[str] = (), project: Settings | None = None) -> frozenset[str]:
    """The names of the variables that the templates of a flow may read. A host application says so itself, in
    `Host(env=…)`: to it a file in the tree of the flow opens nothing. `project`: the settings that are named in place
    of the project's own.

    Raises:
        UsageError: a name that is none, or that of a secret, which `secret('NAME')` reads and hides.
    """
    found = list(named)
    for name in found:
        problem = name_problem(name)
        if problem is not None:
            raise UsageError(f"--env: {'; '.join(problem)}")
    return frozenset([*found, *_said(source, project, env_names)])


def stored_values(
    source: Source, given: Iterable[tuple[str, str]] = (), project: Settings | None = None
) -> dict[str, Any]:
    """The values that `kv('NAME')` gives to the templates of a flow: those of `[kv]` in flowdsl.toml, and before them
    the pairs of `--kv`. A host application gives its own, in `Host(kv=…)`. `project`: as in `variables`.

    Raises:
        UsageError: `kv` is no table.
    """
    return {**_said(source, project, kv_values), **dict(given)}


def _said(source: Source, project: Settings | None, read: Callable[[Settings | None], T]) -> T:
    """What a settings file says.

    Raises:
        Mistaken: it says what cannot be, with all else that is wrong with it.
    """
    settings = project or project_file(source.path, keys_are_checked=False)  # the environment checks them
    try:
        return read(settings)
    except Mistaken:
        from flowdsl.settings.layers import tell_all

        searched = project is None
        user = user_file(os.environ, keys_are_checked=False) if searched else None
        tell_all(settings, user, searched=searched)
        raise


class Environments:
    """What the files of a command are checked against: for the files of a folder the same, and for folders too whose
    templates may read the same variables."""

    def __init__(self, as_of: date | None = None) -> None:
        self._as_of = as_of
        self._by_folder: dict[str, Environment] = {}
        self._by_names: dict[frozenset[str], Environment] = {}
        self._in_force: dict[str, InForce] = {}

    def of(self, source: Source) -> Environment:
        """What this file is checked against.

        Raises:
            UsageError: of the settings file beside it.
        """
        folder = os.path.dirname(source.path)  # noqa: PTH120
        found = self._by_folder.get(folder)
        if found is None:
            names = variables(source)
            found = self._by_names.get(names)
            if found is None:
                found = self._by_names[names] = Environment(as_of=self._as_of, host=Host(env=names))
            self._by_folder[folder] = found
        return found

    def fail_on(self, source: Source) -> str | None:
        """The least severity that fails the check of a file that was checked, where its project says so."""
        settings = self._in_force.get(os.path.dirname(source.path))  # noqa: PTH120
        return settings.reported.fail_on if settings is not None and settings.reported is not None else None

    def check(self, source: Source) -> list[Diagnostic]:
        """Every finding of a file.

        Raises:
            UsageError: of the settings file beside it.
        """
        return [finding.hidden() for finding in self.examined(source).diagnostics]

    def examined(self, source: Source) -> Examined:
        """A file and what was found in it; settings files are read once for all files of a folder.

        Raises:
            UsageError: of the settings file beside it.
        """
        environment, folder = self.of(source), os.path.dirname(source.path)  # noqa: PTH120
        settings = self._in_force.get(folder)
        if settings is None:
            settings = self._in_force[folder] = environment.settings_for(source)
        return environment.examined(source, (), settings)
