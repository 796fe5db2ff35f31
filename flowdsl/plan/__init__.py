"""What a run will cost, said before it: how many paid requests at least and at most, of whom, for how much.

In comes a checked flow and the inputs that are known; out goes a `Plan`. Begin at `walk`: it follows every way through
the document by the shapes of its steps, `buying` asks the class of each step what it buys, `amount` adds up what is
known and what is not, `shown` prints it.
"""

from __future__ import annotations

from flowdsl.plan.plan import Plan, planned

__all__ = ["Plan", "planned"]
