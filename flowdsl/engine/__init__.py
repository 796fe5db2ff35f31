"""Running: a document to a program, and a program to a result.

In: a `Document` and what the host gives. Out: a `Result`, and events while it runs. `compile` makes the `program`,
`execute` runs it, `bound_step` is what one ordinary step does.
"""
