"""Flow tests in pytest: it collects the same `*.test.yaml`, and each case is a test.

pytest imports this module at every start, by an entry point, so that everything else is imported when there is a file.
`-p no:flowdsl` leaves it out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from flowdsl.document.flow_tests import Case
    from flowdsl.flowtest.run import Outcome
    from flowdsl.flowtest.session import CaseFile

_ENDINGS = (".test.yaml", ".test.yml")


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> FlowTestFile | None:
    """The file, when it is one of flow tests."""
    return FlowTestFile.from_parent(parent, path=file_path) if file_path.name.endswith(_ENDINGS) else None


class FlowTestFile(pytest.File):
    """A file of flow tests."""

    def collect(self) -> Iterator[FlowTestCase]:
        """Its cases; a file with mistakes is an error of the collection, which shows them."""
        from flowdsl.cli import simulated
        from flowdsl.cli.flow_files import read_source
        from flowdsl.diagnostics import render
        from flowdsl.errors import FlowError
        from flowdsl.flowtest.session import case_file

        try:
            source, wrong = read_source(os.path.relpath(self.path))
            file = case_file(source, simulated)
        except (FlowError, OSError) as error:
            raise self.CollectError(str(error)) from None
        if file.tests is None or wrong:
            raise self.CollectError(render(wrong or file.findings))
        for case in file.tests.cases:
            yield FlowTestCase.from_parent(self, name=case.name, file=file, case=case)


class FlowTestCase(pytest.Item):
    """One case of it."""

    def __init__(self, *, file: CaseFile, case: Case, **pytests: Any) -> None:
        super().__init__(**pytests)
        self._file = file
        self._case = case

    def runtest(self) -> None:
        """Runs the case.

        Raises:
            Unexpected: something else came than what the case expects.
        """
        from flowdsl.cli import simulated
        from flowdsl.flowtest.run import run_case

        tests = self._file.tests
        assert tests is not None  # noqa: S101  else it has no cases
        outcome = run_case(tests, self._case, simulated, self._file.known.get(self._case.name))
        if not outcome.passed:
            raise Unexpected(outcome)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """What is shown of a case that fails: its differences."""
        from flowdsl.flowtest.report import failure_text

        if isinstance(excinfo.value, Unexpected):
            return failure_text(excinfo.value.outcome, lambda style, text: text)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int, str]:
        """Where the case stands."""
        return self.path, self._case.node.span.first.line - 1, self.name


class Unexpected(AssertionError):
    """A case of which something else came than what it expects."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.name)
        self.outcome = outcome
