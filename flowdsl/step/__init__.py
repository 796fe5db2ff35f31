"""What a step is: its class, its keys and the rules between them, as data that checking, docs and schemas read.

In: step classes, or the index a plugin ships. Out: a `StepSpec` for each name. Begin at `step`, then `spec`.
"""
