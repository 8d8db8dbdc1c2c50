-- POSTs as they came, sealed, until each consumer has them. AUTOINCREMENT: a consumer's place is the last id it is done with.
CREATE TABLE post (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    received_at INTEGER NOT NULL,                  -- µs UTC
    seal_key_id TEXT NOT NULL,
    sealed      BLOB NOT NULL
);

CREATE TABLE consumer (
    name      TEXT PRIMARY KEY,
    at        INTEGER NOT NULL,                    -- done with every post up to here
    delivered INTEGER NOT NULL DEFAULT 0,
    dropped   INTEGER NOT NULL DEFAULT 0           -- never delivered: too old, no room, or somebody was forgotten
) WITHOUT ROWID;

-- Posts that a consumer refused for good, kept until they are too old or given again.
CREATE TABLE set_aside (
    consumer TEXT NOT NULL,
    post     INTEGER NOT NULL,
    status   INTEGER NOT NULL,                     -- HTTP status of the refusal; 0: cannot be opened
    again    INTEGER NOT NULL DEFAULT 0,           -- somebody asked to give it again
    PRIMARY KEY (consumer, post)
) WITHOUT ROWID;

-- Kept by triggers: counting a large table at each look would cost more than delivering.
CREATE TABLE held (posts INTEGER NOT NULL, bytes INTEGER NOT NULL);
INSERT INTO held VALUES (0, 0);
CREATE TRIGGER post_added AFTER INSERT ON post BEGIN
    UPDATE held SET posts = posts + 1, bytes = bytes + length(NEW.sealed);
END;
CREATE TRIGGER post_deleted AFTER DELETE ON post BEGIN
    UPDATE held SET posts = posts - 1, bytes = bytes - length(OLD.sealed);
END;
