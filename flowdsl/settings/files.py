"""Where settings files are, and what is in them: the project's `flowdsl.toml`, and the user's own `config.toml`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError
from flowdsl.services import is_plain_secret, variable_in
from flowdsl.settings.places import PROJECT_FILE, project_places, user_place
from flowdsl.step.spec import is_templated
from flowdsl.syntax.opened import read_file

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Source
    from flowdsl.step.registry import Registry

REPORTED = ("select", "ignore", "per-file-ignores", "exclude", "fail-on")
"""Settings that say which findings are reported."""
_SHARED = (
    "services",
    "private_addresses",
    "concurrency",
    "max_requests",
    "max_usd",
    "max_usd_per_day",
    "max_usd_per_day_by_service",
    "ask_above_usd",
    "metadata",
    "severity",
    "models",
    "policy",
)
_SLIPS = 2
"""So many letters more or less are a slip, rather than another name."""
KEYS = (*_SHARED, "env", "kv", "serve", "routes", "tokens", *REPORTED)
_USER_KEYS = (*_SHARED, "allow_endpoints")
Settings = tuple[str, dict[str, Any]]
"""Path and content of a settings file."""


def project_file(path: str, *, keys_are_checked: bool = True) -> Settings | None:
    """The settings file of the project to which the file of a flow belongs: of the working folder, for a text that has
    no file. Who does not have its keys checked does so by `check_keys`, to tell more than those.

    Raises:
        UsageError: as `settings_file`.
    """
    folder = os.path.dirname(path) if not path.startswith("<") else "."  # noqa: PTH120
    return settings_file(folder, keys_are_checked=keys_are_checked)


def settings_file(folder: str, *, keys_are_checked: bool = True) -> Settings | None:
    """The nearest `flowdsl.toml`, or `[tool.flowdsl]` of a `pyproject.toml`, in a folder or above.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    for path, mark in project_places(folder):
        if os.path.lexists(path):  # also a link to nowhere, or a pipe: what it should say would be left out
            content = _toml(path, mark)
            if content is not None:
                if keys_are_checked:
                    check_keys((path, content))
                return path, content
    return None


def named_file(path: str, *, keys_are_checked: bool = True) -> Settings:
    """The settings file that a host names.

    Raises:
        UsageError: it cannot be read, or is no TOML.
    """
    content = _toml(path, "") or {}
    if keys_are_checked:
        check_keys((path, content))
    return path, content


def user_file(environ: Mapping[str, str], *, keys_are_checked: bool = True) -> Settings | None:
    """The user's own settings, `$XDG_CONFIG_HOME/flowdsl/config.toml`, or the one in `~/.config`.

    Raises:
        UsageError: the file cannot be read, or is no TOML.
    """
    path = user_place(environ)
    if path is None or not os.path.lexists(path):
        return None
    content = _toml(path, "") or {}
    if keys_are_checked:
        check_keys((path, content), of_user=True)
    return path, content


def check_keys(settings: Settings | None, *, of_user: bool = False) -> None:
    """Refuses settings that there are not, all at once: nobody would notice that they do nothing.

    Raises:
        Mistaken: all of them.
    """
    path, content = settings or ("", {})
    keys = _USER_KEYS if of_user else KEYS
    unknown = [key for key in content if key not in keys]
    if unknown:
        from flowdsl.nearest import nearest
        from flowdsl.settings.mistakes import Mistakes, mistake

        mistakes = Mistakes()
        for key in unknown:
            near = nearest(key, keys)
            hint = f"did you mean `{near}`?" if near else f"there are {', '.join(keys)}"
            if key in (*KEYS, *_USER_KEYS):
                hint = f"it is a key of {'the `flowdsl.toml` of a project' if of_user else 'your own `config.toml`'}"
            elif key == "tool" and isinstance(content[key], dict) and "flowdsl" in content[key]:
                hint = "`tool.flowdsl` goes before the keys in a `pyproject.toml` alone: leave it out here"
            mistakes.add(mistake(path, (key,), f"unknown key `{key}`", hint, of_key=True))
        mistakes.check()


def severities(settings: Settings | None, *, of_project: bool = False) -> Mapping[str, str]:
    """The severities that a file gives to findings; one `of_project` makes little of no secret.

    Raises:
        UsageError: see `checked_severities` and `check_project`.
    """
    if settings is None or "severity" not in settings[1]:
        return {}
    from flowdsl.settings.severities import check_project, checked_severities

    found = checked_severities(settings[0], settings[1]["severity"])
    if of_project:
        check_project(settings[0], found)
    return found


def plain_settings(path: str, content: Mapping[str, Any]) -> list[Diagnostic]:
    """A finding for each key that stands in a settings file in plain text."""
    found = secrets_in(content)
    if not found:
        return []
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Span

    source = _source(path, found)
    diagnostics = []
    for name, value in found:
        place = re.search(rf"(?<![\w-]){re.escape(name)}(?=[\"']?\s*=\s*[\"']+{re.escape(value)})", source.text)
        variable = variable_in(value)
        message = f"`{name}` stands in the file, where everybody who has the file can read it"
        hint = f"write `{name} = \"{{{{ secret('{variable or 'MY_KEY'}') }}}}\"`"
        if variable is None:
            hint += ", which reads the environment variable MY_KEY"
        else:
            message = f"`{name}` is this text itself, and no environment variable"
        span = Span(source, *(place.span() if place else (0, 0)))
        diagnostics.append(Diagnostic("plain-secret", message, span, hint=hint))
    return diagnostics


