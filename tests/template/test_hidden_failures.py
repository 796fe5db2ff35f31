"""What a failure of a function shows of a secret that it was given: nothing, and that costs no more than its length."""

from __future__ import annotations

from time import process_time

from hypothesis import example, given
from hypothesis import strategies as st

from flowdsl.errors import TemplateError
from flowdsl.template.taint import SecretText, hide_in_failure

GIVEN_UP = "this fails on a secret, which is not shown"


def hidden_one_by_one(said: str | None, secrets: list[str], given_up: str | None) -> str | None:
    """The same, piece by piece of each secret."""
    for secret in sorted({*filter(None, secrets)}, key=lambda each: (-len(each), each)):
        if said is None:
            return None
        said = said.replace(secret, "***") if len(secret) >= 4 else said
        if any(secret[at : at + 4] in said for at in range(max(1, len(secret) - 3))):
            return given_up
    return said


few = st.text(alphabet="AB*", max_size=12)


@example("AAAAAAAAAAAA", None, ["AAAAAAAAAAAB", "AAAAAAAAAAAA"])
@given(message=st.text(alphabet="AB* ", max_size=40), hint=st.none() | few, secrets=st.lists(few, max_size=4))
def test_what_a_failure_shows_is_what_no_piece_of_a_secret_stands_in(
    message: str, hint: str | None, secrets: list[str]
) -> None:
    error = TemplateError(message, hint=hint)
    hide_in_failure(error, tuple(map(SecretText, secrets)))
    assert error.message == hidden_one_by_one(message, secrets, GIVEN_UP)
    assert error.hint == hidden_one_by_one(hint, secrets, None)


def test_a_long_secret_is_hidden_in_a_long_message_in_little_time() -> None:
    secret = "".join(f"{number:05}-" for number in range(20_000))
    error = TemplateError("no such file: " + "z" * 200_000)
    began = process_time()
    hide_in_failure(error, (SecretText(secret),))
    assert process_time() - began < 1
    assert error.message.startswith("no such file: zz")
