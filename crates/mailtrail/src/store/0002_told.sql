-- Which end of which run people were told of, so that nobody is told twice.
CREATE TABLE told (
    run     TEXT NOT NULL,                         -- or what selects the mail
    outcome TEXT NOT NULL,
    at      INTEGER NOT NULL,                      -- the run's last acceptance, µs UTC: a run that went on is told of again
    PRIMARY KEY (run, outcome)
) WITHOUT ROWID;
