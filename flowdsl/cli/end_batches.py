"""What a vendor works on for a run that is given up: it is told to end it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from flowdsl.cli.vendor_batched import goes_on
from flowdsl.errors import FlowError, ServiceError, UsageError
from flowdsl.journal.doubt import AT_VENDOR, ORDERED

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.journal.journal import Journal
    from flowdsl.journal.vendor_batches import KeptPart
    from flowdsl_steps.image.vendor import Endpoint, Vendor


_NOT_FOUND = 404
_ORDERS = f"""SELECT count(*) AS number FROM ledger JOIN runs ON runs.id = ledger.run
    WHERE (runs.id = :id OR runs.batch = :id) AND {AT_VENDOR} AND {ORDERED}"""


def end_batches(journal: Journal, id: str, given: Mapping[str, Any]) -> None:
    """Has the vendor end the batches of a run, or of a batch of records, and says which, or why not; and what it has
    taken one by one, which no vendor takes back."""
    import asyncio

    if orders := journal.database.read(_ORDERS, {"id": id})[0]["number"]:
        sys.stderr.write(f"{goes_on(orders, batched=False)}: look in your account there\n")
    for part in journal.vendor_batch(id).parts():
        if part.state not in ("submitting", "submitted", "lost"):
            continue
        named = part.batch_id or f"of {part.service} with the metadata flowdsl={id}"
        try:
            if part.batch_id is None:
                raise UsageError("its answer was lost")
            with ExitStack() as stack:
                asyncio.run(_end(_flow(given, stack), part, part.batch_id))
        except (FlowError, OSError) as error:
            if isinstance(error, ServiceError) and error.status == _NOT_FOUND:
                sys.stderr.write(f"the vendor knows no batch {named}, so nothing is ended there\n")
                sys.stderr.write("  what it has done may be billed: look in your account there\n")
                continue
            said = error.message if isinstance(error, ServiceError) else error
            sys.stderr.write(f"the vendor goes on with the batch {named}, and bills it: {said}\n")
            sys.stderr.write("  end it in your account there\n")
        else:
            sys.stderr.write(f"the vendor was told to end the batch {named}: what is done by then is billed\n")


async def _end(flow: Flow, part: KeptPart, batch: str) -> None:
    from flowdsl_steps.http.transport import open_client
    from flowdsl_steps.image.vendor_batch.api import BatchApi

    vendor, endpoint, pem = _asked(flow, part)
    async with open_client(ca_pem=pem[0], client_pem=pem[1]) as client:
        await BatchApi(client, vendor, endpoint, part.url).cancel(batch)


def _flow(given: Mapping[str, Any], stack: ExitStack) -> Flow:
    """The flow of a run, as the command had it."""
    from flowdsl.cli import batch, run
    from flowdsl.cli.flow_files import flow_source
    from flowdsl.cli.ready_flow import ready_flow

    command, *arguments = given.get("argv") or [""]
    if command not in ("run", "batch"):
        raise UsageError("how it was begun is not known here")
    options = (run if command == "run" else batch).parser().parse(arguments)
    os.chdir(given.get("cwd") or ".")
    return ready_flow(flow_source(options.file), options, [name for name, _ in options.input], stack, None)


def _asked(flow: Flow, part: KeptPart) -> tuple[Vendor, Endpoint, tuple[Any, Any]]:
    """Who has a part, with the key for that.

    Raises:
        UsageError: no step of the flow asks there any more.
        ConfigError: the service lacks its key.
    """
    from flowdsl_steps.image.request import ImageRequest
    from flowdsl_steps.image.vendor_batch.files import base_of
    from flowdsl_steps.image.vendors import protocol_of

    for step in flow.document.every_step():
        if step.spec.service is None:
            continue
        name = str(step.service.value if step.service is not None else step.spec.service)
        service = flow._settings.services.service(name, step.spec, flow.document.services)
        vendor = protocol_of(service)
        endpoint = vendor.endpoint(service, ImageRequest(prompt="", model=part.model))
        if endpoint.service == part.service and base_of(endpoint) == part.url:
            return vendor, endpoint, (service.get("caPem"), service.get("clientPem"))
    raise UsageError(f"the flow asks {part.service} at {part.url} no more")
