"""For tests of steps and hosts: one step without a flow, the events of a run, a run from its recording."""

from flowdsl.testing.recorder import Recorder
from flowdsl.testing.recording import Recorded, Recording, Replay
from flowdsl.testing.stub import StubContext, arun_step, run_step

__all__ = ["Recorded", "Recorder", "Recording", "Replay", "StubContext", "arun_step", "run_step"]
