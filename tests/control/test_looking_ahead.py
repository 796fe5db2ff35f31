"""What a later step surely needs is looked up before the first picture is paid for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import pytest

from flowdsl import Environment, FlowCheckError, Host, Result, RunError, Step, StepContext, Storage, Verbatim
from flowdsl_steps.image.simulator import Simulator

PICTURE = "- step: OPENAI_IMAGE_GENERATION\n  model: gpt-image-2\n  instruction: A paper boat\n"
SECRET = "- step: EMIT_EVENT\n  name: done\n  payload: {key: \"{{ secret('SECOND_KEY') }}\"}\n"


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with Simulator() as server:
        yield server


def environment(simulator: Simulator) -> Environment:
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    return Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get))


@pytest.mark.parametrize(
    ("later", "code", "step"),
    [
        (SECRET, "secret-not-set", "EMIT_EVENT"),
        (PICTURE + "  service: GATEWAY\n", "service-not-configured", "OPENAI_IMAGE_GENERATION"),
        (PICTURE.replace("OPENAI", "HUB"), "service-not-configured", "HUB_IMAGE_GENERATION"),
    ],
    ids=["a secret", "a misspelt service", "a service"],
)
def test_what_is_missing_later_is_found_before_the_first_picture(
    later: str, code: str, step: str, simulator: Simulator
) -> None:
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        environment(simulator).run(PICTURE + later)
    assert (failed.value.code, failed.value.step, failed.value.path) == (code, step, "flow[1]")
    assert simulator.request_count == before


def in_a_branch(steps: str, lead: str = "") -> str:
    inside = "\n".join("    " + line for line in steps.splitlines())
    condition = "{{ flowContext.imageList | length > 0 }}"
    return f"{lead}{PICTURE}- step: IF\n  condition: '{condition}'\n  then:\n{inside}\n"


def test_a_misspelt_service_in_a_branch_is_told_with_its_place_before_the_first_picture(simulator: Simulator) -> None:
    entry = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    flow = in_a_branch(f"{PICTURE}  service: GATEWYA\n")
    before = simulator.request_count
    with pytest.raises(FlowCheckError) as refused:
        Environment(services={"OPENAI_IMAGE_GENERATION": entry, "GATEWAY": entry}).run(flow)
    (found,) = refused.value.diagnostics
    assert (found.code, found.hint, found.span.text) == ("unknown-service", "did you mean `GATEWAY`?", "GATEWYA")
    own = f"services: {{GATEWAY: {{endpoint: '{simulator.url}/v1', apiKey: {simulator.key}}}}}\nflow:\n"
    alone = Environment(overrides={"openai": entry})
    with pytest.raises(RunError) as failed:
        alone.run(in_a_branch(f"{PICTURE}  service: GATEWYA\n", own))
    assert (failed.value.code, failed.value.hint) == ("service-not-configured", "did you mean `GATEWAY`?")
    assert failed.value.span is not None
    assert failed.value.span.text == "GATEWYA"
    assert simulator.request_count == before


def test_a_service_of_another_name_is_told_those_that_there_are(simulator: Simulator) -> None:
    flow = f"{PICTURE}  service: NOWHERE\n"
    environment = Environment(services={"GATEWAY": {"endpoint": f"{simulator.url}/v1"}, "STUDIO": {}})
    (found,) = environment.check(flow)
    hint = "there are GATEWAY, STUDIO; add it under `services:`, or in flowdsl.toml"
    assert (found.code, found.severity, found.hint) == ("unknown-service", "warning", hint)
    with pytest.raises(RunError) as failed:
        environment.run(flow)
    assert failed.value.hint == hint
    assert (failed.value.span is not None, str(failed.value.span).endswith(":4:12")) == (True, True)


def test_the_entry_of_the_step_itself_may_be_named() -> None:
    assert Environment().check(f"{PICTURE}  service: OPENAI_IMAGE_GENERATION\n") == []


def test_what_only_some_runs_come_to_is_not_looked_up(simulator: Simulator) -> None:
    inside = "\n".join("    " + line for line in SECRET.splitlines())
    flow = f'{PICTURE}- step: IF\n  condition: "{{{{ flowContext.imageList | length > 5 }}}}"\n  then:\n{inside}\n'
    before = simulator.request_count
    environment(simulator).run(flow)
    environment(simulator).run(f"{PICTURE}- step: END\n{SECRET}")
    assert simulator.request_count == before + 2


POSTERS = """\
- step: FOR
  items: "{{ inputs.products }}"
  var: p
  collect: "{{ flowContext.imageList[0] }}"
  collectKey: posters
  do:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: "A poster of {{ flowContext.p.sku }}"
