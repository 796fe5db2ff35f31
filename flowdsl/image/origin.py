"""What is known of how a picture was made."""

from __future__ import annotations

from flowdsl.record import Record


class Origin(Record):
    """How pictures were made, as far as it is known: for their metadata, and for the manifest of their folder.

    `model` is what made them: only pictures that have one are marked as generated, and as made of others when they are
    `edited`. `cost_usd` is the price of one. `name` is what their files are called, without the ending, where the
    author says so; without it they are called after the step or the flow, with a number.
    """

    prompt: str | None = None
    model: str | None = None
    service: str | None = None
    size: str | None = None
    quality: str | None = None
    seed: int | None = None
    request_id: str | None = None
    cost_usd: float | None = None
    edited: bool = False
    name: str | None = None


UNKNOWN = Origin()
"""Nothing is known."""
