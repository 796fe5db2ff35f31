"""A secret is used, and shows in nothing that leaves a run."""

from __future__ import annotations

import asyncio
import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Host, Port, RunError, ServiceRefused, Step, StepContext, StepError, Written
from flowdsl.cli.summary import summary
from flowdsl.engine.secrets import Secrets, _formed
from flowdsl.template import SecretText
from flowdsl.testing import Recorder

SECRET = 'sk-Live_0123456789"\\ÄbcdefghijklmnopqrstuvwxyzABCDEF'
USED: dict[str, list[str]] = {}
FORMS = [
    SECRET[:12],
    SECRET[12:24],
    SECRET[-12:],
    SECRET.upper()[:12],
    SECRET.lower()[:12],
    SECRET[::-1][:12],
    base64.b64encode(SECRET.encode()).decode()[:12],
]
"""Parts of the secret, in the forms these flows make of it; none may show."""


class Tell(Step, name="TELL", inputs=("text",), outputs=("text", Port("object", optional=True))):
    """Emit an option in every way, as careless code does."""

    case: str
    """The name to remember the option under."""
    say: str | None = None
    """What to emit."""
    size: int | None = None
    """A number."""

    def run(self, ctx: StepContext) -> Written:
        said = self.say or ctx.input("text") or ""
        USED.setdefault(self.case, []).append(str(said))
        ctx.progress(f"about to say {said}")
        ctx.note("telling", f"telling {said!r}", {"said": str(said), "list": [f"a {said}"]})
        return {"text": f"said {said}", "object": {f"key {said}": [f"in {said}"]}}


class Complain(Step, name="COMPLAIN"):
    """Fail with an option in the message."""

    how: str
    """Which exception."""
    say: str
    """What to complain about."""

    def run(self, ctx: StepContext) -> Written:
        if self.how == "foreign":
            raise ValueError(f"cannot say {self.say!r}")
        if self.how == "service":
            try:
                raise OSError(f"refused {self.say}")
            except OSError as error:
                raise ServiceRefused(
                    f"bad key {self.say[:20]}…",
                    hint=f"not {self.say}",
                    details={"said": [str(self.say)]},
                    vendor_code=str(self.say),
                ) from error
        raise RunError(f"cannot say {self.say}")


def environment() -> Environment:
    return Environment(steps=[Tell, Complain], host=Host(secrets={"KEY": SECRET}.get))


def nothing(name: str) -> None:
    """A store without secrets."""


def assert_hidden(*leaving: Any) -> None:
    for item in leaving:
        for text in (str(item), repr(item), json.dumps(item, default=repr, ensure_ascii=False)):
            assert [form for form in FORMS if form in text] == [], text


@pytest.mark.parametrize(
    "template",
    [
        "{{ secret('KEY') }}",
        "a cat named {{ secret('KEY') }}, sleeping",
        "{{ secret('KEY') | upper }}",
        "{{ secret('KEY') | lower }}",
        "{{ 'Bearer ' ~ secret('KEY') }}",
        "{{ 'Bearer ' + secret('KEY') }}",
        "{{ secret('KEY').slice(0, 30) }}",
        "{{ secret('KEY') | replace('sk', 'x') }}",
        "{{ secret('KEY') | reverse }}",
        "{{ secret('KEY') | trim | truncate(30) }}",
        "{{ secret('KEY') | urlencode }}",
        "{{ secret('KEY') | escape }}",
        "{{ [secret('KEY'), 'x'] | join('-') }}",
        "{{ {a: secret('KEY')} | json }}",
        "{% set k = secret('KEY') %}{{ k }}!",
        "{% for c in [secret('KEY')] %}<{{ c }}>{% endfor %}",
        "\\x7b{ \\x73ecret('KEY') | upper }}",
    ],
)
def test_a_secret_that_templates_change_is_used_and_stays_hidden(template: str) -> None:
    quoted = f'"{template}"' if template.startswith("\\") else json.dumps(template)
    text = (
        f"- step: SET\n  direct: {quoted}\n"
        f"- step: TELL\n  case: changed\n  say: {quoted}\n  monitorLabel: {quoted}\n"
        "  outputs: [{type: text, name: text}, {type: object, name: object}]\n"
        f"- step: TELL\n  case: changed\n"
        "- step: SET\n  loud: '{{ flowContext.text | upper }}'\n  part: '{{ flowContext.text.slice(0, 40) }}'\n"
    )
    events = Recorder()
    result = environment().run(text, on_event=events)
    first, second = USED.pop("changed")
    assert second == f"said {first}"
    assert len(first) >= 30
    assert_hidden(result.to_json(), result, *events.events)
    assert {result.to_json()[key] for key in ("direct", "text", "loud", "part")} == {"***"}


