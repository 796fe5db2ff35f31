"""Requests for images through OpenAI's Batch API: half the price, within 24 hours.

`files.py` writes requests into files, `api.py` speaks to the vendor, `results.py` reads what comes back as a stream,
`vendor_batch.py` leads a batch from its file to its pictures, also after a crash: what it must know for that it tells a
`BatchJournal`, see `journal.py`. `door.py` is the door of runs that wait for their pictures. Nothing here is imported
by a run that does not ask for it.

Making a batch is a paid act without an idempotency key. So it is written down before, a lost answer is looked for among
the batches that the vendor lists, by metadata, and only what is not there is made again.
"""
