"""A gateway that several tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from gateways import Running, running_gateway


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A gateway without settings."""
    with running_gateway(tmp_path_factory.mktemp("gateway")) as found:
        yield found
