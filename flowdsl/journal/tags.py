"""The tags by which a gateway finds a run again: its own notes, which say nothing of who paid."""

from __future__ import annotations

from typing import Final

FLOW_TAG: Final = "gateway-flow"
"""The flow of a run that a client began."""
REQUEST_TAG: Final = "gateway-request"
"""A digest of the request that an idempotency key was used for."""
TARGET_TAG: Final = "gateway-service"
"""The service and the model that were asked, as JSON."""