@pytest.mark.parametrize(("how", "cause"), [("own", None), ("foreign", None), ("service", None)])
def test_a_secret_in_an_error_stays_hidden(how: str, cause: None) -> None:
    text = f"- step: COMPLAIN\n  how: {how}\n  say: \"{{{{ secret('KEY') }}}}\"\n"
    events = Recorder()
    with pytest.raises(RunError) as raised:
        environment().run(text, on_event=events)
    error = raised.value
    shown = "".join(traceback.format_exception(error))
    assert_hidden(error, error.args, vars(error), shown, *events.events)
    assert "***" in str(error)
    assert error.__cause__ is cause


def test_a_secret_in_an_option_that_breaks_a_rule_stays_hidden() -> None:
    for option in (
        "how: x\n  say: [\"{{ secret('KEY') }}\"]",
        "how: \"{{ JSON.parse('{}') or {a: secret('KEY')} }}\"\n  say: x",
    ):
        with pytest.raises(RunError) as raised:
            environment().run(f"- step: COMPLAIN\n  {option}\n")
        assert_hidden(raised.value, vars(raised.value))
    with pytest.raises(RunError) as raised:
        environment().run("- step: TELL\n  case: x\n  size: \"{{ secret('KEY') }}\"\n")
    assert (str(raised.value), raised.value.hint) == ("`size` takes a whole number, not the text `***`", None)


def test_a_secret_in_a_template_that_fails_stays_hidden() -> None:
    for template, message in (
        ("{{ JSON.parse(secret('KEY')) }}", "this text is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (
            "{{ 'x' | match(secret('KEY') ~ '[') }}",
            f"`/***/` is not a regular expression: unterminated character set at position {len(SECRET)}",
        ),
    ):
        with pytest.raises(RunError) as raised:
            environment().run(f"- step: SET\n  a: {json.dumps(template)}\n")
        assert str(raised.value) == message
        assert_hidden(raised.value, vars(raised.value))


def test_a_secret_in_the_outputs_of_a_flow_stays_hidden() -> None:
    text = (
        "outputs: {a: \"{{ secret('KEY') }}\", b: \"{{ secret('KEY').slice(0, 20) }}\", c: plain}\n"
        "flow:\n- step: SET\n  x: 1\n"
    )
    result = environment().run(text)
    assert result.outputs["a"] == SECRET
    assert result.to_json() == {"a": "***", "b": "***", "c": "plain"}


def test_a_secret_that_is_not_set_is_reported_by_its_name() -> None:
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment().run("- step: SET\n  a: \"{{ secret('OTHER') }}\"\n")
    assert (str(raised.value), raised.value.code, raised.value.hint, str(raised.value.span)) == (
        "the secret `OTHER` is not set",
        "secret-not-set",
        "the host's `secrets` gives None for it",
        str(raised.value.span),
    )


def test_hiding_knows_the_forms_of_a_secret_and_its_beginnings() -> None:
    secrets = Secrets(nothing)
    secrets.add(SECRET)
    assert secrets.hide(f"a {SECRET} b {SECRET.upper()} c {SECRET[:20]}… d {SECRET!r}") == "a *** b *** c ***… d '***'"
    assert secrets.hide(json.dumps(SECRET)) == '"***"'
    assert secrets.hide("nothing here") == "nothing here"
    assert secrets.hide_in({"a": [SECRET, 5, (SECRET, None)]}) == {"a": ["***", 5, ("***", None)]}


def test_what_was_found_clean_is_searched_again_for_another_secret_in_this_run_alone() -> None:
    runs = [Secrets(nothing) for _ in range(2)]
    for secrets in runs:
        secrets.add(SECRET)
    assert [secrets.hide("the other key") for secrets in runs] == ["the other key"] * 2
    runs[0].add("other key")
    assert [secrets.hide("the other key") for secrets in runs] == ["the ***", "the other key"]
    assert [secrets.hide(f"{SECRET.upper()} other key") for secrets in runs] == ["*** ***", "*** other key"]
    runs[1].add("the other")
    assert [secrets.hide("the other key") for secrets in runs] == ["the ***", "*** key"]


def test_what_holds_a_secret_among_much_else_is_not_kept_when_its_run_is_over() -> None:
    before = _formed.cache_info().currsize
    for number in range(20):
        secrets = Secrets(nothing)
        prompt = f"{number} {SECRET} " + "A red kite. " * 100
        secrets.notice([SecretText(prompt)])
        assert secrets.hide(f"it says: {prompt}") == "it says: ***"
    assert _formed.cache_info().currsize == before


def test_short_parts_of_a_secret_do_not_garble_messages() -> None:
    secrets = Secrets(nothing)
    secrets.notice([SecretText("a"), {"k": SecretText("long enough")}])
    assert secrets.hide("a cat is long enough") == "a cat is ***"


def test_a_short_secret_stays_hidden_and_garbles_no_other_text() -> None:
    secrets = Secrets({"KEY": "x"}.get)
    made = secrets.secret("KEY")
    assert secrets.hide("a WIDTHxHEIGHT [unsupported-x]") == "a WIDTHxHEIGHT [unsupported-x]"
    assert secrets.hide_in({"x": [made, "x", "axe"]}) == {"x": ["***", "***", "axe"]}
    assert type(secrets.marked("x")) is SecretText


