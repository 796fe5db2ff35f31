"""What `flowdsl run` prints of a run that has ended: its outputs as JSON, or a summary for people."""

from __future__ import annotations

from argparse import Namespace
from typing import TYPE_CHECKING

from flowdsl.cli.summary import summary
from flowdsl.document.dialects import summary as of_dialect

if TYPE_CHECKING:
    from flowdsl.engine.result import Result
    from flowdsl.source import Source


def print_result(result: Result, options: Namespace, source: Source, inner: set[str], lost: list[str] | None) -> None:
    """Prints a result as the options say; the outputs whose names are `inner` stand in no summary."""
    if options.json:
        import json

        print(json.dumps(result.to_json(), indent=2, ensure_ascii=False))
    elif options.events:
        from flowdsl.cli.event_lines import print_result as print_event

        print_event(result, simulated=options.simulate)
    else:
        lines = of_dialect(source, result.to_json())
        print(summary(result, simulated=options.simulate, inner=inner, lost=lost, said=lines))
