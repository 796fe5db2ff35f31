"""The tables of a journal, as steps from an empty file to the newest version: what is released is never changed, the
next version is a further step.
"""

from __future__ import annotations

import sqlite3

STEPS = (
    """
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        flow TEXT NOT NULL,           -- the path of the file, `-` for stdin
        flow_sha256 TEXT NOT NULL,
        title TEXT,
        action TEXT,
        given TEXT NOT NULL,          -- JSON: inputs and options of the command, without secrets
        as_of TEXT NOT NULL,          -- the day that the run takes for today
        simulated INTEGER NOT NULL,
        batch TEXT,
        record INTEGER,
        tags TEXT NOT NULL DEFAULT '{}',
        status TEXT NOT NULL,         -- running, done, failed, cancelled
        error TEXT,
        began REAL NOT NULL,          -- Unix time in seconds, as all times here
        ended REAL
    ) WITHOUT ROWID;
    CREATE INDEX runs_by_time ON runs (began);
    CREATE INDEX runs_by_batch ON runs (batch, record) WHERE batch IS NOT NULL;
    CREATE TABLE journal (
        run TEXT NOT NULL,
        place TEXT NOT NULL,          -- the key of the invocation
        digest BLOB NOT NULL,         -- SHA-256 of kind and request
        number INTEGER NOT NULL,      -- which of equal ones there, from 0
        key TEXT NOT NULL,            -- the kind of the effect: http, file, random, sleep
        state TEXT NOT NULL,          -- ok, failed
        result TEXT NOT NULL,         -- JSON
        PRIMARY KEY (run, place, digest, number)
    ) WITHOUT ROWID;
    CREATE TABLE ledger (
        id BLOB PRIMARY KEY,          -- SHA-256 of run, digest, place and number
        run TEXT NOT NULL,
        place TEXT NOT NULL,
        number INTEGER NOT NULL,
        digest BLOB NOT NULL,         -- SHA-256 of service, vendor and request: equal for equal requests
        step TEXT NOT NULL,
        path TEXT NOT NULL,
        service TEXT,
        vendor TEXT,
        model TEXT,
        request TEXT NOT NULL,        -- JSON, without secrets
        state TEXT NOT NULL,          -- started, ok, refused, unknown, released
        result TEXT,                  -- JSON of the result, or of the error
        images INTEGER NOT NULL DEFAULT 0,
        most_usd REAL,
        cost_usd REAL,
        simulated INTEGER NOT NULL,
        vendor_order TEXT,            -- where the vendor says what became of the request, if it does
        is_final INTEGER NOT NULL DEFAULT 0,  -- a failure that ended the run: tried again when it is resumed
        began REAL NOT NULL,
        ended REAL
    ) WITHOUT ROWID;
    CREATE INDEX ledger_by_run ON ledger (run);
    CREATE TABLE names (              -- files of pictures with names for people
        run TEXT NOT NULL,
        original TEXT NOT NULL,
        file TEXT NOT NULL,
        is_listed INTEGER NOT NULL DEFAULT 0,  -- it stands in the manifest
        PRIMARY KEY (run, original, file)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE pace (               -- when the next request to a service may begin
        service TEXT PRIMARY KEY,
        at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE spending (           -- what is spent, or set aside, a day
        day TEXT PRIMARY KEY,
        usd REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX ledger_by_digest ON ledger (digest);
    CREATE TABLE batches (            -- many runs of one flow, a record each: `runs.batch` and `runs.record`
        id TEXT PRIMARY KEY,
        flow TEXT NOT NULL,
        given TEXT NOT NULL,          -- JSON: how to go on with it
        folder TEXT NOT NULL,         -- where its results are
        simulated INTEGER NOT NULL,
        status TEXT NOT NULL,         -- running, done, stopped, dropped
        began REAL NOT NULL,
        ended REAL
    ) WITHOUT ROWID;
    """,
    """
    CREATE VIEW costs AS              -- one row for each paid request that was sent, for finance
    SELECT
        hex(ledger.id) AS request, ledger.run AS run, runs.batch AS batch, runs.record AS record,
        runs.flow AS flow, runs.title AS title, runs.tags AS tags, ledger.step AS step,
        ledger.service AS service, ledger.vendor AS vendor, ledger.model AS model,
        date(ledger.began, 'unixepoch', 'localtime') AS day,
        strftime('%Y-%m-%dT%H:%M:%SZ', ledger.began, 'unixepoch') AS began_utc,
        ledger.simulated AS simulated, ledger.state AS state, ledger.images AS images,
        iif(ledger.state = 'ok', ledger.cost_usd, iif(ledger.state = 'refused', 0.0, NULL)) AS usd,
        ledger.state NOT IN ('ok', 'refused') AS in_doubt,   -- it may be done, and billed
        ledger.most_usd AS most_usd
    FROM ledger JOIN runs ON runs.id = ledger.run;
    """,
    """
    ALTER TABLE pace ADD COLUMN written REAL NOT NULL DEFAULT 0;
    CREATE TABLE learned (            -- what services said that they allow
        service TEXT NOT NULL,
        model TEXT NOT NULL,
        kind TEXT NOT NULL,           -- requests, images
        most INTEGER NOT NULL,        -- so many at once
        gap REAL NOT NULL,            -- one more after so many seconds
        at REAL NOT NULL,             -- when all of them are there again
        written REAL NOT NULL,        -- what the clock said when this was written: it may be set back since
        heard REAL NOT NULL,          -- when the service last said so
        PRIMARY KEY (service, model, kind)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE spending_of (        -- what is spent, or set aside, a day at one service
        day TEXT NOT NULL,
        service TEXT NOT NULL,
        usd REAL NOT NULL,
        PRIMARY KEY (day, service)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE vendor_batches (     -- files of requests that go through a vendor's batch
        batch TEXT NOT NULL,          -- ours, which the metadata of the vendor's repeats
        part INTEGER NOT NULL,
        digest TEXT NOT NULL,         -- SHA-256 of the file
        service TEXT NOT NULL,
        url TEXT NOT NULL,
        operation TEXT NOT NULL,
        model TEXT NOT NULL,
        state TEXT NOT NULL,          -- prepared, uploaded, submitting, submitted, ended, dropped
        file_id TEXT,
        vendor_batch TEXT,
        ended_as TEXT,                -- completed, failed, expired, cancelled
        began REAL NOT NULL,
        ended REAL,
        PRIMARY KEY (batch, part)
    ) WITHOUT ROWID;
    CREATE TABLE vendor_batch_items ( -- the requests in them
        batch TEXT NOT NULL,
        id TEXT NOT NULL,
        part INTEGER NOT NULL,
        state TEXT NOT NULL,          -- waiting, done, failed, not_done
        result TEXT,                  -- JSON
        PRIMARY KEY (batch, id)
    ) WITHOUT ROWID;
    CREATE INDEX vendor_batch_items_by_part ON vendor_batch_items (batch, part, state);
    """,
    """
    DROP VIEW costs;
    CREATE VIEW costs AS              -- as before; what a vendor works on stands apart from what is in doubt
    SELECT
        hex(ledger.id) AS request, ledger.run AS run, runs.batch AS batch, runs.record AS record,
        runs.flow AS flow, runs.title AS title, runs.tags AS tags, ledger.step AS step,
        ledger.service AS service, ledger.vendor AS vendor, ledger.model AS model,
        date(ledger.began, 'unixepoch', 'localtime') AS day,
        strftime('%Y-%m-%dT%H:%M:%SZ', ledger.began, 'unixepoch') AS began_utc,
        ledger.simulated AS simulated, ledger.state AS state, ledger.images AS images,
        iif(ledger.state = 'ok', ledger.cost_usd, iif(ledger.state = 'refused', 0.0, NULL)) AS usd,
        ledger.state NOT IN ('ok', 'refused') AND NOT ledger.at_vendor AS in_doubt,  -- it may be done, and billed
        ledger.most_usd AS most_usd,
        ledger.at_vendor AS at_vendor   -- it is done, and billed, when the vendor comes to it
    FROM (
        SELECT *, vendor_order IS NOT NULL AND (state = 'started' OR (state = 'unknown' AND is_final))
            AND NOT EXISTS (
                SELECT 1 FROM vendor_batch_items AS item JOIN vendor_batches AS part USING (batch, part)
                WHERE item.batch = substr(vendor_order, length('batch ') + 1) AND item.id = lower(hex(ledger.id))
                AND (item.state = 'failed' OR (item.state = 'waiting' AND part.state = 'lost'))
            ) AS at_vendor
        FROM ledger
    ) AS ledger JOIN runs ON runs.id = ledger.run;
    """,
    """
    DROP VIEW costs;
    CREATE VIEW costs AS              -- as before; what came and is bought anew cost what it cost
    SELECT
        hex(ledger.id) AS request, ledger.run AS run, runs.batch AS batch, runs.record AS record,
        runs.flow AS flow, runs.title AS title, runs.tags AS tags, ledger.step AS step,
        ledger.service AS service, ledger.vendor AS vendor, ledger.model AS model,
        date(ledger.began, 'unixepoch', 'localtime') AS day,
        strftime('%Y-%m-%dT%H:%M:%SZ', ledger.began, 'unixepoch') AS began_utc,
        ledger.simulated AS simulated, ledger.state AS state, ledger.images AS images,
        iif(ledger.came, ledger.cost_usd, iif(ledger.state = 'refused', 0.0, NULL)) AS usd,
        NOT ledger.came AND ledger.state != 'refused' AND NOT ledger.at_vendor AS in_doubt,
        ledger.most_usd AS most_usd,
        ledger.at_vendor AS at_vendor   -- it is done, and billed, when the vendor comes to it
    FROM (
        SELECT *, vendor_order IS NOT NULL AND (state = 'started' OR (state = 'unknown' AND is_final))
            AND NOT EXISTS (
                SELECT 1 FROM vendor_batch_items AS item JOIN vendor_batches AS part USING (batch, part)
                WHERE item.batch = substr(vendor_order, length('batch ') + 1) AND item.id = lower(hex(ledger.id))
                AND (item.state = 'failed' OR (item.state = 'waiting' AND part.state = 'lost'))
            ) AS at_vendor, state = 'ok' OR (state = 'released' AND images > 0) AS came
        FROM ledger
    ) AS ledger JOIN runs ON runs.id = ledger.run;
    """,
    """
    CREATE TABLE reserved (           -- what of `spending` and `spending_of` is set aside and has not begun
        owner TEXT NOT NULL,          -- a file in the folder `reserving`, whose lock is held by who set it aside
        id BLOB NOT NULL,
        day TEXT NOT NULL,
        name TEXT,                    -- the service in `spending_of`
        in_all INTEGER NOT NULL,      -- it stands in `spending` as well
        usd REAL NOT NULL,
        PRIMARY KEY (owner, id)
    ) WITHOUT ROWID;
    """,
)
VERSION = len(STEPS)


def migrate(connection: sqlite3.Connection) -> None:
    """Brings the file to the newest version; nothing happens where it has that.

    Raises:
        sqlite3.Error: the file cannot be read or written.
        ValueError: a newer version of flowdsl has written it.
    """
    if _version(connection) == VERSION:
        return
    connection.execute("BEGIN EXCLUSIVE")
    try:
        found = _version(connection)  # another process may have been quicker
        if found > VERSION:
            raise ValueError(found)
        for step in STEPS[found:]:
            for statement in filter(str.strip, step.split(";\n")):
                connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # a disk that is full has ended it
            connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
