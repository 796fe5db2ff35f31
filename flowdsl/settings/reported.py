"""Which findings a project wants to hear of: `select`, `ignore`, `per-file-ignores`, `exclude` and `fail-on`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from flowdsl.codes import FINDINGS, SEVERITIES
from flowdsl.nearest import nearest
from flowdsl.settings.globs import Globs
from flowdsl.settings.mistakes import Mistakes, mistake
from flowdsl.settings.severities import OF_SECRETS, OFF

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.settings.files import Settings
    from flowdsl.settings.toml_places import Path

_CODES = {code.name: code for code in FINDINGS}


class Reported(NamedTuple):
    """What a project says: codes that are not reported, those that are not for some files, globs of files that are left
    out of folders, and the folder they count from; the least severity that fails a check."""

    off: frozenset[str]
    per_file: tuple[tuple[Globs, frozenset[str]], ...]
    exclude: tuple[str, ...]
    root: str
    fail_on: str | None

    def kept(self, findings: Iterable[Diagnostic]) -> list[Diagnostic]:
        """The findings that are reported. What is an error stays."""
        return [finding for finding in findings if finding.severity == "error" or not self._leaves_out(finding)]

    def _leaves_out(self, finding: Diagnostic) -> bool:
        return finding.code in self.off or finding.code in self.of_file(finding.span.path)

    def of_file(self, path: str) -> frozenset[str]:
        """The codes that are not reported for a file, besides those that are not for any."""
        return frozenset().union(*(codes for globs, codes in self.per_file if globs.match(path)))


def reported(settings: Settings) -> Reported:
    """What a settings file of a project says.

    Raises:
        UsageError: it says what cannot be, or two things that exclude each other.
    """
    path, content = settings
    selected, ignored = _codes(path, content, "select"), _ignored(path, ("ignore",), content.get("ignore", []))
    both = next((code for code in ignored if code in selected), None)
    if both is not None:
        at = ("ignore", content["ignore"].index(both))
        raise mistake(path, at, f"`{both}` is ignored and selected", "keep it in one of the two lists")
    severities = content.get("severity", {})
    given = next((code for code in ignored if severities.get(code, OFF) != OFF), None)
    if given is not None:
        at = ("ignore", content["ignore"].index(given))
        said = f'`{given}` is ignored, and [severity] makes it "{severities[given]}"'
        raise mistake(path, at, said, "keep one of the two")
    off = set(ignored)
    if "select" in content:
        off |= _CODES.keys() - selected.keys() - OF_SECRETS
    return Reported(
        frozenset(off),
        tuple(_per_file(path, content.get("per-file-ignores", {}))),
        tuple(_texts(path, ("exclude",), content.get("exclude", []), "globs, such as `drafts`")),
        os.path.dirname(path),  # noqa: PTH120
        _fail_on(path, content.get("fail-on")),
    )


def _fail_on(path: str, value: Any) -> str | None:
    if value is None or value in SEVERITIES:
        return None if value is None else str(value)
    near = nearest(str(value), SEVERITIES)
    hint = f"did you mean `{near}`?" if near else None
    raise mistake(path, ("fail-on",), f"fail-on is one of {', '.join(SEVERITIES)}", hint)


def _per_file(path: str, table: Any) -> Iterable[tuple[Globs, frozenset[str]]]:
    if not isinstance(table, Mapping):
        hint = 'write `"drafts/*" = ["unknown-model"]` below [per-file-ignores]'
        raise mistake(path, ("per-file-ignores",), "per-file-ignores must be a table of globs and lists of codes", hint)
    root = os.path.dirname(path)  # noqa: PTH120
    for glob, codes in table.items():
        yield Globs([glob], root), frozenset(_ignored(path, ("per-file-ignores", glob), codes))


def _codes(path: str, content: Mapping[str, Any], name: str) -> dict[str, int]:
    return {code: number for number, code in enumerate(_known(path, (name,), content.get(name, [])))}


def _ignored(path: str, keys: Path, value: Any) -> list[str]:
    """Codes that may be left out: not those that keep a flow from running, nor those that say where a secret goes."""
    codes = _known(path, keys, value)
    for number, name in enumerate(codes):
        code = _CODES[name]
        if code.severity == "error" and not code.also:
            hint = "leave the file out with `exclude`, or give `flowdsl validate --baseline FILE`"
            said = f"`{name}` is always an error, which is not ignored: a flow with it cannot run"
            raise mistake(path, (*keys, number), said, hint)
        if name in OF_SECRETS:
            hint = "set its severity in your own `~/.config/flowdsl/config.toml`"
            said = f"`{name}` says where a secret goes: a file that comes with the flow does not ignore it"
            raise mistake(path, (*keys, number), said, hint)
    return codes


def _known(path: str, keys: Path, value: Any) -> list[str]:
    codes, mistakes = _texts(path, keys, value, "codes, such as `fan-out`"), Mistakes()
    for number, code in enumerate(codes):
        if code not in _CODES:
            near = nearest(code, _CODES)
            hint = f"did you mean `{near}`?" if near else "docs/checking.md lists the codes"
            mistakes.add(mistake(path, (*keys, number), f"no finding has the code `{code}`", hint))
    mistakes.check()
    return codes


def _texts(path: str, keys: Path, value: Any, what: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise mistake(path, keys, f"{keys[-1]} must be a list of {what}")
    return value
