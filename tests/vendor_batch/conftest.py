from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl_steps.image import catalogue
from flowdsl_steps.image.catalogue import SHIPPED, use_catalogue


@pytest.fixture(autouse=True)
def shipped_catalogue() -> Iterator[None]:
    """The facts that come along: those that tests stand on elsewhere are older than discounts of batches."""
    before = catalogue._in_force
    use_catalogue(SHIPPED)
    yield
    use_catalogue(before)
