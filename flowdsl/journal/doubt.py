"""Which requests of the ledger are open, as conditions of SQL: nobody knows what became of them, or a vendor does.

A request that a service has taken to make later has the order in `vendor_order`, and one that goes through a batch
names that there. It is asked for when its run goes on: unless the batch has said already that nobody knows. Where the
vendor knew no such batch it is in doubt, and asked for once more: the key may have been that of another account.
"""

OPEN = "(ledger.state = 'started' OR (ledger.state = 'unknown' AND ledger.is_final))"
"""It was begun, and nothing took what came of it as an answer."""
_ITEM = """EXISTS (
    SELECT 1 FROM vendor_batch_items AS item JOIN vendor_batches AS part USING (batch, part)
    WHERE item.batch = substr(ledger.vendor_order, length('batch ') + 1) AND item.id = lower(hex(ledger.id)) AND """
LOST = f"{_ITEM} item.state = 'waiting' AND part.state = 'lost')"
"""The vendor knew no such batch: it is in doubt, and nevertheless asked for when its run goes on."""
_ASKED_FOR = f"(ledger.vendor_order IS NOT NULL AND NOT {_ITEM} item.state = 'failed') AND NOT {LOST})"
_PASSED = "ledger.state = 'unknown' AND NOT ledger.is_final"
CAUGHT = f"({_PASSED} AND ledger.ended IS NOT NULL)"
"""Nobody knows what became of it, and its run went on without it: it may be billed, and nothing waits for it."""
SETTLED = f"({_PASSED} AND ledger.ended IS NULL)"
"""The journal did not take how it ended, and its record is done by the results of the batch: nobody waits for it."""
IN_DOUBT = f"({OPEN} AND NOT {_ASKED_FOR})"
"""Somebody has to decide about it."""
ORDERED = "(ledger.vendor_order LIKE 'order %')"
"""A service has taken it by itself, and makes it later."""
AT_VENDOR = f"({OPEN} AND {_ASKED_FOR})"
"""It is asked for when its run goes on."""
CAME = "(ledger.state = 'ok' OR (ledger.state = 'released' AND ledger.images > 0))"
"""It brought something, and cost what it cost, also where that is bought anew."""
RELEASED = """(ledger.state = 'released' AND NOT EXISTS (
    SELECT 1 FROM ledger AS again WHERE again.run = ledger.run AND again.place = ledger.place
    AND again.digest = ledger.digest AND again.number > ledger.number))"""
"""Somebody lets it be sent again, and it was not yet."""
_DONE = "EXISTS (SELECT 1 FROM runs WHERE runs.id = ledger.run AND runs.batch IS NOT NULL AND runs.status = 'done')"
HELD = f"""state = iif(images, 'ok', 'unknown'),
    is_final = NOT images AND (is_final OR (ended IS NULL AND NOT {_DONE}))"""
"""What takes that back, of the ledger. What the flow caught stays that, and holds no run: it ended, and did not end the
run. What was settled stays that too."""
