"""The simulator's own endpoints: what it recorded, which faults come next, and a fresh start."""

from __future__ import annotations

from dataclasses import asdict

from flowdsl.errors import UsageError
from flowdsl_steps.image.simulator.access import TOKEN_HEADER, has_token
from flowdsl_steps.image.simulator.asgi import Asgi
from flowdsl_steps.image.simulator.faults import Fault, fault_from, parse_fault
from flowdsl_steps.image.simulator.json_body import parsed_json
from flowdsl_steps.image.simulator.state import State

_LONGEST_BODY = 1024 * 1024


async def control(state: State, asgi: Asgi) -> None:
    """Responds to `GET /_simulator/requests`, `GET` or `POST /_simulator/faults` and `POST /_simulator/reset`."""
    if not has_token(asgi.headers, state.control_token):
        message = f"The control address needs the token that was printed at the start, in the header {TOKEN_HEADER}."
        await asgi.respond_json(401, {"error": {"message": message}}, {"connection": "close"})
        return
    body = await asgi.body(_LONGEST_BODY)
    if body is None:
        message = f"The body is larger than {_LONGEST_BODY} bytes."
        await asgi.respond_json(413, {"error": {"message": message}}, {"connection": "close"})
        return
    route = (asgi.method, asgi.path.removeprefix("/_simulator/"))
    if route == ("GET", "requests"):
        await asgi.respond_json(200, state.ledger.as_json())
    elif route == ("GET", "faults"):
        await asgi.respond_json(200, _pending(state))
    elif route == ("POST", "faults"):
        try:
            state.faults.add(*_faults(body))
        except UsageError as error:
            await asgi.respond_json(400, {"error": {"message": str(error)}})
            return
        await asgi.respond_json(200, _pending(state))
    elif route == ("POST", "reset"):
        state.reset()
        await asgi.respond_json(200, {"reset": True})
    else:
        message = (
            "The simulator knows GET /_simulator/requests, GET and POST /_simulator/faults, POST /_simulator/reset."
        )
        await asgi.respond_json(404, {"error": {"message": message}})


def _pending(state: State) -> dict[str, object]:
    return {"pending": [{**asdict(fault), "times": left} for fault, left in state.faults.pending]}


def _faults(body: bytes) -> list[Fault]:
    wanted = 'Send {"faults": ["rate_limit:2,retry_after=1", {"kind": "hang"}]}.'
    value = parsed_json(body)
    items = value.get("faults") if isinstance(value, dict) else None
    if not isinstance(items, list):
        raise UsageError(f"The body is not a list of faults. {wanted}")
    faults = []
    for item in items:
        if isinstance(item, str):
            faults.append(parse_fault(item))
        elif isinstance(item, dict):
            faults.append(fault_from({str(name): value for name, value in item.items()}))
        else:
            raise UsageError(f"A fault is text or a mapping, found {item!r}. {wanted}")
    return faults
