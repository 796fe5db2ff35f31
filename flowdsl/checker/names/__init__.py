"""What names in templates mean at a point of a flow, and what is wrong with reading them there.

In: a template and a `State`. Out: its `Type`, and findings. Begin at `name_resolution.Names`; `block_references` knows
constants, vars and flows, `undefined` says what was meant, `template_use` is what those see who walk a template.
Nothing here raises.
"""
