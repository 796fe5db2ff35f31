"""Standard input where it is not that of a flow: of a gateway, or of a server whose client speaks over it."""

from __future__ import annotations

from flowdsl.errors import ConfigError


def not_ours(step: str) -> ConfigError:
    """The error of a step that would read it."""
    return ConfigError(
        f"{step} would read the standard input of the server that runs it, which is not for flows",
        code="no-standard-input",
        hint="write `input: {file: {paths: [messages.txt]}}`, with a file of the folder that the server is "
        "started in, or leave the flow out of those that are served",
    )
