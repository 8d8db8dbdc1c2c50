-- Saved places of followers. In a file of its own: the trail has one writer, the drain.

CREATE TABLE place (
    follower TEXT PRIMARY KEY,
    at       INTEGER NOT NULL                      -- what it means is known to the follower: an event id, or a time
) WITHOUT ROWID;
