"""What values can be: types, and the types of template expressions.

In: a template at its place, or a JSON Schema. Out: a `Type`, and findings about operands that cannot fit. Begin at
`kinds`, then `inference`; `results` has the tables of filters and methods. Nothing here raises.
"""
