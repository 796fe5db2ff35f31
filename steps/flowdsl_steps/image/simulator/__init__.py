"""A local server that speaks the images API of OpenAI and Azure OpenAI, validates requests and draws pictures."""

from flowdsl_steps.image.simulator.faults import FAULTS, Fault, parse_fault
from flowdsl_steps.image.simulator.record import RecordedRequest
from flowdsl_steps.image.simulator.server import Simulator, serve_forever

__all__ = ["FAULTS", "Fault", "RecordedRequest", "Simulator", "parse_fault", "serve_forever"]