"""
SAVED = POSTERS + "- step: SAVE_IMAGES\n  in: posters\n"
CALLED = """\
blocks:
  flows:
    keep:
      - step: SAVE_IMAGES
        directory: "{{ inputs.folder }}"
flow:
  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A paper boat}
  - {step: CALL_FLOW, ref: local.flows.keep}
"""
INPUTS = "inputs: {products: {type: array}, folder: {type: string}, empty: {}, wide: {}, nothing: {default: null}}\n"
GIVEN = {"products": [{"sku": "one"}, {"sku": "two"}, {"sku": "three"}], "folder": "a", "empty": " . ", "wide": "3000"}


def run_in(folder: Path, flow: str, simulator: Simulator) -> Result:
    if not flow.endswith(".yaml"):
        flow = f"{INPUTS}{'flow:' if flow.startswith('- ') else ''}\n{flow}"
    storage = Storage(images=folder / "images", output=folder / "output")
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    return Environment(services={"OPENAI_IMAGE_GENERATION": service}, storage=storage).run(
        flow, GIVEN if "inputs:" in flow else {}
    )


@pytest.mark.parametrize(
    ("flow", "code", "step"),
    [
        (SAVED + '  filename: "{{ inputs.products[index].sku }}"\n', "undefined-variable", "SAVE_IMAGES"),
        (
            PICTURE + '  n: 3\n- step: SAVE_IMAGES\n  filename: "{{ inputs.products[index].sku }}"\n',
            "undefined-variable",
            "SAVE_IMAGES",
        ),
        (
            PICTURE + '  n: 2\n- step: SAVE_IMAGES\n  filename: "{{ inputs.products[count + 1].sku }}"\n',
            "undefined-variable",
            "SAVE_IMAGES",
        ),
        (SAVED + '  filename: "{{ inputs.empty }}"\n', "not-a-file-name", "SAVE_IMAGES"),
        (SAVED + '  directory: "../{{ inputs.folder }}"\n', "outside-output", "SAVE_IMAGES"),
        (SAVED + '  directory: "{{ inputs.folder }}"\n', "output-unwritable", "SAVE_IMAGES"),
        (SAVED + "  directory: a/b\n", "output-unwritable", "SAVE_IMAGES"),
        (PICTURE + '- step: DOWNLOAD\n  filename: "{{ inputs.empty }}"\n  in: x\n', "not-a-file-name", "DOWNLOAD"),
        (PICTURE + PICTURE + '  size: "{{ inputs.wide }}x9"\n', "unsupported-value", "OPENAI_IMAGE_GENERATION"),
        (PICTURE + '- step: REST\n  url: "{{ inputs.folder }}"\n', "wrong-pattern", "REST"),
        (CALLED, "output-unwritable", "SAVE_IMAGES"),
    ],
    ids=[
        "a name off by one",
        "a name off by one of n",
        "a name off by one at the end",
        "an empty name",
        "a folder outside",
        "a folder that is a file",
        "a folder in a file",
        "an empty name of a download",
        "a size of the next picture",
        "an address",
        "a folder in a called flow",
    ],
)
def test_what_needs_no_picture_is_resolved_before_the_first(
    flow: str, code: str, step: str, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "output").mkdir()
    (tmp_path / "output" / "a").write_text("a file", encoding="utf-8")
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        run_in(tmp_path, flow, simulator)
    assert (failed.value.code, failed.value.step) == (code, step)
    assert failed.value.span is not None
    assert simulator.request_count == before


@pytest.mark.long
@pytest.mark.parametrize(
    "filename",
    [
        "{{ inputs.products[index - 1].sku }}",
        "{{ inputs.products[count - 1].sku }}-{{ index }}",
        "{{ inputs.folder }}-{{ sha256 }}",
        "{{ flowContext.p.sku }}",
        "{{ flowContext.posters[index - 1].width }}",
        "{{ (inputs.products | random).sku }}",
        "{{ inputs.nothing | default('x') }}",
    ],
    ids=["by number", "by count", "by content", "by a variable", "by a picture", "by chance", "by default"],
)
def test_a_name_that_is_right_then_is_not_refused_before(filename: str, simulator: Simulator, tmp_path: Path) -> None:
    saved = run_in(tmp_path, f'{SAVED}  filename: "{filename}"\n', simulator)
    assert len(saved.context["list"]) == 3


def test_a_loop_that_leaves_some_out_is_not_counted(simulator: Simulator, tmp_path: Path) -> None:
    skip = "    - step: CONTINUE\n      condition: \"{{ flowContext.p.sku == 'two' }}\"\n"
    flow = SAVED.replace("  do:\n", f"  do:\n{skip}") + '  filename: "{{ inputs.products[index].sku }}"\n'
    assert len(run_in(tmp_path, flow, simulator).context["list"]) == 2


def test_what_is_wrong_later_is_not_paid_around_by_a_try(simulator: Simulator, tmp_path: Path) -> None:
    inside = "\n".join("    " + line for line in PICTURE.splitlines())
    tried = f"- step: TRY\n  try:\n{inside}\n  catch:\n{inside}\n"
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        run_in(
            tmp_path,
            f'{tried}- step: SAVE_IMAGES\n  directory: "../x"\n'.replace("../x", "../{{ inputs.folder }}"),
            simulator,
        )
    assert (failed.value.code, simulator.request_count) == ("outside-output", before)


@pytest.mark.parametrize("where", ["flow", "imported", "kit"])
def test_a_folder_that_a_called_flow_cannot_write_is_found_first(
    where: str, simulator: Simulator, tmp_path: Path
) -> None:
    (tmp_path / "output").write_text("a file", encoding="utf-8")
    (tmp_path / "module.yaml").write_text(
        "blocks:\n  flows:\n    keep:\n      - {step: SAVE_IMAGES}\n", encoding="utf-8"
    )
    picture = "  - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: A paper boat}\n"
    flows = {
        "flow": f"blocks:\n  flows:\n    keep:\n      - {{step: SAVE_IMAGES}}\nflow:\n{picture}"
        "  - {step: CALL_FLOW, ref: local.flows.keep}\n",
        "imported": f"imports:\n  - {{from: ./module.yaml, as: m}}\nflow:\n{picture}"
        "  - {step: CALL_FLOW, ref: imports.m.flows.keep}\n",
        "kit": "AI_KIT:\n  TEMPLATES:\n    keep: [{step: SAVE_IMAGES}]\n  SECTIONS:\n    - section: a\n      actions:\n"
        "        - title: b\n          flow:\n"
        f"          {picture}          - {{step: CALL_TEMPLATE, name: keep}}\n".replace("            -", "          -"),
    }
    (tmp_path / "flow.yaml").write_text(flows[where], encoding="utf-8")
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        run_in(tmp_path, str(tmp_path / "flow.yaml"), simulator)
    assert (failed.value.code, simulator.request_count) == ("output-unwritable", before)


@pytest.mark.parametrize(
    "text",
    [
        "{% if flowContext.imageList | length > 5 %}{{ secret('SECOND_KEY') }}{% endif %}",
        "{# {{ secret('SECOND_KEY') }} #}",
        "{% raw %}{{ secret('SECOND_KEY') }}{% endraw %}",
    ],
    ids=["in a branch", "in a comment", "raw"],
)
def test_a_secret_that_a_text_never_reads_does_not_keep_a_run_from_its_picture(text: str, simulator: Simulator) -> None:
    before = simulator.request_count
    environment(simulator).run(f'{PICTURE}- step: EMIT_EVENT\n  name: done\n  payload: "{text}"\n')
    assert simulator.request_count == before + 1


class Quote(Step, name="QUOTE"):
    """Takes a text as it stands."""

    text: Annotated[str, Verbatim()]
    """The text."""

    def run(self, ctx: StepContext) -> None:
        """Does nothing with it."""


def test_a_secret_in_a_text_that_is_no_template_does_not_keep_a_run_from_its_picture(simulator: Simulator) -> None:
    service = {"endpoint": f"{simulator.url}/v1", "apiKey": simulator.key}
    own = Environment(services={"OPENAI_IMAGE_GENERATION": service}, host=Host(secrets={}.get), steps=[Quote])
    before = simulator.request_count
    own.run(f"{PICTURE}- step: QUOTE\n  text: \"{{{{ secret('SECOND_KEY') }}}}\"\n")
    assert simulator.request_count == before + 1


def test_a_catch_pays_for_nothing_when_a_later_step_cannot_run(simulator: Simulator) -> None:
    inside = "".join(f"  {line}\n" for line in PICTURE.splitlines())
    before = simulator.request_count
    with pytest.raises(RunError) as failed:
        environment(simulator).run(f"- step: TRY\n  try:\n{inside}  catch:\n{inside}{SECRET}")
    assert (failed.value.code, failed.value.path) == ("secret-not-set", "flow[1]")
    assert simulator.request_count == before


def test_on_error_may_pay_when_a_step_that_no_longer_comes_cannot_run(simulator: Simulator) -> None:
    picture, secret = ("".join(f"  {line}\n" for line in text.splitlines()) for text in (PICTURE, SECRET))
    before = simulator.request_count
    environment(simulator).run(f"onError:\n{picture}  - step: END\nflow:\n{picture}{secret}")
    assert simulator.request_count == before + 1
