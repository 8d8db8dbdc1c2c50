-- The trail. Beneath the view `sendgrid_event`, what repeats is interned: addresses, lists of categories, what vouched, and what the events
-- of one message to one recipient have in common.
-- AUTOINCREMENT: ids are commit order and are never used again, so that a follower's cursor misses nothing.

CREATE TABLE address (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    email_hash   TEXT NOT NULL UNIQUE,             -- lower-case hex
    email_domain TEXT,
    email        TEXT,                             -- only with keep_address
    key_id       TEXT NOT NULL
);

CREATE TABLE category (
    id   INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE
);

CREATE TABLE category_list (
    id         INTEGER PRIMARY KEY AUTOINCREMENT,
    categories TEXT NOT NULL UNIQUE                -- JSON list, in the order sent
);

CREATE TABLE category_member (
    category_id      INTEGER NOT NULL REFERENCES category (id),
    category_list_id INTEGER NOT NULL REFERENCES category_list (id),
    PRIMARY KEY (category_id, category_list_id)
) WITHOUT ROWID;

CREATE TABLE proof (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    verified_by TEXT                               -- null: nothing vouched
);
CREATE UNIQUE INDEX proof_verified_by ON proof (ifnull(verified_by, ''));

-- One message to one recipient: what all its events have in common is kept once. Its indexes answer by recipient, message
-- and run; a message has about three events, so they cost a third of what indexes over events would.
CREATE TABLE message (
    id               INTEGER PRIMARY KEY AUTOINCREMENT,
    message_id       TEXT,
    message_key      BLOB NOT NULL,                -- 16 bytes of a digest over the columns below
    sg_message_id    TEXT,
    address_id       INTEGER REFERENCES address (id),
    category_list_id INTEGER REFERENCES category_list (id),
    run              TEXT,
    recipient        TEXT,
    request          TEXT,
    custom_args      TEXT
);
CREATE UNIQUE INDEX message_message_id ON message (message_id, message_key);
CREATE INDEX message_address ON message (address_id) WHERE address_id IS NOT NULL;
CREATE INDEX message_run ON message (run, recipient) WHERE run IS NOT NULL;

CREATE TABLE event (
    id                    INTEGER PRIMARY KEY AUTOINCREMENT,
    timestamp             INTEGER NOT NULL,        -- µs UTC
    event_key             BLOB NOT NULL,
    fingerprint           BLOB NOT NULL,
    event                 TEXT NOT NULL,
    message               INTEGER NOT NULL REFERENCES message (id),
    proof_id              INTEGER NOT NULL REFERENCES proof (id),
    received_at           INTEGER NOT NULL,
    sg_event_id           TEXT,
    smtp_id               TEXT,
    reason                TEXT,
    response              TEXT,
    status                TEXT,
    type                  TEXT,
    bounce_classification TEXT,
    attempt               INTEGER,
    asm_group_id          INTEGER,
    url                   TEXT,
    useragent             TEXT,
    ip                    TEXT,
    sg_machine_open       INTEGER,
    tls                   INTEGER,
    extra                 TEXT,
    UNIQUE (timestamp, event_key)
);
CREATE INDEX event_message ON event (message);

-- Answers by category without touching the other categories' events: one row an event, under its list; the few lists
-- that hold a category are found by `category_member`. (A row for each category would triple the cost of an event.)
CREATE TABLE event_category_list (
    category_list_id INTEGER NOT NULL,
    timestamp        INTEGER NOT NULL,
    event            TEXT NOT NULL,
    event_id         INTEGER NOT NULL REFERENCES event (id),
    address_id       INTEGER,
    message          INTEGER,                      -- 64 bits of a digest of message_id: tells a recipient's messages apart
    test             INTEGER,                      -- 1: of a test key or SendGrid's sample; null: real
    PRIMARY KEY (category_list_id, timestamp, event, event_id)
) WITHOUT ROWID;

CREATE VIEW event_category AS
SELECT c.category_id, l.timestamp, l.event, l.event_id, l.address_id
FROM category_member AS c
JOIN event_category_list AS l ON l.category_list_id = c.category_list_id;

-- Authentic input that could not be read, sealed.
CREATE TABLE quarantine (
    id          INTEGER PRIMARY KEY AUTOINCREMENT,
    item_key    BLOB NOT NULL UNIQUE,
    why         TEXT NOT NULL,
    received_at INTEGER NOT NULL,
    verified_by TEXT,
    seal_key_id TEXT NOT NULL,
    sealed      BLOB NOT NULL
);

-- What the store knows of itself: hash mode, key check values, when the first public key was configured, generation.
CREATE TABLE meta (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Saved places of followers.
CREATE TABLE cursor (
    follower TEXT PRIMARY KEY,
    event_id INTEGER NOT NULL
) WITHOUT ROWID;

CREATE VIEW sendgrid_event AS
SELECT e.id, e.sg_event_id, e.event, e.timestamp, a.email_hash, a.email_domain, a.email,
       m.sg_message_id, m.message_id, e.smtp_id, ifnull(l.categories, '[]') AS category,
       e.reason, e.response, e.status, e.type, e.bounce_classification, e.attempt, e.asm_group_id,
       e.url, e.useragent, e.ip, e.sg_machine_open, e.tls,
       m.run, m.recipient, m.request, m.custom_args, e.extra,
       e.received_at, p.verified_by, a.key_id, e.event_key, e.fingerprint
FROM event AS e
JOIN message AS m ON m.id = e.message
LEFT JOIN address AS a ON a.id = m.address_id
LEFT JOIN category_list AS l ON l.id = m.category_list_id
LEFT JOIN proof AS p ON p.id = e.proof_id;

-- The same with readable times (RFC 3339, UTC).
CREATE VIEW sendgrid_event_text AS
SELECT id, sg_event_id, event,
       strftime('%Y-%m-%dT%H:%M:%fZ', timestamp / 1000000.0, 'unixepoch') AS timestamp,
       email_hash, email_domain, email, sg_message_id, message_id, smtp_id, category, reason, response, status, type,
       bounce_classification, attempt, asm_group_id, url, useragent, ip, sg_machine_open, tls, run, recipient, request,
       custom_args, extra,
       strftime('%Y-%m-%dT%H:%M:%fZ', received_at / 1000000.0, 'unixepoch') AS received_at,
       verified_by, key_id, lower(hex(event_key)) AS event_key, lower(hex(fingerprint)) AS fingerprint
FROM sendgrid_event;
