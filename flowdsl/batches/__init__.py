"""Many runs of one flow, one for each record: side by side, in bounded memory, and each with its journal.

In: a flow that is loaded, and records from anywhere. Out: an outcome for each, as they end. `running.py` runs them.
"""
