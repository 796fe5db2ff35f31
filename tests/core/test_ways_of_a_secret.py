# ruff: noqa: E501
"""A corpus of ways that a secret can travel: whichever it takes, it shows in nothing that leaves a run.

Each row of `WAYS` is a flow. All that leaves its run is searched for the secret, whole or in pieces, in its usual
encodings. `searched` names the outputs; every file in the output folder is read as bytes, whoever wrote it.
"""

from __future__ import annotations

import base64
import io
import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

import flowdsl
from flowdsl import Environment, Host, RunError, ServiceRefused, Step, StepContext, StepError, Storage, Written
from flowdsl.cli.event_lines import print_event, print_result
from flowdsl.cli.failure import report_error
from flowdsl.cli.summary import summary
from flowdsl.template import SecretText
from flowdsl.testing import Recorder

SECRET = "Zq7-vXw9Kp3/TmR5+LhB8=nYc2GdJ4sFa6"
PIN = "90417263"
PIECE = 12
KEY = "{{ secret('KEY') }}"

WAYS = {
    # filters, operators, methods
    "whole": f'- {{step: SET, a: "{KEY}"}}\n',
    "in-a-text": f'- {{step: SET, a: "say {KEY}!"}}\n',
    "upper": "- {step: SET, a: \"{{ secret('KEY') | upper }}\"}\n",
    "lower": "- {step: SET, a: \"{{ secret('KEY') | lower }}\"}\n",
    "reverse": "- {step: SET, a: \"{{ secret('KEY') | reverse }}\"}\n",
    "slice": "- {step: SET, a: \"{{ secret('KEY').slice(2, 20) }}\"}\n",
    "split": "- {step: SET, a: \"{{ secret('KEY').split('') }}\"}\n",
    "split-and-join": "- {step: SET, a: \"{{ secret('KEY').split('') | join('') }}\"}\n",
    "urlencode": "- {step: SET, a: \"{{ secret('KEY') | urlencode }}\"}\n",
    "dump": "- {step: SET, a: \"{{ {k: secret('KEY')} | dump }}\"}\n",
    "replace": "- {step: SET, a: \"{{ secret('KEY') | replace('Zq', 'x') }}\"}\n",
    "concat": "- {step: SET, a: \"{{ 'a' ~ secret('KEY') }}\"}\n",
    "plus": "- {step: SET, a: \"{{ 'a' + secret('KEY') }}\"}\n",
    "default": "- {step: SET, a: \"{{ nothing | default(secret('KEY')) }}\"}\n",
    "inline-if": "- {step: SET, a: \"{{ secret('KEY') if true else '' }}\"}\n",
    "set-tag": "- {step: SET, a: \"{% set k = secret('KEY') %}{{ k | upper }}\"}\n",
    "for-tag": "- {step: SET, a: \"{% for c in secret('KEY') %}{{ c }}{% endfor %}\"}\n",
    "for-tag-of-items": "- {step: SET, a: \"{% for c in [secret('KEY')] %}<{{ c | reverse }}>{% endfor %}\"}\n",
    "key-of-a-map": "- {step: SET, a: \"{{ JSON.parse('{\\\"' ~ secret('KEY') ~ '\\\": 1}') }}\"}\n",
    "group": "- {step: SET, a: \"{{ [{k: secret('KEY')}] | groupby('k') }}\"}\n",
    "two-steps": f'- {{step: SET, a: "{KEY}"}}\n- {{step: SET, b: "{{{{ flowContext.a | upper | reverse }}}}"}}\n',
    "escaped-word": "- {step: SET, a: \"{{ \\x73ecret('KEY') | reverse }}\"}\n",
    # numbers
    "int": "- {step: SET, a: \"{{ secret('PIN') | int }}\"}\n",
    "times-one": "- {step: SET, a: \"{{ secret('PIN') * 1 }}\"}\n",
    "minus": "- {step: SET, a: \"{{ secret('PIN') - 0 }}\"}\n",
    "sign": "- {step: SET, a: \"{{ -secret('PIN') }}\"}\n",
    "float": "- {step: SET, a: \"{{ secret('PIN') | float }}\"}\n",
    "number-in-text": "- {step: SET, a: \"pin {{ secret('PIN') | int }}\"}\n",
    "convert": "- {step: SET, name: a, text: \"{{ secret('PIN') }}\", convertTo: number}\n",
    # steps
    "to-list": "- {step: SET, text: \"{{ secret('KEY').split('') | join(',') }}\"}\n- {step: TO_LIST}\n",
    "parse-json": "- {step: SET, text: \"{{ {k: secret('KEY').split('')} | dump }}\"}\n- {step: PARSE_JSON}\n",
    "sanitize": f'- {{step: SET, text: "<b>{KEY}</b>"}}\n- {{step: SANITIZE}}\n',
    "for": f'- {{step: FOR, items: ["{KEY}"], var: x, do: [{{step: SET, a: "{{{{ x | upper }}}}"}}]}}\n',
    "collect": f'- {{step: FOR, items: ["{KEY}"], var: x, collect: x, collectKey: all, do: [{{step: SET, x: "{{{{ x | reverse }}}}"}}]}}\n',
    "careless-step": f'- {{step: CARELESS, how: return, say: "{KEY}"}}\n',
    "label": f'- {{step: SET, a: 1, monitorLabel: "about {KEY}"}}\n',
    "input-of-a-step": f'- {{step: SET, text: "{KEY}"}}\n- {{step: CARELESS, how: input}}\n',
    # event fields
    "progress": f'- {{step: CARELESS, how: progress, say: "{KEY}"}}\n',
    "note": f'- {{step: CARELESS, how: note, say: "{KEY}"}}\n',
    "event-name": f'- {{step: EMIT_EVENT, name: "{KEY}", payload: {{a: 1}}}}\n',
    "event-payload": f'- {{step: EMIT_EVENT, name: n, payload: {{a: ["{KEY}"]}}}}\n',
    "notification": f'- {{step: SHOW_NOTIFICATION, message: "{KEY}"}}\n',
    "response": f'- {{step: SET, text: "{KEY}"}}\n- {{step: SHOW_RESPONSE}}\n',
    "debug": f'- {{step: SET, a: "{KEY}"}}\n- {{step: DEBUG}}\n',
    # errors
    "raise": f'- {{step: RAISE, message: "bad {KEY}"}}\n',
    "own-error": f'- {{step: CARELESS, how: own, say: "{KEY}"}}\n',
    "foreign-error": f'- {{step: CARELESS, how: foreign, say: "{KEY}"}}\n',
    "service-error": f'- {{step: CARELESS, how: service, say: "{KEY}"}}\n',
    "regular-expression": "- {step: SET, a: \"{{ 'a' | match(secret('KEY') ~ '(') }}\"}\n",
    "no-json": "- {step: SET, a: \"{{ JSON.parse(secret('KEY')) }}\"}\n",
    "no-number": f'- {{step: CARELESS, how: x, size: "{KEY}"}}\n',
    "caught": f'- step: TRY\n  try: [{{step: RAISE, message: "{KEY}"}}]\n  catch: [{{step: SET, a: "{{{{ error.message }}}}"}}]\n',
    "on-error": f'flow: [{{step: RAISE, message: "{KEY}"}}]\nonError: [{{step: SET, a: "{{{{ error }}}}"}}, {{step: END}}]\n',
    # names of files
    "download": f'- {{step: DOWNLOAD, in: x, filename: "a-{KEY}.txt"}}\n',
    "directory": f'- {{step: DOWNLOAD, in: x, filename: a.txt, directory: "{KEY}"}}\n',
    # addresses and headers
    "address": f'- {{step: REST, url: "http://127.0.0.1:9/{KEY}?key={KEY}"}}\n',
    "header": f'- {{step: REST, url: "http://127.0.0.1:9/", headers: {{X-Key: "{KEY}"}}}}\n',
    "parameter": f'- {{step: REST, url: "http://127.0.0.1:9/", parameters: {{key: "{KEY}"}}}}\n',
    "service-key": f'services: {{A: {{provider: openai, endpoint: "http://127.0.0.1:9/v1", maxRetries: 0, apiKey: "{KEY}"}}}}\n'
    "flow: [{step: OPENAI_IMAGE_GENERATION, service: A, model: gpt-image-2, instruction: x, quality: low}]\n",
    "service-endpoint": f'services: {{A: {{provider: openai, endpoint: "http://u:{KEY}@127.0.0.1:9/v1", maxRetries: 0, apiKey: k}}}}\n'
    "flow: [{step: OPENAI_IMAGE_GENERATION, service: A, model: gpt-image-2, instruction: x, quality: low}]\n",
    # files, modules, outputs
    "outputs": f'outputs: {{a: "{KEY}", b: "{{{{ secret(\'KEY\') | reverse }}}}"}}\nflow: [{{step: SET, x: 1}}]\n',
    "module-var": "imports: [{from: ./m.module.yaml, as: m}]\nflow: [{step: SET, a: 'v={{ imports.m.vars.key | reverse }}'}]\n",
    "module-flow": "imports: [{from: ./m.module.yaml, as: m}]\nflow: [{step: CALL_FLOW, ref: imports.m.flows.tell}]\n",
    "include": "flow: !include part.yaml\n",
    # what a host gives, in a flow without the word
    "host-object": "- {step: SET, a: '{{ token | reverse }}'}\n",
    "host-function": "- {step: SET, a: '{{ fetch() | reverse }}'}\n",
    "host-value": "- {step: SET, a: \"{{ kv('token') | upper | reverse }}\"}\n",
    "marked-input": "- {step: SET, a: '{{ flowContext.given | reverse }}'}\n",
}
FILES = {
    "m.module.yaml": "blocks:\n  vars: {key: \"{{ secret('KEY') }}\"}\n"
    "  flows: {tell: [{step: SET, a: \"{{ secret('KEY') | upper | reverse }}\"}]}\n",
    "part.yaml": "- {step: SET, a: \"{{ secret('KEY') | reverse }}\"}\n",
}


