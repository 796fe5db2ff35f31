"""Pictures: handles over stored bytes, the folder that stores them, and what their first bytes say.

Begin at `store`.
"""
