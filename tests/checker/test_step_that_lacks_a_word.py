"""A step whose name lacks one word is the one with that word, not another one that differs in a word."""

from __future__ import annotations

import flowdsl


def test_a_name_that_lacks_one_word_means_the_one_that_has_it() -> None:
    (found,) = flowdsl.check("- step: AZURE_IMAGE_GENERATION\n  instruction: a cup\n")
    assert found.code == "unknown-step"
    assert found.hint == "did you mean `AZURE_OPENAI_IMAGE_GENERATION`?"
