"""Every test of templates runs twice: with the first renderings of a template, and with its function."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from flowdsl.template import compiler, rendering


def forget() -> None:
    """Empties the caches, so that no template is rendered as in another module."""
    compiler.forget()
    rendering._renders.clear()
    rendering._evaluates.clear()


@pytest.fixture(scope="module", autouse=True, params=["first renderings", "function"])
def tier(request: pytest.FixtureRequest) -> Iterator[str]:
    """How templates are rendered in this module's tests."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "function":
            patch.setattr(compiler, "HOT", 0)
            patch.setattr(compiler, "HOT_PLAIN", 0)
        forget()
        yield request.param
    forget()
