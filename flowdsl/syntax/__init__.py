"""Text to nodes: YAML with the exact place of everything, read in one pass that goes on after a mistake.

In: a `Source`. Out: `Node`s and the findings of syntax. Begin at `yaml_reader`, then `composer`. The way back is
`lossless`, for whoever writes files; `edits` and `fixes` are what findings offer to change in one.
"""
