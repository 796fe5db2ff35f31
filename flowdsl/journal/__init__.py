"""What a run paid for and what came of it, on disk: so that nothing paid is lost, and nothing is bought twice.

In: effects, from the door of `engine/effects`. Out: results that a resumed run uses again, requests whose outcome is
unknown, sums. `door.py` is the door, `database.py` the SQLite file behind it, `tables.py` what stands in that,
`place.py` the folder where it lies. `docs/decisions/0022` says why there is no engine underneath.
"""
