-- One row a POST. AUTOINCREMENT: what is drained is told by the last id, so ids are never used again.
CREATE TABLE batch (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,                  -- µs UTC
    format      INTEGER NOT NULL,                  -- of the body
    items       INTEGER NOT NULL,
    body        BLOB NOT NULL
);
