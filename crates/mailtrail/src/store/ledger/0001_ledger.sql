-- What SendGrid was asked to send: rows are only added. Hashes and ids, never an address, a subject or content.

CREATE TABLE run (
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    name      TEXT NOT NULL UNIQUE,
    begun_at  INTEGER NOT NULL                     -- µs UTC
);

-- One call of the mail API. Whatever becomes of it becomes of all who were claimed for it.
CREATE TABLE request (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    request    TEXT NOT NULL UNIQUE,               -- custom arg mailtrail_request
    run_id     INTEGER NOT NULL REFERENCES run (id),
    categories TEXT NOT NULL,                      -- JSON list
    send_at    INTEGER                             -- µs UTC: not to be delivered before
);
CREATE INDEX request_run ON request (run_id);

CREATE TABLE claim (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    run_id     INTEGER NOT NULL REFERENCES run (id),
    email_hash BLOB NOT NULL,                      -- 32 bytes
    attempt    INTEGER NOT NULL,
    key_id     TEXT NOT NULL,
    recipient  TEXT NOT NULL,                      -- custom arg mailtrail_recipient
    request_id INTEGER NOT NULL REFERENCES request (id),
    UNIQUE (run_id, email_hash, attempt)
);
CREATE INDEX claim_request ON claim (request_id);

CREATE TABLE step (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    request_id INTEGER NOT NULL REFERENCES request (id),
    state      TEXT NOT NULL CHECK (state IN ('claimed', 'sending', 'accepted', 'refused', 'uncertain', 'abandoned')),
    message_id TEXT,                               -- X-Message-Id
    code       TEXT,                               -- HTTP status, or what happened instead
    at         INTEGER NOT NULL                    -- µs UTC
);
CREATE INDEX step_request ON step (request_id, id);

-- Keys that the hashes were made with. Without one of them, whom it stands for is unknown.
CREATE TABLE hash_key (
    key_id TEXT PRIMARY KEY
) WITHOUT ROWID;

-- Sends that SendGrid only validated: nobody was mailed, and there is nothing to wait for.
CREATE TABLE sandbox (
    name TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) WITHOUT ROWID;

-- One row for each recipient and state, as people ask.
CREATE VIEW sendgrid_send AS
SELECT c.id, r.name AS run, lower(hex(c.email_hash)) AS email_hash, c.key_id, c.recipient, q.request, c.attempt,
       s.state, s.message_id, q.categories AS category, s.at, s.code
FROM claim AS c
JOIN run AS r ON r.id = c.run_id
JOIN request AS q ON q.id = c.request_id
JOIN step AS s ON s.request_id = q.id;
