"""Limits of a run, all in one place."""

from __future__ import annotations

from flowdsl.record import Record
from flowdsl.template.limits import TemplateLimits


class Limits(Record):
    """What a run may use at most.

    `timeout_s` is the deadline of the whole run in seconds (None: no deadline), `steps` how many steps may run,
    `image_bytes` the size of one picture, `response_bytes` the size of one response of a service, `template` what one
    template may use, `private_addresses` whether steps such as REST may reach this machine and its own network.
    """

    timeout_s: float | None = None
    steps: int = 1_000_000
    image_bytes: int = 64 * 1024 * 1024
    response_bytes: int = 1024 * 1024 * 1024
    template: TemplateLimits = TemplateLimits()
    private_addresses: bool = False
