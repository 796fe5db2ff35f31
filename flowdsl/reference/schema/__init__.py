"""JSON Schemas (draft 2020-12): one for each kind of file, for editors, one for the
options of each step, and those of events, results and errors."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from flowdsl.reference.schema.event_schema import error_schema, event_schema, result_schema
from flowdsl.reference.schema.file_schema import flow_schema, kit_schema, module_schema
from flowdsl.reference.schema.flow_test_schema import flow_test_schema
from flowdsl.reference.schema.step_schema import DIALECT, MARK, step_schema
from flowdsl.step.spec import StepSpec

__all__ = [
    "MARK",
    "error_schema",
    "event_schema",
    "flow_schema",
    "flow_test_schema",
    "kit_schema",
    "module_schema",
    "result_schema",
    "schema_files",
    "step_schema",
]


def schema_files(specs: Iterable[StepSpec], dialects: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Relative path → text of every schema file: `flow`, `module`, `ai-kit`, `test`, `events`, `result`, `error`, each
    of the `dialects` by its name, and `steps/NAME`, all with the ending `.schema.json`."""
    specs = list(specs)
    files = {
        "flow.schema.json": flow_schema(specs),
        "module.schema.json": module_schema(specs),
        "ai-kit.schema.json": kit_schema(specs),
        "test.schema.json": flow_test_schema(),
        "events.schema.json": event_schema(),
        "result.schema.json": result_schema(),
        "error.schema.json": error_schema(),
    }
    head = {"$schema": DIALECT, "$comment": f"{MARK}; do not edit."}
    files.update({f"{name}.schema.json": {**head, **schema} for name, schema in dialects.items()})
    files.update({f"steps/{spec.name}.schema.json": step_schema(spec) for spec in specs})
    return {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in files.items()}
