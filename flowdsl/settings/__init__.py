"""Settings of a project and of its user: the files they stand in, and what each of them may decide.

In: the folder of a flow, and what the host said. Out: `ServiceLayers`, and the limits that the project lowers. The tree
that is run may say how requests are made, and can lower limits; it raises none, and no key that it did not name goes to
an address because of it. Begin at `layers`.
"""