def entry_option_findings(settings: Settings | None, registry: Callable[[], Registry]) -> Iterator[Diagnostic]:
    """A finding for each default under `options` of a service entry that no step has an option for, and for each with a
    value that none takes."""
    if settings is None:
        return
    path, content = settings
    entries = content.get("services", {})
    given = {name: entry["options"] for name, entry in entries.items() if isinstance(entry.get("options"), Mapping)}
    if not given:
        return
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.nearest import nearest
    from flowdsl.source import Span
    from flowdsl.step.entry_options import entry_options, option_problem

    known = entry_options(registry())
    source = _source(path, secrets_in(content))
    for entry, options in given.items():
        for name, value in options.items():
            if name not in known:
                near = nearest(name, known)
                code, message = "unknown-key", f"`{name}` is not a key of the options of the service `{entry}`"
                hint = f"did you mean `{near}`?" if near else None
            elif (problem := option_problem(name, value, known)) is not None:
                code, message = problem.code, f"{problem.message} (of the service `{entry}`)"
                hint = (problem.hint or "").replace(f"`{name}: ", f"`{name} = ") or None
            else:
                continue
            start = max(0, source.text.find("options", source.text.find(entry)))
            place = re.compile(rf"(?<![\w-]){re.escape(name)}(?=[\"']?\s*=)").search(source.text, start)
            at = Span(source, *(place.span() if place else (0, 0)))
            yield Diagnostic(code, message, at, hint=hint)


def misspelt_entries(
    settings: Settings | None, registry: Registry, used: Callable[[], Container[str]]
) -> Iterator[Diagnostic]:
    """A finding for each service entry that no step asks, neither one of those that are `used` nor one whose service
    has such a name, but of which the name is nearly that of one."""
    if settings is None:
        return
    path, content = settings
    entries = content.get("services", {})
    for name in entries:
        if registry.spec(name) is not None or name in used() or name in str(content.get("routes", "")):
            continue
        from flowdsl.nearest import nearest

        near = nearest(name, registry)
        spec = None if near is None else registry.spec(near)
        if spec is None or spec.service is None or spec.service in entries:
            continue
        if abs(len(spec.service) - len(name)) > _SLIPS:  # such as OPENAI_IMAGE_GENERATION_EU, which others may name
            continue
        from flowdsl.diagnostics import Diagnostic
        from flowdsl.settings.mistakes import place
        from flowdsl.source import Span

        span = place(path, ("services", name), of_key=True)
        yield Diagnostic(
            "no-effect",
            f"the service entry `{name}` has no effect: no step asks a service of this name",
            Span(_source(path, secrets_in(content)), span.start, span.end),
            hint=f"did you mean `{spec.service}`?",
        )


def secrets_in(content: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The settings that hold a key in plain text: name and value."""
    return [
        (name, value)
        for entry in content.get("services", {}).values()
        for name, value in (*_secret_settings(entry), *_secret_headers(entry.get("headers")))
        if isinstance(value, str) and value and not is_templated(value)
    ]


def _source(path: str, secrets: Iterable[tuple[str, str]]) -> Source:
    """The text of a settings file, for findings that show none of the values of `secrets`."""
    from flowdsl.source import Source

    source = Source(read_file(path).decode("utf-8"), os.path.relpath(path))
    for _, value in secrets:
        for match in re.finditer(re.escape(value), source.text):
            source.conceal(*match.span())
    return source


def unheeded(path: str, name: str) -> Diagnostic:
    """The finding for a line that would raise a limit: a file of the project cannot."""
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Source, Span

    source = Source(read_file(path).decode("utf-8"), os.path.relpath(path))
    place = re.search(rf"(?m)^[ \t]*{re.escape(name)}\b", source.text)
    return Diagnostic(
        "no-effect",
        f"`{name} = true` has no effect: files of a project only lower limits",
        Span(source, *(place.span() if place else (0, 0))),
        hint="run with `--private-addresses`, or give the host's Limits(private_addresses=True)",
    )


def second_file(project: str) -> Iterator[Diagnostic]:
    """The finding for `[tool.flowdsl]` in a `pyproject.toml` beside the `flowdsl.toml` that counts."""
    folder, name = os.path.split(project)
    path = os.path.join(folder, "pyproject.toml")  # noqa: PTH118
    if name != PROJECT_FILE or not os.path.isfile(path):  # noqa: PTH113
        return
    text = read_file(path).decode("utf-8", "replace")
    found = re.search(r"(?m)^[ \t]*\[tool\.flowdsl\b", text)
    if found is not None:
        from flowdsl.diagnostics import Diagnostic
        from flowdsl.source import Source, Span

        yield Diagnostic(
            "no-effect",
            "`[tool.flowdsl]` has no effect: the `flowdsl.toml` beside it counts",
            Span(Source(text, os.path.relpath(path)), *found.span()),
            hint="keep the settings in one of the two files",
        )


def _toml(path: str, mark: str) -> dict[str, Any] | None:
    try:
        text = read_file(path).decode("utf-8")
        if mark not in text:
            return None
        import tomllib

        content = tomllib.loads(text)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: it is not UTF-8: byte {error.object[error.start]:#04x}") from error
    except RecursionError:
        raise UsageError(f"{path}: lists and maps stand too deep in one another") from None
    except ValueError as error:
        said = "a number has more digits than are read" if "integer string" in str(error) else error
        raise UsageError(f"{path}: {said}") from error
    if not mark:
        return content
    tools = content.get("tool")
    own = tools.get("flowdsl") if isinstance(tools, dict) else None
    if own is not None and not isinstance(own, dict):
        raise UsageError(f"{path}: tool.flowdsl must be a table: `[tool.flowdsl]`")
    return own


def _secret_settings(entry: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    return ((name, value) for name, value in entry.items() if is_plain_secret(name, value, entry.get("provider")))


def _secret_headers(headers: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(headers, Mapping) and headers:
        from flowdsl.secrets.plain import names_secret

        yield from ((name, value) for name, value in headers.items() if names_secret(name))
