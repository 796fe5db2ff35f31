"""Which item of which loop failed: found out while an error leaves the blocks it came from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.errors import UsageError
from flowdsl.template.json_values import to_json

if TYPE_CHECKING:
    from flowdsl.document.document import StepNode
    from flowdsl.engine.program import CompiledStep
    from flowdsl.engine.secrets import Secrets

_LONGEST = 100


class Around:
    """The iterations around what failed, the innermost first.

    `leave` is called wherever an error leaves a list of steps. It does not know there which step repeats the list; the
    next call has that step.
    """

    __slots__ = ("_left", "_settled", "iterations")

    def __init__(self) -> None:
        self.iterations: list[dict[str, Any]] = []
        self._settled = False
        self._left: tuple[int, Mapping[str, Any]] | None = None

    def leave(
        self, step: CompiledStep | None, iteration: int | None, context: Mapping[str, Any], secrets: Secrets
    ) -> None:
        """The error came by this step (None: from between two), in an iteration of the list it stands in."""
        if self._settled:
            return
        if self._left is not None and step is not None and step.items is not None:
            number, inside = self._left
            self._add(step.name, step.path, number, step.items, inside, secrets)
        self._left = None if iteration is None else (iteration, context)

    def foresee(self, loop: StepNode, iteration: int | None, context: Mapping[str, Any], secrets: Secrets) -> None:
        """The error will come in this iteration of a loop, and was found before."""
        item = loop.item()
        self._add(loop.spec.name, loop.path, iteration, () if item is None else (item[0],), context, secrets)

    def settle(self) -> None:
        """What is around is known: where the error is raised says nothing of it."""
        self._settled = True

    def _add(
        self,
        name: str,
        path: str,
        iteration: int | None,
        items: tuple[str, ...],
        context: Mapping[str, Any],
        secrets: Secrets,
    ) -> None:
        values = {name: _short(context[name], secrets) for name in items if name in context}
        self.iterations.append({"step": name, "path": path, "iteration": iteration, "values": values})

    def failed(self, step: str | None, path: str | None) -> dict[str, Any]:
        """What failed as JSON values: the step, the iteration and the values of the loop around it, and of those
        around that one."""
        inner, *outer = self.iterations or [{"iteration": None, "values": {}}]
        place = {"step": step, "path": path, "iteration": inner["iteration"], "values": inner["values"]}
        if self.iterations:
            place["loop"] = {"step": inner["step"], "path": inner["path"]}
        return {**place, "around": outer}


def around(error: BaseException, otherwise: Around | None = None) -> Around:
    """The iterations around an error, which carries them."""
    found: Around | None = getattr(error, "around", None)
    if found is None:
        found = error.around = otherwise or Around()  # type: ignore[attr-defined]  # also of an exception of Python's
    return found


def _short(value: Any, secrets: Secrets) -> Any:
    """A value as JSON values without secrets; what is long becomes a text that is cut."""
    secrets.notice(value)
    try:
        shown = secrets.hide_in(to_json(value))
    except UsageError:  # it holds itself, or is nested too deep
        shown = "…"
    if shown is None or isinstance(shown, (bool, int, float)):
        return shown
    if not isinstance(shown, str):
        import json

        text = json.dumps(shown, ensure_ascii=False)
        return shown if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
    return shown if len(shown) <= _LONGEST else f"{shown[: _LONGEST - 1]}…"
