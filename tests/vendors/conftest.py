"""What the tests of the vendors share with those of the image core."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "image"))
