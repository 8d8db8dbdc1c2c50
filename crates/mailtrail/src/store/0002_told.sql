-- Which end of which run people were told of, so that nobody is told twice.
CREATE TABLE told (
    run     TEXT NOT NULL,                         -- or @ and a category
    outcome TEXT NOT NULL,
    at      INTEGER NOT NULL,                      -- the last acceptance or newest mail, µs UTC: told again where more went out
    PRIMARY KEY (run, outcome)
) WITHOUT ROWID;
