"""Where the examples run: simulators for OpenAI and Azure, and folders of their own."""

from __future__ import annotations

from datetime import date
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image as Picture

import flowdsl
from flowdsl.cli.simulated import overrides, placeholder_secret
from flowdsl_steps.image.simulator import Simulator

EXAMPLES = Path(__file__).parents[2] / "examples"


class Studio:
    """Two simulators, for OpenAI and for Azure, and an environment whose requests go there."""

    def __init__(self, openai: Simulator, azure: Simulator, folder: Path) -> None:
        self.openai = openai
        self.azure = azure
        self.folder = folder
        self.emitted: list[tuple[str, Any]] = []
        self.environment = flowdsl.Environment(
            overrides={
                "openai": overrides(openai.url, openai.key)["openai"],
                "azure": overrides(azure.url, azure.key)["azure"],
            },
            limits=flowdsl.Limits(private_addresses=True),
            as_of=date(2026, 11, 21),
            host=flowdsl.Host(
                secrets=placeholder_secret, sink=lambda name, payload: self.emitted.append((name, payload))
            ),
            storage=flowdsl.Storage(images=folder / "images", output=folder / "files"),
        )

    def run(
        self, name: str, inputs: dict[str, Any] | None = None, action: str | None = None, **how: Any
    ) -> flowdsl.Result:
        """Runs an example."""
        return self.environment.run(EXAMPLES / name, inputs, action=action, **how)

    def saved(self) -> list[str]:
        """The files of the output folder."""
        root = self.folder / "files"
        return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def png(colour: str) -> bytes:
    """A small picture of one colour."""
    out = BytesIO()
    Picture.new("RGB", (40, 30), colour).save(out, "PNG")
    return out.getvalue()
