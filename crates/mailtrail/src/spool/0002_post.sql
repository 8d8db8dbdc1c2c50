-- A POST as it came, sealed, where it is passed on to others: with its batch, until the drain has moved it.
CREATE TABLE post (
    batch       INTEGER PRIMARY KEY REFERENCES batch (id),
    seal_key_id TEXT NOT NULL,
    sealed      BLOB NOT NULL
);
