"""`flowdsl serve`: the gateway, in front of the services of a project or of the simulator."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowdsl.cli.arguments import Parser, add_allow_endpoint, add_as_of, count, file_to_read, flag, folder_name, port
from flowdsl.cli.journaled import elsewhere
from flowdsl.cli.ready_flow import IMAGES, check_folder
from flowdsl.cli.serve_log import STDERR, add_log, check_log, log_of
from flowdsl.errors import UsageError
from flowdsl.settings.serving_keys import NO_TLS, names_certificate, parts_of

if TYPE_CHECKING:
    from flowdsl.diagnostics import Diagnostic
    from flowdsl.environment import Environment
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal
    from flowdsl.serve.routes import Routing
    from flowdsl.settings.files import Settings
    from flowdsl.settings.mistakes import Mistakes
    from flowdsl.settings.serving import Serving

PATHS = {
    "/v1": "b64_json",
    "/openai/v1": "b64_json",
    "/openai/deployments/{deployment}": "b64_json",
    "/api/llm": "url",
}
"""The images APIs that are spoken: of OpenAI, of Azure by its two addresses, of LLM gateways; each with its
`response_format` where a request does not say it."""
PORT = 8080
HOST = "127.0.0.1"
EXAMPLES = (
    "flowdsl serve",
    "flowdsl serve --config flowdsl.toml --check",
    "flowdsl serve --host 0.0.0.0 --port 8443 --proxy-headers",
)
_MOST_WORKERS = 64
_NAME = "<serve>"
_FLOWS = "`flows` below [serve] in flowdsl.toml names flows to serve"
_NEEDED = ("starlette", "uvicorn", "httptools", "python_multipart")


def main(arguments: Sequence[str]) -> int:
    """The exit code: 0 after Ctrl-C or SIGTERM, or when --check finds nothing; 1 when it finds a mistake, 2 for what
    cannot be served, 4 when something that was begun did not end."""
    _refuse_certificates(arguments)
    options = parser().parse(arguments)
    options.argv = arguments
    _require_extra()
    if not 1 <= options.workers <= _MOST_WORKERS:
        raise UsageError(f"--workers takes a number from 1 to {_MOST_WORKERS}, such as the number of processors")
    check_log(options)
    from flowdsl.cli.serve_mistakes import look_at_the_rest
    from flowdsl.settings.mistakes import Mistaken, Mistakes
    from flowdsl.settings.serving import serving

    settings, mistakes = _settings(options.config), Mistakes()
    said = serving(settings, mistakes)
    simulated = options.simulate or not said.is_configured
    with ExitStack() as stack:
        given = _given(options, simulated, stack)
        try:
            environment = _environment(given, options, settings)
        except Mistaken as mistaken:
            mistakes.add(mistaken)
            look_at_the_rest(given, said, settings, mistakes)
            mistakes.check()
            raise
        if options.check:
            return _check(options, environment, said, settings, mistakes)
        return _serve(options, environment, said, settings, stack, mistakes, simulated=simulated)


def parser() -> Parser:
    """The options of the command."""
    from flowdsl.cli import COMMANDS

    parser = Parser("serve", COMMANDS["serve"], EXAMPLES)
    parser.add_argument(
        "--config", type=file_to_read, metavar="FILE", help="the settings file (default: the project's flowdsl.toml)"
    )
    parser.add_argument("--host", type=_address, metavar="H", help=f"the address to listen on (default: {HOST})")
    parser.add_argument("--port", type=port, metavar="P", help=f"the port (default: {PORT}); 0 takes a free one")
    parser.add_argument(
        "--workers", type=count, default=1, metavar="N", help="so many processes, which share all limits (default: 1)"
    )
    flag(parser, "--check", help="check the settings, and serve nothing")
    flag(parser, "--simulate", help="use a simulator on this machine in place of every service")
    flag(parser, "--proxy-headers", help="believe the X-Forwarded headers of a proxy on this machine that ends TLS")
    parser.of_a_further_word = f"; {_FLOWS}"
    parser.instead = {
        **dict.fromkeys(("--flows", "--flow"), _FLOWS),
        "-p": "`--port P` is the port to listen on",
        **dict.fromkeys(("--token", "--tokens", "--api-key"), "`flowdsl tokens create NAME` makes a token"),
    }
    parser.add_argument("--out", type=folder_name, metavar="DIR", help=f"where pictures are stored (default: {IMAGES})")
    add_log(parser)
    add_allow_endpoint(parser)
    add_as_of(parser)
    return parser


def _address(text: str) -> str:
    """An address to listen on, without a port and whatever else stands in a URL."""
    right = parts_of(text)
    if right is not None:
        host, number = right
        raise ArgumentTypeError(f"`{text}` is more than a host: write `--host {host}{number and f' --port {number}'}`")
    return text


def _refuse_certificates(arguments: Sequence[str]) -> None:
    """Says where TLS ends to who looks for an option for it, by any of the names that servers have for it."""
    for each in arguments:
        name = each.partition("=")[0]
        if name.startswith("--") and names_certificate(name.removeprefix("--")):
            raise UsageError(f"{name}: {NO_TLS}")


def _require_extra() -> None:
    from importlib.util import find_spec

    missing = [name.replace("_", "-") for name in _NEEDED if find_spec(name) is None]
    if missing:
        raise UsageError(f"the gateway needs {', '.join(missing)}: pip install 'flowdsl[serve]'")


def _settings(config: str | None) -> Settings | None:
    from flowdsl.settings.files import named_file, project_file

    if config is not None:
        return named_file(config, keys_are_checked=False)
    return project_file(_NAME, keys_are_checked=False)  # the environment checks them, with all else in it


def _given(options: Namespace, simulated: bool, stack: ExitStack) -> dict[str, Any]:
    """What the environment is made of, but for what settings say: with the services of the project, or with simulators
    in their place."""
    from flowdsl.host import Host, Storage
    from flowdsl.limits import Limits
    from flowdsl.services import provider_names
    from flowdsl.settings.places import PROJECT_FILE

    check_folder(options.out)
    overrides: dict[str, dict[str, Any]] = {name: {} for name in provider_names()}
    given: dict[str, Any] = {
        "settings": options.config or PROJECT_FILE,
        "storage": Storage(images=Path(options.out or IMAGES).absolute()),
        "limits": Limits(files_by_value=False, standard_input=False),
        "as_of": options.as_of,
        "allow_endpoints": options.allow_endpoint,
        "host": Host(),
    }
    if simulated:
        from flowdsl.cli import simulated as stand_in
        from flowdsl_steps.image.simulator import Simulator

        simulator = stack.enter_context(Simulator(as_of=options.as_of)) if not options.check else None
        url, key = (stand_in.NOWHERE, "") if simulator is None else (simulator.url, simulator.key)
        overrides = stand_in.overrides(url, key)
        given["host"] = Host(secrets=stand_in.placeholder_secret)
    # A request may ask for ten pictures, as the API says; a flow may not, unless its entry lifts that.
    given["overrides"] = {name: {**entry, "limits": "api"} for name, entry in overrides.items()}
    return given


def _environment(given: Mapping[str, Any], options: Namespace, settings: Settings | None) -> Environment:
    """What the requests run in."""
    from flowdsl.cli.variables import stored_values, variables
    from flowdsl.environment import Environment
    from flowdsl.host import Host, Storage
    from flowdsl.source import Source

    source = Source("", options.config or _NAME)
    env, kv = variables(source, (), settings), stored_values(source, (), settings)
    host = Host(secrets=given["host"].secrets, env=env, kv=kv)
    environment = Environment(**{**given, "host": host})
    if environment.settings_for(source).metadata is None:  # clients get the bytes as they came: no second file of them
        storage = Storage(images=environment.storage.images, metadata="none")
        environment = Environment(**{**given, "host": host, "storage": storage})
    return environment


def _looked_at(
    environment: Environment, said: Serving, mistakes: Mistakes, *, is_quiet: bool = False
) -> tuple[Routing, dict[str, Flow]]:
    """The models and flows that are served.

    Raises:
        FlowCheckError: flows have mistakes.
        UsageError: the settings have: these are told with what they say, all at once.
    """
    from flowdsl.cli.serve_mistakes import looked_at

    found, flows, warnings = looked_at(environment, said, mistakes, None if is_quiet else _show)
    for line in () if is_quiet else warnings:
        sys.stderr.write(f"{line}\n")
    return found, flows


def _check(
    options: Namespace, environment: Environment, said: Serving, settings: Settings | None, mistakes: Mistakes
) -> int:
    """Checks the settings; gives the exit code."""
    from flowdsl.cli.serve_services import warn_of_limits
    from flowdsl.cli.serve_tokens import doubts, without_tokens
    from flowdsl.diagnostics import render
    from flowdsl.serve.tokens import Tokens
    from flowdsl.source import Source

    found, flows = _looked_at(environment, said, mistakes)

    def used() -> set[str]:
        steps = (step for flow in flows.values() for step in flow.document.every_step())
        return {str(step.service.value) for step in steps if step.service is not None}

    findings = environment.settings_for(Source("", _NAME)).findings_for(environment.registry, used)
    if findings:
        sys.stderr.write(f"{render(findings)}\n")
    if said.is_configured:
        warn_of_limits(environment, found, settings)
    tokens = Tokens(_state(settings), said=said.tokens, config=options.config)
    host = _host(options, said)
    for line in (*without_tokens(host, tokens), *doubts(tokens, said, lambda name: name in flows or found.route(name))):
        sys.stderr.write(f"flowdsl: warning: {line}\n")
    where = "no settings file" if settings is None else os.path.relpath(settings[0])
    models = _counted(len(found.names()), "model")
    more = f" and {_counted(len(flows), 'flow')}" if flows else ""
    print(f"{where}: {models}{more} to serve{'' if said.is_configured else ', by the simulator'}")
    return 1 if any(finding.severity == "error" for finding in findings) else 0


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _serve(
    options: Namespace,
    environment: Environment,
    said: Serving,
    settings: Settings | None,
    stack: ExitStack,
    mistakes: Mistakes,
    *,
    simulated: bool,
) -> int:
    import asyncio

    from flowdsl.cli.consent import budget_of, cost_question
    from flowdsl.cli.serve_services import warn_of_limits
    from flowdsl.cli.serve_tokens import without_tokens
    from flowdsl.cli.serve_workers import inherited, supervise
    from flowdsl.cli.served_arguments import served_arguments
    from flowdsl.journal.journal import Journal
    from flowdsl.serve.assembled import Parts, serve
    from flowdsl.serve.server import listener
    from flowdsl.serve.shared_counts import SharedCounts
    from flowdsl.serve.tokens import Tokens

    host, state = _host(options, said), _state(settings)
    for line in without_tokens(host, Tokens(state, config=options.config)):
        raise UsageError(line)
    given = inherited()
    found, flows = _looked_at(environment, said, mistakes, is_quiet=given is not None)
    journal = stack.enter_context(Journal(state, simulated=simulated))
    journal.budget = budget_of(_NAME, journal, settings, called="the settings of the gateway")
    number = options.port if options.port is not None else said.port if said.port is not None else PORT
    if not simulated and given is None:
        warn_of_limits(environment, found, settings)
    sock = stack.enter_context(listener(host, number) if given is None else given.sock)
    if options.workers > 1 and given is None:
        shown = sock.getsockname()[1]
        ready = lambda: _announce(host, shown, simulated=simulated)  # noqa: E731
        return supervise(sock, options.workers, options.argv, ready)
    named = settings if options.config is not None else None

    def question(flow: Flow, inputs: Mapping[str, Any]) -> str | None:
        return None if simulated else cost_question(flow, flow.document.source.path, inputs, project=named)

    parts = Parts(
        environment=environment,
        routing=found,
        journal=journal,
        state=state,
        paths=PATHS,
        flows={id: flow.prepare() for id, flow in flows.items()},
        public_url=said.public_url,
        proxy_headers=options.proxy_headers,
        log=log_of(options, stack, _tell),
        log_content=options.log_content,
        tell=_silent if options.log_json == STDERR else _tell,
        parent=None if given is None else given.alive,
        counts=None if given is None else SharedCounts(given.counts, given.place),
        question=question,
        given=lambda flow: {} if options.config is not None else served_arguments(options, flow, to_others=True),
        tokens=said.tokens,
    )
    left = asyncio.run(serve(parts, sock, lambda server: _announce(host, server.port, simulated=simulated)))
    return _account(left, journal)


def _show(finding: Diagnostic) -> None:
    from flowdsl.diagnostics import render

    sys.stderr.write(f"{render([finding])}\n")


def _tell(text: str) -> None:
    sys.stderr.write(f"flowdsl: {text}\n")
    sys.stderr.flush()


def _silent(_text: str) -> None:
    """What is told stands in the log, which goes to stderr too."""


def _host(options: Namespace, said: Serving) -> str:
    """The address to listen on."""
    host: str = options.host or said.host or HOST
    return host


def _state(settings: Settings | None) -> Path:
    """The folder that the processes of a gateway share."""
    from flowdsl.journal.place import state_folder

    return state_folder(os.environ, None if settings is None else settings[0])


def _announce(host: str, number: int, *, simulated: bool) -> None:
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{number}"
    print(f"flowdsl gateway: {url}{', simulated: nothing is paid for' if simulated else ''}")
    print(f"export OPENAI_BASE_URL={url}/v1")
    print("Ctrl-C ends it.")
    sys.stdout.flush()


def _account(left: int, journal: Journal) -> int:
    """Says what did not end; gives the exit code."""
    if not left:
        return 0
    from flowdsl.cli.failure import FAILED

    number = "1 request was" if left == 1 else f"{left} requests were"
    said = f"flowdsl: {number} still going on: `flowdsl runs list` shows what may be paid for\n"
    sys.stderr.write(said + elsewhere(journal, said))
    return FAILED
