"""The keys of a document that are not those of a step: of a flow, a kit, a section, a module, and of their blocks."""

from __future__ import annotations

ROOT_KEYS = (
    "id", "title", "description", "flow", "inputs", "outputs", "services", "undefined", "onError", "imports", "blocks",
)  # fmt: skip
"""The keys of a flow that is a map, and of an action of a kit."""
KIT = "AI_KIT"
"""The only key of a kit, which holds `KIT_KEYS`."""
KIT_KEYS = ("SERVICES", "TEMPLATES", "BLOCKS", "SECTIONS")
MODULE_KEYS = ("blocks", "BLOCKS", "imports", "id", "title", "description")
BLOCK_KINDS = ("constants", "vars", "flows")
"""What `blocks` of any document hold."""
NAMESPACES = ("global", "section", "local", "imports")
"""Where templates and calls read blocks from."""
ERROR = "error"
"""The FlowContext key that holds the error for `onError`."""
