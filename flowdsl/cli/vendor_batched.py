"""`--vendor-batch`: requests for pictures go through their vendor's batch, for a part of the price."""

from __future__ import annotations

import sys
from argparse import Namespace
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from flowdsl.cli.arguments import Parser, flag
from flowdsl.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.effects import Effects
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal

CONCURRENCY = 5000
"""So many records of a batch wait for their pictures at once, unless somebody says otherwise."""
GATHER_S = 1.0
"""After so many seconds without a request those that came are sent."""
_FOLDER = "vendor-batches"


def add_vendor_batch(parser: Parser) -> None:
    """Adds the option."""
    flag(
        parser,
        "--vendor-batch",
        help="send requests for pictures through OpenAI's Batch API: about half the price, and up to 24 hours; broken "
        "off, the vendor goes on, and `flowdsl resume` fetches what it made",
    )


def check(flow: Flow, options: Namespace) -> None:
    """Says which steps go no such way, before anything is sent.

    Raises:
        UsageError: none does, or no journal is kept.
    """
    if not options.vendor_batch:
        return
    if options.no_journal:
        raise UsageError("--vendor-batch needs the journal, which knows the batch when this is broken off")
    asking = [step for step in flow.document.every_step() if step.spec.service is not None]
    reasons = {step: why for step in asking if (why := _why_not(step, flow)) is not None}
    lines = dict.fromkeys(f"{step.spec.name} ({step.path}): {why}" for step, why in reasons.items())
    if len(reasons) == len(asking):
        said = "; ".join(lines) or "no step of this flow asks for pictures"
        raise UsageError(f"nothing here can go through a vendor's batch, and nothing was sent: {said}; leave it out")
    if not options.quiet:
        for line in lines:
            sys.stderr.write(f"flowdsl: warning: not through the batch, at its full price: {line}\n")


@asynccontextmanager
async def batch_door(
    options: Namespace,
    journal: Journal,
    id: str,
    inner: Effects | None,
    tell: Callable[[str], None] = lambda text: None,
) -> AsyncIterator[Effects | None]:
    """The door of a run, or of the runs of a batch, of this id; `inner` where no vendor's batch is asked for."""
    if not options.vendor_batch:
        yield inner
        return
    from flowdsl_steps.image.vendor_batch.door import VendorBatchDoor
    from flowdsl_steps.image.vendor_batch.vendor_batch import USUAL, Pauses

    quick = Pauses(first=0.1, longest=1.0, looks=(0.1, 0.5))
    async with VendorBatchDoor(
        journal.vendor_batch(id),
        journal.folder / _FOLDER,
        inner=inner,
        gather_s=0.3 if options.simulate else GATHER_S,
        pauses=quick if options.simulate else USUAL,
        tell=tell,
        afresh=options.simulate,
    ) as door:
        yield door


def goes_on(number: int, *, batched: bool) -> str:
    """What is said of requests that a vendor works on, in its batch or one by one, when a run is broken off."""
    requests = "1 request" if number == 1 else f"{number:,} requests"
    if batched:
        return f"the vendor's batch goes on with {requests}, and is billed"
    return f"the vendor goes on with {requests}, and bills {'it' if number == 1 else 'them'}"


def _why_not(step: StepNode, flow: Flow) -> str | None:
    """Why the requests of a step cannot go through a batch, as far as is known before the run; None where they can."""
    from flowdsl_steps.image.vendor_batch.files import OPERATIONS, why_not
    from flowdsl_steps.image.vendors import protocol_of

    name = str(step.service.value if step.service is not None else step.spec.service)
    given = {key: node.plain() for key, node in step.keys.items()} if step.spec.holds_settings else None
    service = flow._settings.services.service(name, step.spec, flow.document.services, given=given)
    if not isinstance(service.provider, str):
        return None
    try:
        vendor = protocol_of(service).name
    except ConfigError:
        return "it makes no pictures"
    return why_not(vendor, OPERATIONS[False])