def test_the_code_and_place_of_an_error_are_never_rewritten() -> None:
    text = "- step: COMPLAIN\n  how: run\n  say: \"{{ secret('KEY') }}\"\n"
    shown = Environment(steps=[Tell, Complain], host=Host(secrets={"KEY": "run-failed"}.get))
    with pytest.raises(RunError) as caught:
        shown.run(text)
    assert (caught.value.message, caught.value.code) == ("cannot say ***", "run-failed")


def test_code_that_loses_the_mark_of_a_secret_gets_it_back() -> None:
    secrets = Secrets(nothing)
    assert secrets.marked("x") == "x"
    secrets.add(SECRET)
    found = secrets.marked({"a": f"x {SECRET}", "b": ["y", 1]})
    assert found == {"a": f"x {SECRET}", "b": ["y", 1]}
    assert (type(found["a"]), type(found["b"][0])) == (SecretText, str)


def test_a_secret_in_a_stream_stays_hidden() -> None:
    async def main() -> None:
        text = "- step: TELL\n  case: stream\n  say: \"{{ secret('KEY') }}\"\n"
        items = [item async for item in environment().load(text).stream()]
        assert_hidden(*items)
        assert USED.pop("stream") == [SECRET]

    asyncio.run(main())


@pytest.mark.parametrize(
    "main",
    ["imports:\n  - {from: ./m.module.yaml, as: m}\n", "blocks: !include m.module.yaml\n"],
    ids=["imported", "included"],
)
def test_a_secret_that_only_another_file_names_stays_hidden(tmp_path: Path, main: str) -> None:
    flows = "flows:\n  tell:\n    - {step: SET, shown: \"{{ secret('KEY') | upper | reverse }}\"}\n"
    included = main.startswith("blocks")
    module = flows if included else "blocks:\n" + "".join(f"  {line}\n" for line in flows.splitlines())
    (tmp_path / "m.module.yaml").write_text(module, encoding="utf-8")
    path = tmp_path / "main.flow.yaml"
    ref = "local.flows.tell" if included else "imports.m.flows.tell"
    path.write_text(f"{main}flow:\n  - {{step: CALL_FLOW, ref: {ref}}}\n", encoding="utf-8")
    result = flowdsl.load(path, environment=Environment(host=Host(secrets=lambda name: "abcdefgh12345"))).run()
    assert result.context["shown"] == "54321HGFEDCBA"
    assert result.to_json() == {"shown": "***"}


def test_errors_that_cause_each_other_end_a_run_that_knows_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    class Circle(Step, name="CIRCLE"):
        """Fails with an error that is its own cause."""

        def run(self, ctx: StepContext) -> Written:
            error = StepError("round")
            raise error from error

    monkeypatch.setenv("TOKEN", "tok-1234567890")
    flow = "- step: SET\n  a: \"{{ secret('TOKEN') }}\"\n- step: CIRCLE\n"
    with pytest.raises(StepError, match="round"):
        flowdsl.run(flow, environment=flowdsl.Environment(steps=[Circle]))


def test_the_name_of_an_emitted_event_is_hidden_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "tok-1234567890")
    recorder, told = Recorder(), list[tuple[str, Any]]()
    flow = "- step: EMIT_EVENT\n  name: \"{{ secret('TOKEN') }}\"\n  payload: {a: 1}\n"
    environment = Environment(host=Host(sink=lambda name, payload: told.append((name, payload))))
    flowdsl.run(flow, environment=environment, on_event=recorder)
    assert "tok-1234567890" not in json.dumps([event.to_dict() for event in recorder.events])
    assert [name for name, _ in told] == ["***"]


def test_the_summary_of_a_run_hides_what_json_hides() -> None:
    secrets = Secrets(lambda name: None)
    secrets.add("tok-1234567890")
    result = flowdsl.Result({"key": {"deep": ["say tok-1234567890"]}}, {}, None, 0.0, 1, secrets.hide_in)
    assert "tok-1234567890" not in json.dumps(result.to_json())
    assert 'key: {"deep": ["say ***"]}' in summary(result, simulated=False)


@pytest.mark.parametrize("given", [b"sk-12345678", 12345678], ids=["bytes", "number"])
def test_a_secret_of_the_host_that_is_no_text_is_sent_nowhere(given: Any) -> None:
    environment = Environment(host=Host(secrets={"KEY": given}.get))
    with pytest.raises(flowdsl.TemplateError) as raised:
        environment.run("- step: SET\n  key: \"{{ secret('KEY') }}\"\n")
    assert raised.value.code == "secret-not-set"
    assert raised.value.message == (f"the secret `KEY` is no text: the host's `secrets` gives {type(given).__name__}")
