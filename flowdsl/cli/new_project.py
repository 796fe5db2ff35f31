"""The files of a new project: a flow, a module, tests, and what editors, Git and a pipeline need."""

from __future__ import annotations

from collections.abc import Mapping

SCHEMAS = ".vscode/schemas"
"""The folder of the JSON Schemas."""
_KINDS = ("flow", "module", "ai-kit", "test")

_SETTINGS = """\
# Settings of this project. The folder of this file is its root: flows name files in it, and none outside.
# What each key means: `flowdsl explain`, and docs/services.md of flowdsl.

# The most paid requests that one run sends.
max_requests = 20

# [services.OPENAI_IMAGE_GENERATION]
# timeoutMs = 180000
"""
_FLOW = """\
# yaml-language-server: $schema=../.vscode/schemas/flow.schema.json
# A postcard of a town. Try it without a key:  flowdsl run flows/postcard.flow.yaml --simulate -i town=Porto
title: A postcard
inputs:
  town: {type: string, minLength: 1, default: Lisbon}
  season: {enum: [summer, winter], default: summer}
imports:
  - {from: ./shared/style.module.yaml, as: style}
flow:
  - step: IF
    condition: "{{ inputs.season == 'winter' }}"
    then:
      - {step: SET, light: crisp}
    else:
      - {step: SET, light: warm}
  - step: SET
    text: "{{ inputs.town }} in {{ flowContext.light }} light, {{ imports.style.constants.look }}"
  - step: OPENAI_IMAGE_GENERATION
    id: card
    model: gpt-image-2
    size: 1536x1024
    quality: low
outputs:
  card: "{{ flowContext.imageList[0] }}"
  prompt: "{{ flowContext.text }}"
"""
_MODULE = """\
# yaml-language-server: $schema=../../.vscode/schemas/module.schema.json
# The look of every picture of this project, for all its flows.
blocks:
  constants:
    look: vintage postcard, muted colours
"""
_TESTS = """\
# yaml-language-server: $schema=../.vscode/schemas/test.schema.json
# Run them with `flowdsl test`: nothing is sent to anybody.
tests:
  - name: a town in summer is warm
    inputs: {town: Porto}
    expect:
      images: 1
      prompts: ["Porto in warm light, vintage postcard, muted colours"]
      outputs:
        card: {has: {width: 1536, height: 1024}}
  - name: a town in winter is crisp
    inputs: {season: winter}
    expect:
      prompts: [{contains: Lisbon in crisp light}]
  - name: a prompt that is refused ends the flow
    faults: {card: moderation}
    expect:
      fails: content-refused
"""
_CI = """\
# Checks and tests the flows on each push; neither needs a key.
name: flows
on: [push, pull_request]
permissions: {contents: read}
jobs:
  flows:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with: {python-version: "3.12"}
      - run: pip install "flowdsl[simulator]"
      - run: flowdsl fmt . --check
      - run: flowdsl validate . --strict
      - run: flowdsl test . --coverage --junit flows.xml
"""
_IGNORED = """\
# What runs write.
/flowdsl-images/
/flowdsl-output/
/out/
/flows.xml
"""
_EDITOR = """\
{
  "yaml.schemas": {
    ".vscode/schemas/flow.schema.json": "*.flow.yaml",
    ".vscode/schemas/module.schema.json": "*.module.yaml",
    ".vscode/schemas/ai-kit.schema.json": "*.ai-kit.yaml",
    ".vscode/schemas/test.schema.json": "*.test.yaml"
  }
}
"""


def project_files(schemas: Mapping[str, str]) -> dict[str, str]:
    """Path → text of each file of a new project; `schemas` are the texts of all JSON Schemas, by their names."""
    files = {
        "flowdsl.toml": _SETTINGS,
        "flows/postcard.flow.yaml": _FLOW,
        "flows/postcard.test.yaml": _TESTS,
        "flows/shared/style.module.yaml": _MODULE,
        ".gitignore": _IGNORED,
        ".github/workflows/flows.yml": _CI,
        ".vscode/settings.json": _EDITOR,
    }
    names = (f"{kind}.schema.json" for kind in _KINDS)
    return {**files, **{f"{SCHEMAS}/{name}": schemas[name] for name in names}}
