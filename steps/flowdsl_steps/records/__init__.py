"""Records: messages that come one by one and go one by one, however many there are.

`FOR_RECORDS` reads them from its input, runs its block on each, in which the steps RECORD_… work on the record at hand,
and hands them to its output. `run_records.py` is the loop, `record.py` what a record is, `inputs.py` and `outputs.py`
are its ends.
"""
