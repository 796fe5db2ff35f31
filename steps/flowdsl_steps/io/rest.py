"""REST: a request to a web service."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from flowdsl import Conflicts, Port, RunError, Secrets, ServiceError, Step, StepContext
from flowdsl.template import SecretText, holds_secret
from flowdsl_steps.io.rest_headers import check_headers

if TYPE_CHECKING:
    from flowdsl_steps.http.connection import Delivery
    from flowdsl_steps.http.send import HttpResponse

_TEXTUAL = (
    "text/",
    "application/json",
    "application/xml",
    "application/x-www-form-urlencoded",
    "application/javascript",
)


class Rest(
    Step,
    name="REST",
    aliases=("SERVICE_REST",),
    category="Services",
    rules=(Conflicts("body", "formData"),),
    check=check_headers,
    outputs=(
        Port("text", "The response as text."),
        Port("json", "The response read as JSON.", optional=True),
        Port("blob", "The bytes of the response; an image when they are one.", optional=True),
        Port("object", "`status`, `headers` (names in lower case) and `url` of the response.", optional=True),
    ),
    examples=(
        """\
- step: REST
  url: https://api.example.com/articles
  parameters: {limit: 3}
  outputs:
    - {type: json, name: articles}
""",
        """\
- step: REST
  url: https://api.example.com/articles
  method: POST
  headers: {Authorization: "Bearer {{ secret('ARTICLES_KEY') }}"}
  body: {title: Dawn, tags: [sea, light]}
  outputs:
    - {type: object, name: sent}
- step: SET
  text: "status {{ flowContext.sent.status }}"
""",
    ),
):
    """Sends a request to a web service and reads its response; a status that is no success is an error.

    Redirects are followed for GET and HEAD only. Private addresses are refused unless the host or flowdsl.toml allows
    them. A request is sent again after a pause when no connection came about; GET, HEAD, OPTIONS, PUT and DELETE also
    when the response is 429 or 503.
    """

    url: str = Field(pattern=r"^https?://\S+$")
    """The address."""
    method: Literal["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"] = "GET"
    """What the request does."""
    headers: Annotated[dict[str, Any] | None, Secrets()] = None
    """Headers, name to value."""
    parameters: Annotated[dict[str, Any] | None, Secrets()] = None
    """Query parameters, name to value; a list repeats its name."""
    body: Annotated[Any, Secrets()] = None
    """The body: a text unchanged, an image or a blob as its bytes, any other value as JSON."""
    formData: Annotated[dict[str, Any] | None, Secrets()] = None
    """A form (multipart/form-data), name to value; images and blobs are files, a list repeats its name."""
    timeoutMs: int = Field(default=60_000, ge=1000, le=900_000)
    """Deadline of one attempt in milliseconds."""
    maxRetries: int = Field(default=2, ge=0, le=20)
    """How often the request is sent again where that is safe."""
    maxBytes: int = Field(default=16 * 1024 * 1024, ge=1)
    """The most bytes the response may have."""

    async def run(self, ctx: StepContext) -> dict[str, Any]:
        """The outputs that were asked for."""
        import httpx

        from flowdsl_steps.http.public_network import open_fetcher
        from flowdsl_steps.http.send import HttpResponse, RequestPolicy, send
        from flowdsl_steps.io.rest_request import request_of

        request = request_of(
            self.method,
            self.url,
            headers=self.headers,
            parameters=self.parameters,
            body=self.body,
            form=self.formData,
        )
        policy = RequestPolicy(
            timeout_s=self.timeoutMs / 1000,
            max_retries=self.maxRetries,
            max_bytes=min(self.maxBytes, ctx.limits.response_bytes),
            allow_private=ctx.limits.private_addresses,
        )

        deliveries: list[Delivery] = []

        async def perform() -> dict[str, Any]:
            private = policy.allow_private
            client = await ctx.resource(("rest", private), lambda: open_fetcher(private, open_transport=ctx.transport))
            found = await send(client, request, policy, _on_retry(ctx), deliveries)
            return {**found._asdict(), "headers": found.headers.multi_items()}

        def may_be_done() -> bool:
            return not request.repeatable and any(each.sent for each in deliveries)

        came = await ctx.effect("http", request.described(), perform, may_be_done=may_be_done)
        response = HttpResponse(**{**came, "headers": httpx.Headers([tuple(pair) for pair in came["headers"]])})
        secret = holds_secret(self.url) or holds_secret(self.parameters)
        try:
            return _written(response, ctx, request.shown, secret)
        except RunError as error:
            error.charge_possible = error.charge_possible or not request.repeatable  # what was asked for is done
            raise


def _on_retry(ctx: StepContext) -> Callable[[ServiceError, float], None]:
    def note(error: ServiceError, pause_s: float) -> None:
        ctx.note("retry", f"{error.message}; sent again in {pause_s:.1f} s", {"status": error.status})

    return note


def _written(response: HttpResponse, ctx: StepContext, shown: str, secret: bool) -> dict[str, Any]:
    """The outputs that the author asked for, `text` when there is no list of them."""
    from flowdsl_steps.data.bytes_value import bytes_value
    from flowdsl_steps.data.json_value import read_json
    from flowdsl_steps.http.response_body import as_text

    wanted = ctx.outputs or ("text",)
    content_type = response.headers.get("content-type", "")
    written: dict[str, Any] = {}
    if "text" in wanted or "json" in wanted:
        text = as_text(response.content, content_type)
        if "json" in wanted:
            written["json"] = read_json(text, f"the response to {shown}")
        written["text"] = text
    if "blob" in wanted:
        written["blob"] = bytes_value(response.content, content_type, ctx)
    if "object" in wanted:
        url = SecretText(response.url) if secret else response.url
        written["object"] = {"status": response.status, "headers": dict(response.headers), "url": url}
    if not ctx.outputs and content_type and not _is_textual(content_type):
        kind = content_type.partition(";")[0]
        ctx.note("binary-response", f"the response is {kind}, read as text; list the output `blob` to have its bytes")
    return written


def _is_textual(content_type: str) -> bool:
    kind = content_type.partition(";")[0].strip().lower()
    return kind.startswith(_TEXTUAL) or kind.endswith(("+json", "+xml"))
