-- How far the trail was copied elsewhere. A file of its own, so that a copy never takes the trail's write lock.

CREATE TABLE cursor (
    target   TEXT PRIMARY KEY,                     -- project.dataset.table
    event_id INTEGER NOT NULL                      -- all up to this one were taken or refused
) WITHOUT ROWID;

-- Events that the target will not take. They stay in the trail.
CREATE TABLE forward_failed (
    target   TEXT NOT NULL,
    event_id INTEGER NOT NULL,
    at       INTEGER NOT NULL,                     -- µs since the epoch
    why      TEXT NOT NULL,
    PRIMARY KEY (target, event_id)
) WITHOUT ROWID;
