"""For tests of steps and hosts: run one step without a flow, keep the events of a run."""

from flowdsl.testing.recorder import Recorder
from flowdsl.testing.stub import StubContext, run_step

__all__ = ["Recorder", "StubContext", "run_step"]
