"""Flows as data: nodes of any dialect are said in this language, and built into documents.

In: a `Source`. `dialects.lowered` reads it and gives nodes of this language; `build.build` makes a `FlowFile` of those,
with every mistake of form. Out: frozen documents, for the checker and the compiler. Begin at `document`.
"""
