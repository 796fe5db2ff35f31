"""The status that a run which failed has for whoever asked for it, by the code of its error.

What inputs cause is the client's, 4xx: sent again as it is, it would fail again. What the flow does itself, and what
only whoever runs the gateway can mend, is not. Failures of services are told apart by more than their code: see
`refusal`.
"""

from __future__ import annotations

from collections.abc import Mapping

from flowdsl.codes import FINDINGS

_BY_STATUS: Mapping[int, str] = {
    400: """
        invalid-input invalid-option file-by-value invalid-url private-address redirect-refused not-json schema-misfit
        not-base64 not-an-image image-unreadable template-limit too-many-steps too-many-iterations context-too-large
        call-depth""",
    409: "run-goes-on request-held",
    413: "image-too-large too-large",
    429: "budget-spent too-many-requests limit-exceeded",
    500: """
        template-syntax unknown-filter unknown-test undefined-variable undefined-block invalid-schema invalid-default
        not-supported bloblang-syntax template-failed query-failed no-record records-failed input-unreadable
        picture-gone not-recorded file-exists output-unwritable image-unwritable step-failed step-crashed
        listener-failed plugin-failed run-failed""",
    502: "response-too-large images-missing",
    503: """
        unknown-service missing-extra unknown-price service-not-configured unknown-provider secret-not-set
        transport-failed invalid-key key-not-sent invalid-endpoint invalid-certificate journal-unwritable journal-full
        journal-damaged journal-busy journal-newer journal-closed""",
    504: "deadline",
}
STATUS: Mapping[str, int] = {
    **dict.fromkeys((code.name for code in FINDINGS), 400),  # it came with a value: the flow itself was checked
    **{code: status for status, codes in _BY_STATUS.items() for code in codes.split()},
}
"""Code → status."""
_SERVICES = """
    service-refused quota-exceeded content-refused service-rate-limited service-unavailable service-timeout
    service-failed empty-response broken-response image-not-fetched request-too-large batch-in-doubt batch-refused
    batch-not-done not-in-batch-results"""
OF_SERVICES = frozenset(_SERVICES.split())
"""Codes of services alone."""
_UPSTREAM = 502
_FAILED = 500


def status_of(code: str, *, charge_possible: bool = False) -> int:
    """The status of a code, also of one of somebody else's step. With `charge_possible` a service has made what the
    error is about, and not the client."""
    status = STATUS.get(code, _FAILED)
    return _UPSTREAM if charge_possible and status in (400, 413) else status
