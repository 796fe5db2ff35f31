"""Amazon Bedrock: `InvokeModel` of a model that draws, with a signature (SigV4) or a key of Bedrock's own.

Source: botocore 1.44, data/bedrock-runtime/2023-09-30; AWS docs, Bedrock model parameters of Stable Image, of Stable
Diffusion 3.5 and of Stability AI Image Services, Nova Canvas errors.
"""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlunsplit

from flowdsl.errors import ConfigError
from flowdsl.step.problem import Problem, drop, show, use
from flowdsl.step.service import Service
from flowdsl.step.spec import Key
from flowdsl_steps.image.catalogue import parse_size
from flowdsl_steps.image.endpoint import extra_headers, key_source, missing, need_extra, secrets_in, split_endpoint
from flowdsl_steps.image.failure import Failure
from flowdsl_steps.image.key_check import refuse_stray_login
from flowdsl_steps.image.offering import Offering
from flowdsl_steps.image.request import ImageRequest, is_edit
from flowdsl_steps.image.resolved_model import ResolvedModel
from flowdsl_steps.image.vendor import Endpoint, Head

if TYPE_CHECKING:
    from flowdsl.image.store import ImageStore
    from flowdsl_steps.http.request import HttpRequest
    from flowdsl_steps.image.received import Received
    from flowdsl_steps.image.response import ResponseReader

_HOST = "bedrock-runtime.{region}.amazonaws.com"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-\d{1,2}")
_IN_HOST = re.compile(r"bedrock-runtime(?:-fips)?\.([a-z0-9-]+)\.amazonaws\.com")
_PROFILE_OF = re.compile(r"^(us|eu|apac|us-gov|global)\.(?=\w+\.)")
"""What stands before a model's name in that of a profile, which spreads requests over regions."""
_AMAZON = "amazon."
_FROM_US = "us."
_STRENGTH = 0.7
"""How far an edit moves away from its picture where the entry does not say it."""
_STATIC = ("accessKeyId", "secretAccessKey", "sessionToken")
_FILTERED = "content filters"
_QUOTA = "ServiceQuotaExceededException"

Sign = Callable[["HttpRequest"], Awaitable[Mapping[str, str]]]


