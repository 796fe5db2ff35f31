"""A secret in what is no text: bytes, a UserString, a path, an object. It is hidden, or refused in words."""

from __future__ import annotations

import array
import json
import pickle
import sys
from collections import UserDict, UserString
from collections.abc import Callable
from decimal import Decimal
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

import flowdsl
from flowdsl import Environment, Host, UsageError
from flowdsl.template import holds_secret, mark

SECRET = "sesame-open-12345"
OTHER = "".join(chr(ord(each) ^ 1) for each in SECRET)
"""What nobody finds by searching for the secret."""
READS = "- {step: SET, k: \"{{ secret('K') }}\"}\n"


class Masked(str):
    """A text that shows itself as another."""

    __slots__ = ()

    def __str__(self) -> str:
        return "masked"


HOLDERS: dict[str, Callable[[str], Any]] = {
    "bytes": lambda text: text.encode(),
    "bytearray": lambda text: bytearray(text.encode()),
    "memoryview": lambda text: memoryview(text.encode()),
    "array of bytes": lambda text: array.array("B", text.encode()),
    "array of characters": lambda text: array.array("w" if sys.version_info >= (3, 13) else "u", text),
    "text of its own kind": UserString,
    "subclass of str": Masked,
    "path": PurePosixPath,
    "exception": ValueError,
    "list of one": lambda text: [UserString(text)],
    "key": lambda text: {PurePosixPath(text): 1},
    "map of its own kind": lambda text: UserDict({"a": UserString(text)}),
}


def shown(environment: Environment, flow: str) -> str:
    """All that a run with this flow shows."""
    said: list[str] = []
    try:
        result = environment.run(flow, on_event=lambda event: said.append(json.dumps(event.to_dict())))
    except flowdsl.RunError as error:
        said += [str(error), json.dumps(error.to_dict())]
        result = error.result
    if result is not None:
        said += [json.dumps(result.to_dict()), json.dumps(result.to_json()), str(pickle.dumps(result))]
    return "\n".join(said)


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize(
    "flow",
    [
        "- {step: EMIT_EVENT, name: x, payload: '{{ VALUE }}'}\n",
        "- {step: SET, a: '{{ VALUE }}'}\n",
        "- {step: SET, a: 'is {{ VALUE }}'}\n",
        "- {step: SLEEP, delay: '{{ VALUE }}'}\n",
        "- {step: FOR, items: '{{ [VALUE] }}', var: v, do: [{step: RAISE, message: no}]}\n",
        "- {step: RAISE, message: '{{ VALUE }}'}\n",
    ],
    ids=["event", "output", "text", "wrong option", "item that failed", "message"],
)
def test_a_secret_in_what_is_no_text_is_hidden(flow: str, holder: str) -> None:
    host = Host(secrets=lambda name: SECRET, objects={"held": HOLDERS[holder](SECRET)})
    assert SECRET not in shown(Environment(settings=None, host=host), READS + flow.replace("VALUE", "held"))


@pytest.mark.parametrize("holder", HOLDERS)
def test_what_a_function_makes_of_a_secret_is_one_whatever_holds_it(holder: str) -> None:
    def made(secret: str) -> Any:
        return HOLDERS[holder]("".join(chr(ord(each) ^ 1) for each in secret))

    host = Host(secrets=lambda name: SECRET, objects={"made": made})
    flow = f"{READS}- {{step: SET, a: \"{{{{ made(secret('K')) }}}}\"}}\n- {{step: DEBUG}}\n"
    said = shown(Environment(settings=None, host=host), flow)
    assert OTHER not in said
    assert SECRET not in said


def test_a_number_of_another_kind_that_is_made_of_a_secret_stays_a_number() -> None:
    marked = mark(Decimal("12345.5"))
    assert (marked + 1, holds_secret(marked)) == (12346.5, True)


def test_an_object_in_which_a_secret_stands_is_pickled_without_it() -> None:
    host = Host(secrets=lambda name: SECRET, objects={"o": SimpleNamespace(key=SECRET), "p": SimpleNamespace(key=1)})
    result = Environment(settings=None, host=host).run(READS + "- {step: SET, a: '{{ o }}', b: '{{ p }}'}\n")
    assert SECRET.encode() not in pickle.dumps(result)
    restored = pickle.loads(pickle.dumps(result))
    assert (restored.outputs["a"], restored.outputs["b"].key) == ("<SimpleNamespace>", 1)


@pytest.mark.parametrize("holder", sorted(HOLDERS.keys() - {"subclass of str"}))
def test_what_is_no_text_is_refused_as_a_secret_and_not_shown(holder: str) -> None:
    value = HOLDERS[holder](SECRET)
    with pytest.raises(flowdsl.TemplateError, match="the secret `K` is no text") as raised:
        Environment(settings=None, host=Host(secrets=lambda name: value)).run(READS)
    assert SECRET not in str(raised.value)
    with pytest.raises(UsageError, match="environ takes a dict of texts: `KEY` is") as refused:
        Environment(environ={"KEY": value})
    assert SECRET not in str(refused.value)
    with pytest.raises(UsageError, match="`apiKey` takes a text") as unfit:
        Environment(services={"OPENAI_IMAGE_GENERATION": {"apiKey": value}})
    assert SECRET not in str(unfit.value)


def test_a_text_that_shows_itself_as_another_is_the_secret_that_it_is() -> None:
    host = Host(secrets=lambda name: Masked(SECRET))
    result = Environment(settings=None, host=host).run(READS)
    assert (str(result.context["k"]), result.to_json()["k"]) == (SECRET, "***")


@pytest.mark.parametrize("secret", ["q7", "q7z", "q"])
def test_a_short_text_that_is_made_of_a_short_secret_is_hidden_where_it_stands_alone(secret: str) -> None:
    sunk: list[Any] = []
    host = Host(secrets=lambda name: secret, sink=lambda name, payload: sunk.append((name, payload)))
    flow = "- {step: EMIT_EVENT, name: \"n{{ secret('K') }}\"}\n- {step: RAISE, message: \"l{{ secret('K') }}\"}\n"
    with pytest.raises(flowdsl.StepError, match=r"^\*\*\*$"):
        Environment(settings=None, host=host).run(flow)
    assert sunk == [("***", None)]
