"""`flowdsl plan --over FILE`: what a batch over the records of a file pays for, the sum over all of them."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowdsl.cli.batch_inputs import RecordInputs, declared_types
from flowdsl.cli.record_files import check_is_there, read_records
from flowdsl.errors import ConfigError, UsageError
from flowdsl.secrets.plain import without_keys

if TYPE_CHECKING:
    from flowdsl.environment.flow import Flow
    from flowdsl.plan import Plan

EACH = 1000
"""So many records are planned one by one; each of the others counts as whatever a record may ask for."""


def planned_over(flow: Flow, given: Mapping[str, Any], options: Namespace) -> Plan:
    """The sum of the plans of all records of a file; one in memory at a time.

    Raises:
        UsageError: the file cannot be read, holds no records, or lacks what the flow needs.
    """
    from flowdsl.plan.together import nothing, together

    mapped = dict(options.map)
    inputs = RecordInputs(flow, given, mapped)
    types = declared_types(flow, {field: name for name, field in mapped.items()})
    check_is_there(options.over)
    whole, number, own = nothing(flow.document.title), 0, set[str]()
    failing, first = 0, ""
    for read in read_records(options.over, types):
        if not number and not failing:
            inputs.check_fields(read.fields, options.over, warn=True)
        if read.problem is None and number >= EACH:
            own.update(inputs.own_names(read.fields))
            number += 1
            continue
        try:
            if read.problem is not None:
                raise ConfigError(read.problem)
            whole = together(whole, flow.plan(inputs.of_run(read.fields)))
        except ConfigError as error:  # of inputs that do not fit
            failing += 1
            place = f"line {read.line}: " if read.problem is None else ""  # which names it itself
            first = first or without_keys(f"{place}{error.message}")
        else:
            number += 1
    if not number and not failing:
        raise UsageError(f"{options.over} holds no records")
    if (rest := number - EACH) > 0:
        why = f"from the record {EACH + 1:,} on, each counts as the dearest and the cheapest that it could ask for"
        whole = together(whole, flow.plan(given, own), rest)._replace(requests=())
        whole = whole._replace(reasons={**whole.reasons, why: (options.over,)})
    if failing:
        why = f"no run, and no cost: {first}{f', and {failing - 1:,} more' if failing > 1 else ''}"
        whole = whole._replace(reasons={**whole.reasons, why: (options.over,)})
    return whole._replace(records=number)
