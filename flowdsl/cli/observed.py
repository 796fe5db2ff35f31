"""Who watches a run from outside: a log of JSON lines, and OpenTelemetry."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, file_name, flag
from flowdsl.errors import UsageError

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.events import Event
    from flowdsl.source import Source
    from flowdsl.telemetry.log_lines import LogLines

Listener = Callable[["Event"], None]
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_DISABLED = "OTEL_SDK_DISABLED"


def add_watching(parser: Parser) -> None:
    """Adds what says who watches."""
    parser.add_argument(
        "--log-json",
        type=file_name,
        metavar="FILE",
        help="add a line of JSON for each event to a file, without prompts and values; - for stderr",
    )
    flag(parser, "--log-content", help="with --log-json: all that events say, prompts and values of the flow included")
    flag(
        parser,
        "--otel",
        help="send spans and metrics to a collector of OpenTelemetry, which is also done where "
        f"{_ENDPOINTS[0]} names one",
    )


class Watchers:
    """A listener that hands events to all who watch; `log` is the one that writes lines, where there is one."""

    def __init__(self, listeners: list[Listener], log: LogLines | None) -> None:
        self._listeners = listeners
        self.log = log

    def __call__(self, event: Event) -> None:
        """Hands an event on."""
        for listener in self._listeners:
            listener(event)


def check_content(options: Namespace) -> None:
    """Raises UsageError where the log shall say everything, and there is none."""
    if options.log_content and options.log_json is None:
        raise UsageError("--log-content says what --log-json writes: give a file with `--log-json FILE`")


def watchers(options: Namespace, flow: Flow, source: Source, stack: ExitStack) -> Watchers | None:
    """Those that the options and the environment name, until the stack is closed; None where nobody watches.

    Raises:
        UsageError: the file of the log cannot be written, the extra for OpenTelemetry is not installed, or
            one of its variables cannot be.
    """
    listeners: list[Listener] = []
    log = None if options.log_json is None else _log(options, stack)
    check_content(options)
    if log is not None:
        listeners.append(log)
    if options.otel or (_is_wanted() and _has_extra()):
        if not _has_extra():
            raise UsageError("--otel needs a package that is not installed: pip install 'flowdsl[otel]'")
        from flowdsl.telemetry.export import exported

        name = flow.document.title or os.path.basename(source.path)  # noqa: PTH119  pathlib is slow to import
        own = exported(name, simulated=options.simulate, environ=os.environ, warn=_warn)
        listeners.append(stack.enter_context(own))
    return Watchers(listeners, log) if listeners else None


def _log(options: Namespace, stack: ExitStack) -> LogLines:
    from flowdsl.cli.log_file import log_file
    from flowdsl.telemetry.log_lines import LogLines

    if options.log_json == "-":
        return LogLines(sys.stderr.write, content=options.log_content)
    file = log_file(options.log_json)

    def write(line: str) -> None:
        """Writes a line at once, so that those of several processes do not mix; half a character stands as JSON has
        it."""
        file.write(line.encode("utf-8", "backslashreplace"))

    log = LogLines(write, content=options.log_content)

    def close() -> None:
        try:
            file.close()
        except OSError as error:
            log.failure = log.failure or error
        if log.failure is not None:
            _warn(f"lines are missing in {options.log_json}: {log.failure.strerror}")

    stack.callback(close)
    return log


def _is_wanted() -> bool:
    is_off = os.environ.get(_DISABLED, "").lower() == "true"
    return not is_off and any(os.environ.get(name) for name in _ENDPOINTS)


def _has_extra() -> bool:
    from importlib.util import find_spec

    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def _warn(text: str) -> None:
    sys.stderr.write(f"flowdsl: warning: {text}\n")
