"""A TRY whose `when` is false catches nothing: what its block sets is set behind it, and no error is dropped."""

from flowdsl import Environment, Source

TEXT = """\
- step: TRY
  try:
    - step: OPENAI_IMAGE_GENERATION
      model: gpt-image-2
      instruction: A harbour
  retry: {max: 1, delayMs: 1}
  when: WHEN
- step: SET
  first: "{{ flowContext.imageList[0] }}"
"""


def codes(when):
    return {found.code for found in Environment().check(Source(TEXT.replace("WHEN", when), "a.flow.yaml"))}


def test_try_that_catches_nothing_drops_no_error_and_leaves_nothing_unset():
    assert not codes("false") & {"dropped-error", "maybe-undefined"}


def test_try_that_catches_by_a_condition_does():
    assert codes("\"{{ flowContext.error.code == 'x' }}\"") >= {"dropped-error", "maybe-undefined"}