class Bedrock(Offering):
    """`POST /model/ID/invoke` at the host of a region."""

    name = "bedrock"
    title = "Amazon Bedrock"
    watched_as = "aws.bedrock"
    hosts = ("bedrock-runtime.*.amazonaws.com", "bedrock-runtime-fips.*.amazonaws.com")
    settings = (
        Key(
            "region",
            "text",
            "The region of the cloud that is asked, such as us-west-2.",
            pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]{1,2}$",
        ),
        Key("accessKeyId", "text", "The id of an AWS access key.", secret=True),
        Key("secretAccessKey", "text", "The secret of an AWS access key.", secret=True),
        Key("sessionToken", "text", "The session token of an AWS key that expires.", secret=True),
        Key("profile", "text", "A profile of the AWS configuration files, in place of a key."),
        Key(
            "strength",
            "number",
            "How far an edit of Stable Diffusion may move away from its picture: 0 is not at all.",
            minimum=0,
            maximum=1,
        ),
    )
    environment: Mapping[str, tuple[str, ...]] = {
        "apiKey": ("AWS_BEARER_TOKEN_BEDROCK",),
        "accessKeyId": ("AWS_ACCESS_KEY_ID",),
        "secretAccessKey": ("AWS_SECRET_ACCESS_KEY",),
        "sessionToken": ("AWS_SESSION_TOKEN",),
        "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
        "profile": ("AWS_PROFILE",),
    }

    def model_name(self, label: str) -> str:
        """The name of the model, of the name or the ARN of a profile too."""
        return _PROFILE_OF.sub("", label.rpartition("/")[2])

    def supports(self, request: ImageRequest, model: ResolvedModel) -> Iterator[Problem]:
        """What the file says of the model, how edits differ, and how models of edits are called."""
        yield from super().supports(request, model)
        known = self.model(model.label) if model.label else None
        if known is None or known.edits is None:
            return
        if is_edit(request) and request.size is not None and known.sizes is not None:
            message = f"an edit of {show(model.label)} is as large as its picture: `size` is not sent"
            yield Problem("dropped-parameter", message, "size", "remove it", fixes=drop("size"))
        if request.mask is not None and known.edits.mask_below_bytes is not None:
            from flowdsl_steps.image.white_mask import mask_problem

            problem = mask_problem(request.mask)
            yield from () if problem is None else (problem,)
        if model.own and known.edits.only and model.label == known.name and model.origin in ("step", "service"):
            name = f"{_FROM_US}{known.name}"
            key, fixes = ("model", use("model", name)) if model.origin == "step" else (None, ())
            message = f"`{known.name}` may be refused: AWS gives it by an inference profile"
            yield Problem("unverified-option", message, key, f"write `model: {name}`", fixes=fixes)

    def endpoint(self, service: Service, request: ImageRequest) -> Endpoint:
        """The model at the host of the region, with a bearer key, or signed.

        Raises:
            ConfigError: no region, no model, half a key, or botocore is missing.
        """
        given = service.endpoint
        parts = split_endpoint(service, given or f"https://{_HOST.format(region=_region(service))}")
        model, extra = self.named(request, service), extra_headers(service)
        path = f"{parts.path.rstrip('/')}/model/{quote(model, safe='')}/invoke"
        url = urlunsplit(parts._replace(path=path, fragment=""))
        hint = f"check `model` and `region`: {model} is not in every region, and the account must have access to it"
        strength = service.get("strength")
        said = {} if strength is None else {"strength": strength}
        endpoint = Endpoint(service.name, url, extra, model, None, not_found_hint=hint, body=said)
        setting = _key_setting(service)
        if setting in ("apiKey", "authKey"):
            key = str(service.get(setting))
            return endpoint._replace(
                headers={"Authorization": f"Bearer {key}", **extra},
                key_source=key_source(service, setting, self.environment["apiKey"][0]),
                secrets=secrets_in(key, extra),
            )
        need_extra(service, "botocore", "bedrock", "to sign its requests")
        region = _region(service, parts.hostname)
        if setting is None:
            whose = (
                "the login of the AWS command line" if not service.get("profile") else "the login of the AWS profile"
            )
            refuse_stray_login(service, self, url, whose)
            source = f"it is {whose}"
        else:
            source = key_source(service, setting, self.environment[setting][0])
        static = _static(service) if setting is not None else None
        shown = tuple(text for name in _STATIC for text in secrets_in(service.get(name), {}))
        return endpoint._replace(
            key_source=source,
            secrets=(*shown, *secrets_in("", extra)),
            sign=_signer(service, static, region),
        )

    def encode(self, request: ImageRequest, endpoint: Endpoint) -> HttpRequest:
        """A JSON body in the words of the model's maker."""
        from flowdsl_steps.http.request import HttpRequest

        is_amazon = self.model_name(endpoint.label).startswith(_AMAZON)
        body = _amazon_body(request) if is_amazon else self._stability_body(request, endpoint)
        content = json.dumps(body, ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return HttpRequest("POST", endpoint.url, headers, content)

    def _stability_body(self, request: ImageRequest, endpoint: Endpoint) -> dict[str, Any]:
        body: dict[str, Any] = {"prompt": request.prompt}
        model = self.model(endpoint.label)
        if not request.images:
            body |= model.words.get(request.size or "", {})
        elif model.edits is not None and not model.edits.only:
            body |= {"mode": "image-to-image", "strength": _STRENGTH, **endpoint.body}
        for image in request.images:
            body["image"] = image.b64_json
        if request.mask is not None:
            import pybase64

            from flowdsl_steps.image.white_mask import white_mask

            body["mask"] = pybase64.b64encode(white_mask(request.mask)).decode("ascii")
        if request.output_format is not None:
            body["output_format"] = request.output_format.upper()
        if request.seed is not None:
            body["seed"] = request.seed
        return body

    def decode(self, head: Head, store: ImageStore, limit: int) -> ResponseReader:
        """JSON with a list of pictures."""
        from flowdsl_steps.image.response import JsonResponse

        return JsonResponse(store, limit, _received, keys=("images",))

    def failure(self, head: Head, body: bytes | Mapping[str, Any]) -> Failure | None:
        """A response without a picture, which says why; else the name of the exception from its header."""
        if isinstance(body, Mapping) and head.status < 300:
            return _refusal(body)
        found = super().failure(head, body)
        name = head.headers.get("x-amzn-errortype", "").partition(":")[0]
        if not name:
            return found
        message = found.message if found is not None else name
        if _FILTERED in message:
            return Failure(message, name, kind="moderation", details={"stage": "input"})
        return Failure(message, name, kind="quota" if name == _QUOTA else None)


def _region(service: Service, host: str | None = None) -> str:
    """The region of the entry, else that in the name of a host."""
    region = service.get("region")
    in_host = _IN_HOST.fullmatch(host or "")
    if not region and in_host is not None:
        return in_host[1]
    if not region:
        raise missing(service, "region", "AWS_REGION")
    if not _REGION.fullmatch(str(region)):
        raise ConfigError(
            f"the `region` of the service {service.name} is {show(region)}, which is none of AWS",
            code="invalid-endpoint",
            hint="write it as AWS does, such as `region: us-west-2`",
        )
    return str(region)


def _key_setting(service: Service) -> str | None:
    """The setting that lets requests in: what the entry names comes before what the environment has; None where the
    machine's own login does."""
    given = [name for name in ("apiKey", "authKey", "accessKeyId", "profile") if service.get(name)]
    named = [name for name in given if not service.origins.get(name, "").startswith("environment")]
    chosen = next(iter(named or given), None)
    return None if chosen == "profile" else chosen


def _static(service: Service) -> tuple[str, str, str | None]:
    """The key of the entry. A session token of another origin belongs to another key."""
    if not service.get("secretAccessKey"):
        raise missing(service, "secretAccessKey", "AWS_SECRET_ACCESS_KEY")
    origins = [service.origins.get(name, "").startswith("environment") for name in ("accessKeyId", "sessionToken")]
    token = service.get("sessionToken") if origins[0] == origins[1] else None
    return str(service.get("accessKeyId")), str(service.get("secretAccessKey")), None if token is None else str(token)


def _signer(service: Service, static: tuple[str, str, str | None] | None, region: str) -> Sign:
    """What makes the headers of a signature, by the key, or by what botocore finds on this machine."""
    found: list[Any] = []

    def signed(http: HttpRequest) -> Mapping[str, str]:
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest
        from botocore.exceptions import BotoCoreError, ClientError

        if not found:
            found.append(_credentials(service, static))
        try:
            key = found[0].get_frozen_credentials()
        except (BotoCoreError, ClientError) as error:  # a login that has ended, or that only a service gives
            raise _no_login(service, error) from None
        kept = {name: http.headers[name] for name in ("Content-Type", "Accept") if name in http.headers}
        request = AWSRequest(method=http.method, url=http.url, data=http.content, headers=kept)
        SigV4Auth(key, "bedrock", region).add_auth(request)
        names = ("Authorization", "X-Amz-Date", "X-Amz-Security-Token")
        return {name: request.headers[name] for name in names if name in request.headers}

    async def sign(http: HttpRequest) -> Mapping[str, str]:
        import asyncio

        return await asyncio.to_thread(signed, http)  # it may ask the network for a key

    return sign


def _credentials(service: Service, static: tuple[str, str, str | None] | None) -> Any:
    from botocore.credentials import Credentials
    from botocore.exceptions import BotoCoreError, ClientError
    from botocore.session import Session

    if static is not None:
        return Credentials(*static)
    try:
        found = Session(profile=service.get("profile")).get_credentials()
    except (BotoCoreError, ClientError) as error:
        raise _no_login(service, error) from error
    if found is None:
        raise missing(service, "accessKeyId", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY")
    return found


def _no_login(service: Service, error: Exception) -> ConfigError:
    from flowdsl_steps.http.excerpt import harmless

    hint = "log in again, with `aws sso login` for example, or give the service a key"
    message = f"the service {service.name} has no login: {harmless(str(error), ())}"
    return ConfigError(message, code="service-not-configured", hint=hint)


def _amazon_body(request: ImageRequest) -> dict[str, Any]:
    """The body of Amazon's own models."""
    config: dict[str, Any] = {"numberOfImages": request.n}
    if (pair := parse_size(request.size or "")) is not None:
        config["width"], config["height"] = pair
    if request.quality is not None:
        config["quality"] = request.quality
    if request.seed is not None:
        config["seed"] = request.seed
    return {
        "taskType": "TEXT_IMAGE",
        "textToImageParams": {"text": request.prompt},
        "imageGenerationConfig": config,
    }


def _received(payload: dict[str, Any]) -> Received:
    """What a response holds whose pictures are still open writers.

    Raises:
        BrokenResponse: it holds none.
    """
    from flowdsl_steps.image.received import BrokenResponse, Received
    from flowdsl_steps.image.response import all_stored

    pictures = payload.pop("images", None) or []
    if not isinstance(pictures, list) or not pictures:
        raise BrokenResponse("vendor-error", "the response holds no picture", payload=payload)
    seeds = payload.get("seeds")
    return Received(all_stored(pictures), {"seeds": seeds} if isinstance(seeds, list) else {})


def _refusal(payload: Mapping[str, Any]) -> Failure | None:
    """Why a response has no picture."""
    reasons = payload.get("finish_reasons")
    reason = next((each for each in reasons if isinstance(each, str)), None) if isinstance(reasons, list) else None
    if reason is not None and reason.startswith("Filter reason:"):
        stage = "output" if "output" in reason else "input"
        return Failure(reason, "Filter reason", kind="moderation", details={"stage": stage})
    if reason is not None:
        return Failure(reason, "Inference error", retry_class="never", billed=True)
    error = payload.get("error")
    if isinstance(error, str) and _FILTERED in error:
        return Failure(error, "ContentFiltered", kind="moderation", details={"stage": "output"})
    return Failure(error) if isinstance(error, str) else None


VENDOR = Bedrock()
