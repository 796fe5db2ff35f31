"""Secrets in plain text: where a file holds keys that nobody should have written there.

In: the text of a file. Out: the places that no finding shows. The secrets of a run are another matter:
`engine/secrets.py` and `template/taint.py`. Begin at `plain`.
"""
