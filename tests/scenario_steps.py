"""The steps that a host of the scenarios adds, so that files can speak of services without having one."""

from __future__ import annotations

import asyncio

from pydantic import Field

from flowdsl import (
    ExclusivePair,
    RequiredWhen,
    ServiceRateLimited,
    ServiceTimeout,
    ServiceUnavailable,
    Step,
    StepContext,
)

_ERRORS = {"rate-limited": ServiceRateLimited, "timeout": ServiceTimeout, "unavailable": ServiceUnavailable}


class AskService(Step, name="ASK_SERVICE", category="Scenario"):
    """Asks a service that fails as the scenario says; counts its calls in `asked`."""

    fails: str = "unavailable"
    """How it fails: rate-limited, timeout or unavailable."""
    times: int = Field(default=1, ge=0)
    """How many of the first calls fail."""
    charged: bool = False
    """Whether a failed call may have been billed."""
    retryable: bool = True
    """Whether asking again may work."""

    def run(self, ctx: StepContext) -> None:
        """Counts, then fails or not."""
        asked = int(ctx.flow_context.get("asked", 0)) + 1
        ctx.write("asked", asked)
        if asked <= self.times:
            raise _ERRORS[self.fails](
                f"the service failed on call {asked}",
                service="PICTURES",
                status=503,
                retryable=self.retryable,
                charge_possible=self.charged,
            )


class WaitFor(Step, name="WAIT_FOR", category="Scenario"):
    """Waits until the event loop has gone round a number of times: makes side-by-side work finish in another order."""

    turns: int = Field(default=1, ge=0)
    """How many turns of the event loop."""

    async def run(self, ctx: StepContext) -> None:
        """Gives way so often."""
        for _ in range(self.turns):
            await asyncio.sleep(0)


class WithRules(
    Step,
    name="WITH_RULES",
    rules=(ExclusivePair("left", "right"), RequiredWhen("file", "mode", "upload")),
    category="Scenario",
):
    """Does nothing; shows rules that no standard step has."""

    left: int = 1
    """Goes not with `right`; has a default."""
    right: int | None = None
    """Goes not with `left`."""
    mode: str = "upload"
    """Demands `file` when it says upload."""
    file: str | None = Field(default=None, pattern="^[a-z]+$", min_length=2, max_length=4)
    """Two to four small letters."""

    def run(self, ctx: StepContext) -> None:
        """Does nothing."""


def repeat(text: str, times: int = 2) -> str:
    """A function of the host for templates."""
    return text * times


STEPS = (AskService, WaitFor, WithRules)
