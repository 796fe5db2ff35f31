"""The exceptions of flowdsl, for hosts.

FlowError
├── FlowSyntaxError / FlowCheckError   .diagnostics: every mistake of the file
├── PluginError                        a steps package that cannot be loaded
├── UsageError                         the host called us wrongly, or an extra is not installed
└── RunError                           .step .path .span .charge_possible .result
    ├── TemplateError                  a template that failed while it was rendered
    ├── ConfigError                    a resolved option that breaks a rule
    ├── StepError                      a step that could not do its work
    ├── LimitExceeded                  a limit of the environment; no TRY catches it
    └── ServiceError                   .service .status .code .retryable
        ├── ServiceTimeout             no response in time
        ├── ServiceUnavailable         no connection, a reset, or a failure of the server
        ├── ServiceRefused             the request is not accepted: key, model, parameter, quota
        ├── ServiceRateLimited         too many requests
        └── ContentRefused             moderation refused the prompt or the picture
"""

from __future__ import annotations

from collections.abc import Sequence

TYPE_CHECKING = False  # typing is slow to import
if TYPE_CHECKING:
    from typing import Any, Self

    from flowdsl.diagnostics import Diagnostic
    from flowdsl.source import Span


SERVICE_FACTS = ("service", "status", "vendor_code", "retryable", "charge_possible", "attempts", "request_id")
"""What is known of the failure of a service, beside its details."""


class FlowError(Exception):
    """Everything flowdsl raises on purpose."""

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values: its type and its message."""
        return {"type": type(self).__name__, "message": str(self)}


class FlowCheckError(FlowError):
    """A flow that has mistakes.

    `diagnostics` holds all of them, notes and warnings included; the text is the full report.
    """

    def __init__(self, diagnostics: Sequence[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__(self.diagnostics)

    def __str__(self) -> str:
        from flowdsl.diagnostics import render

        return "\n" + render(self.diagnostics)

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values: its type and all findings."""
        return {"type": type(self).__name__, "diagnostics": [finding.to_dict() for finding in self.diagnostics]}


class FlowSyntaxError(FlowCheckError):
    """A file that is not YAML, or not a flow at all."""


class PluginError(FlowError):
    """A steps package that cannot be found or loaded."""


class UsageError(FlowError):
    """A call that cannot work: a wrong argument, or an extra that is not installed."""


class RunError(FlowError):
    """A run that failed.

    The engine fills in `step` (its name), `path` (its place in the flow, `flow[2]`), `span`, and `result`: the `Result`
    of the run as far as it came, without outputs. `code` is a stable kebab-case word. `charge_possible`: a vendor may
    have done work, and billed it, that the run could not use.
    """

    code = "run-failed"
    charge_possible = False
    result: Any = None

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        if code is not None:
            self.code = code
        self.step: str | None = None
        self.path: str | None = None
        self.span: Span | None = None

    def __str__(self) -> str:
        return self.message

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values, as schemas/error.schema.json describes it: type, code, message, hint, place, and
        whether it may have cost something."""
        found: dict[str, Any] = {"type": type(self).__name__, "code": self.code}
        found |= {"message": self.message, "hint": self.hint}
        found |= {"step": self.step, "path": self.path, "charge_possible": self.charge_possible}
        if self.span is not None:
            line, col = self.span.first
            found |= {"file": self.span.path, "line": line, "col": col}
        return found


class TemplateError(RunError):
    """A template that failed while it was rendered.

    `start` and `end` are character offsets into the template's text, when known.
    """

    code = "template-failed"

    def __init__(
        self,
        message: str,
        *,
        code: str | None = None,
        hint: str | None = None,
        start: int | None = None,
        end: int | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.start = start
        self.end = end


class ConfigError(RunError):
    """An option that breaks a rule once its template is resolved. `setting` is the one of the service entry that is to
    blame, where it is one."""

    code = "invalid-option"
    setting: str | None = None

    def about(self, setting: str) -> Self:
        """The same, which names the setting that is to blame."""
        self.setting = setting
        return self


class StepError(RunError):
    """A step that could not do its work."""

    code = "step-failed"


class LimitExceeded(RunError):
    """A limit of the environment: time, steps, size. No TRY catches it.

    `free_in_s`: after so many seconds a limit of the day is free again; infinite where that would not be enough, and
    None for every other limit."""

    code = "limit-exceeded"
    free_in_s: float | None = None


class ServiceError(RunError):
    """A service that did not deliver.

    `service` is the entry's name, `status` the HTTP status, `vendor_code` the vendor's own code.
    `retryable`: asking again later may work. `charge_possible`: the vendor may have done, and billed, the work.
    `attempts` is the number of requests sent. `details` holds what the vendor said beyond that.
    """

    code = "service-failed"

    def __init__(
        self,
        message: str,
        *,
        service: str | None = None,
        status: int | None = None,
        vendor_code: str | None = None,
        code: str | None = None,
        hint: str | None = None,
        retryable: bool = False,
        charge_possible: bool = False,
        attempts: int = 0,
        request_id: str | None = None,
        details: dict[str, object] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.service = service
        self.status = status
        self.vendor_code = vendor_code
        self.retryable = retryable
        self.charge_possible = charge_possible
        self.attempts = attempts
        self.request_id = request_id
        self.details = details or {}

    def to_dict(self) -> dict[str, Any]:
        """The error as JSON values, with what is known of the service's failure; `details` are for the program alone:
        an address in them may hold a login."""
        return super().to_dict() | {name: getattr(self, name) for name in SERVICE_FACTS}


class ServiceTimeout(ServiceError):
    """No response in time."""

    code = "service-timeout"


class ServiceUnavailable(ServiceError):
    """No connection, a broken one, or a failure of the server."""

    code = "service-unavailable"


class ServiceRefused(ServiceError):
    """The service does not accept the request: key, model, parameter, quota."""

    code = "service-refused"


class ServiceRateLimited(ServiceError):
    """Too many requests."""

    code = "service-rate-limited"


class ContentRefused(ServiceError):
    """Moderation refused the prompt or the picture."""

    code = "content-refused"


def text_of(error: BaseException) -> str:
    """The text of an exception, which its own code makes, and may fail to make."""
    try:
        return str(error) or "it has no text"
    except Exception:  # noqa: BLE001  its own code
        return "it has no text"


def in_words(error: BaseException) -> str:
    """The type of an exception and its text."""
    return f"{type(error).__name__}: {text_of(error)}"
