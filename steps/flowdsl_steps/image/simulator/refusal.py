"""Error responses in the vendors' shapes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowdsl_steps.image.simulator.models import Vendor


@dataclass(frozen=True, slots=True)
class ErrorResponse:
    """An HTTP error: its status, headers and JSON body."""

    status: int
    body: Mapping[str, object]
    headers: Mapping[str, str] = field(default_factory=dict)


class Refusal(Exception):
    """A request the simulated vendor does not accept."""

    def __init__(self, response: ErrorResponse) -> None:
        super().__init__(response.status)
        self.response = response


def vendor_error(
    status: int,
    message: str,
    *,
    kind: str | None = "invalid_request_error",
    code: str | None = None,
    param: str | None = None,
    headers: Mapping[str, str] | None = None,
    more: Mapping[str, object] | None = None,
) -> ErrorResponse:
    """The `{"error": {message, type, param, code}}` response; `more` adds keys to the inner object.

    Source: openai-openapi schema `Error`.
    """
    error = {"message": message, "type": kind, "param": param, "code": code, **(more or {})}
    return ErrorResponse(status, {"error": error}, headers or {})


def gateway_error(status: int, code: str, message: str) -> ErrorResponse:
    """The shorter `{"error": {code, message}}` response of Azure's gateway."""
    return ErrorResponse(status, {"error": {"code": code, "message": message}})


def refused(
    message: str, *, param: str | None = None, code: str | None = "invalid_value", status: int = 400
) -> Refusal:
    """A Refusal with the vendor's ordinary error body."""
    return Refusal(vendor_error(status, message, code=code, param=param))


def unauthorized(vendor: Vendor, presented: str | None) -> ErrorResponse:
    """The 401 of each vendor; the presented key is never repeated."""
    if vendor == "azure":
        message = (
            "Access denied due to invalid subscription key or wrong API endpoint. Make sure to provide a valid key for "
            "an active subscription and use a correct regional API endpoint for your resource."
        )
        return gateway_error(401, "401", message)
    if presented:
        message = "Incorrect API key provided: ***. You can find your API key in the simulator's settings."
    else:
        message = (
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer "
            "auth (i.e. Authorization: Bearer YOUR_KEY)."
        )
    return vendor_error(401, message, code="invalid_api_key")


def model_not_found(model: str) -> Refusal:
    """The response for a model the vendor does not serve, never served or has retired."""
    message = f"The model '{model}' does not exist or you do not have access to it."
    return refused(message, param="model", code="model_not_found", status=404)


def deployment_not_found() -> Refusal:
    """Azure's response for an unknown deployment."""
    message = (
        "The API deployment for this resource does not exist. If you created the deployment within the last 5 "
        "minutes, please wait a moment and try again."
    )
    return Refusal(gateway_error(404, "DeploymentNotFound", message))


def resource_not_found() -> Refusal:
    """Azure's response for a path or api-version it does not know."""
    return Refusal(gateway_error(404, "404", "Resource not found"))