class Careless(Step, name="CARELESS", inputs=("text",), outputs=("text",)):
    """Hands an option on as careless code does."""

    how: str
    """Which way."""
    say: str | None = None
    """What to hand on."""
    size: int | None = None
    """A number."""

    def run(self, ctx: StepContext) -> Written:
        said = "".join(self.say or ctx.input("text") or "")
        if self.how == "progress":
            ctx.progress(f"about {said}")
        elif self.how == "note":
            ctx.note("careless", said, {said: [said]})
        elif self.how == "own":
            raise StepError(f"no {said}", hint=said)
        elif self.how == "foreign":
            raise ValueError(said)
        elif self.how == "service":
            raise ServiceRefused(said[:20], details={"said": [said]}, vendor_code=said) from OSError(said)
        return {"text": said[::-1]}


def environment(folder: Path) -> Environment:
    values = {"KEY": SECRET, "PIN": PIN}
    host = Host(
        secrets=values.get,
        kv={"token": SecretText(SECRET)},
        objects={"token": SecretText(SECRET), "fetch": lambda: SecretText(SECRET)},
    )
    limits = flowdsl.Limits(private_addresses=True)
    return Environment(
        steps=[Careless], host=host, storage=Storage(images=folder / "out", output=folder / "out"), limits=limits
    )


