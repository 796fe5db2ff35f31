"""What a journal, a budget, a pace, a store of pictures and a dispatcher of another kind are held by: classes of tests
to be subclassed. They need pytest.

Each says what its implementation has to tell it, how one is opened above all; `docs/hosts.md` has an example.
"""

import pytest

pytest.register_assert_rewrite(
    *(f"{__name__}.{each}" for each in ("budgets", "dispatchers", "journals", "paces", "stores"))
)

from flowdsl.testing.conformance.budgets import BudgetConformance, SharedBudgetConformance  # noqa: E402
from flowdsl.testing.conformance.dispatchers import DispatcherConformance  # noqa: E402
from flowdsl.testing.conformance.journals import JournalConformance  # noqa: E402
from flowdsl.testing.conformance.paces import PaceConformance  # noqa: E402
from flowdsl.testing.conformance.stores import PictureStoreConformance  # noqa: E402

__all__ = [
    "BudgetConformance",
    "DispatcherConformance",
    "JournalConformance",
    "PaceConformance",
    "PictureStoreConformance",
    "SharedBudgetConformance",
]
