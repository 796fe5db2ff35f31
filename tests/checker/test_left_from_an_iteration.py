"""A key that an earlier iteration of a loop set is still there in a later one: the hint says so."""

from __future__ import annotations

import flowdsl

FLOW = """\
flow:
  - step: FOR
    var: name
    items: [teapot, cup]
    do:
      - step: TRY
        try:
          - {step: OPENAI_IMAGE_GENERATION, model: gpt-image-2, instruction: "a {{ flowContext.name }}"}
        catch:
          - {step: SET, text: x}
    collect: "{{ flowContext.imageList[0] }}"
    collectKey: shots
outputs:
  last: "{{ flowContext.imageList }}"
"""


def test_a_read_that_only_the_first_iteration_finds_unset_is_not_to_get_a_default_alone() -> None:
    inside, behind = (found for found in flowdsl.check(FLOW) if found.code == "maybe-undefined")
    assert inside.hint is not None and behind.hint is not None
    assert inside.hint.startswith(
        "later iterations read what an earlier one set: set it in a SET step at the beginning of each iteration, or "
        "end the iteration with CONTINUE where the key is not set; where that is wanted, write "
    )
    assert inside.fixes == ()
    assert behind.hint.startswith("set it on every path, or write ")
