"""A run that is not begun: what its templates can read is there, nothing is sent and nothing is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from flowdsl.engine.execute import names_of
from flowdsl.engine.frame import Frame
from flowdsl.engine.pictures import Pictures
from flowdsl.engine.resources import Resources
from flowdsl.engine.secrets import Secrets
from flowdsl.engine.state import Run, new_run_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date

    from flowdsl.engine.program import Program
    from flowdsl.host import Host, Storage
    from flowdsl.limits import Limits
    from flowdsl.services import ServiceLayers


class NotGiven:
    """Stands for the value of an input that nobody has given yet."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "NOT_GIVEN"


NOT_GIVEN: Final = NotGiven()
PLACEHOLDER: Final = "secret-of-a-rehearsal"
"""What `secret('NAME')` gives in a rehearsal."""


def rehearsed(
    program: Program,
    inputs: Mapping[str, Any],
    open_inputs: Iterable[str],
    *,
    host: Host,
    storage: Storage,
    layers: ServiceLayers,
    limits: Limits,
    as_of: date | None,
) -> Frame:
    """The frame that a run with these inputs begins with; of `open_inputs` nobody knows the values yet. Secrets are
    placeholders: no real one is read."""
    secrets = Secrets(lambda name: PLACEHOLDER, watching=False)
    given = dict(inputs)
    names = names_of(given, host, layers, secrets)
    names["inputs"] = {**given, **dict.fromkeys(open_inputs, NOT_GIVEN)}
    run = Run(
        program,
        id=new_run_id(),
        host=host,
        names=names,
        secrets=secrets,
        layers=layers,
        limits=limits,
        store=Pictures(storage.images, None, "", program.document, secrets).store,
        resources=Resources(),
        as_of=as_of,
        output=storage.output,
    )
    return Frame(run, dict(given))
