"""What works on the records of a batch in one event loop is a dispatcher."""

from __future__ import annotations

from flowdsl.batches.dispatching import SideBySide
from flowdsl.testing.conformance import DispatcherConformance


class TestSideBySide(DispatcherConformance):
    def opened(self, most: int) -> SideBySide:
        return SideBySide(most)