def forms() -> Iterator[str]:
    """What may show nowhere: the secrets, and each piece of the long one, in their usual encodings."""
    raw = SECRET.encode()
    whole = [SECRET, SECRET.upper(), SECRET.lower(), quote(SECRET, safe=""), quote(SECRET), json.dumps(SECRET)[1:-1]]
    whole += [base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode(), raw.hex()]
    for form in [*whole, *(text[::-1] for text in whole)]:
        yield from (form[at : at + PIECE] for at in range(len(form) - PIECE + 1))
    for apart in (",", '","', '", "', "', '", "\n", ", "):
        yield apart.join(SECRET[:PIECE])
    yield from (PIN, PIN[::-1])


FORMS = sorted(set(forms()))


def searched(way: str, folder: Path) -> dict[str, str]:
    """All that leaves the run of a flow, by the name of the output."""
    for name, text in {**FILES, "a.flow.yaml": WAYS[way]}.items():
        (folder / name).write_text(text, encoding="utf-8")
    left: dict[str, Any] = {}
    events = Recorder()
    out, err = io.StringIO(), io.StringIO()
    inputs = {"given": SecretText(SECRET)} if way == "marked-input" else {}
    host = environment(folder)
    log = io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), logged(log):
        flow = host.load(folder / "a.flow.yaml", declare=inputs)
        try:
            result = flow.run(inputs, on_event=events)
        except RunError as error:
            report_error(error)
            left["exception"] = "".join(traceback.format_exception(error)) + repr(vars(error)) + repr(error.args)
            found = error.result
            assert found is not None
            result = found
        for event in events.events:
            print_event(event)
        print_result(result, simulated=False)
        print(summary(result, simulated=False))
    left["stdout"], left["stderr"], left["log"] = out.getvalue(), err.getvalue(), log.getvalue()
    assert "run " in left["log"]
    left["events"] = repr(events.events) + json.dumps([event.to_dict() for event in events.events], default=repr)
    left["result"] = json.dumps(result.to_json(), ensure_ascii=False) + repr(result)
    left["findings"] = repr(flow.diagnostics)
    left["host"] = repr(host) + repr(flow)
    left["pickle"] = _pickled(host)
    written = [path for path in (folder / "out").rglob("*") if path.is_file()]
    left["names of files"] = "\n".join(str(path) for path in (folder / "out").rglob("*"))
    left["files"] = "\n".join(path.read_bytes().decode("latin-1") for path in written)
    return left


@contextmanager
def logged(to: io.StringIO) -> Iterator[None]:
    """Writes all that is logged, whoever logs it, with what each record holds beside its text."""

    class Whole(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            super().emit(record)
            to.write(f"{vars(record)!r}\n")

    root, handler = logging.getLogger(), Whole(to)
    loggers = (root, logging.getLogger("flowdsl"))
    before = [logger.level for logger in loggers]
    root.addHandler(handler)
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    try:
        yield
    finally:
        root.removeHandler(handler)
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _pickled(value: object) -> str:
    try:
        return pickle.dumps(value).decode("latin-1")
    except TypeError as error:
        return str(error)


def test_the_corpus_has_sixty_ways() -> None:
    assert len(WAYS) >= 60


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS)
def test_a_secret_shows_in_nothing_that_leaves_a_run(way: str, tmp_path: Path) -> None:
    (tmp_path / "flowdsl.toml").write_text("")
    left = searched(way, tmp_path)
    shown = {name: [form for form in FORMS if form in text] for name, text in left.items()}
    assert {name: found[:2] for name, found in shown.items() if found} == {}
