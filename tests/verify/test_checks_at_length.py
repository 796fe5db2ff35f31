"""`check` reports and never raises, with more texts than in the daily tests, the same ones each time."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

sys.path.append(str(Path(__file__).parents[1] / "core"))

from test_check_never_raises import TEXTS, check_a_change, checked

COUNT = 2000


@settings(max_examples=COUNT, deadline=None)
@given(TEXTS)
def test_any_text_is_checked(text: str) -> None:
    checked(text)


@settings(max_examples=COUNT, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_any_change_of_a_flow_is_checked(data: st.DataObject) -> None:
    check_a_change(data)
