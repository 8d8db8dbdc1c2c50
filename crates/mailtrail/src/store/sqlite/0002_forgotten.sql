-- Addresses that were forgotten, so that late events of them are not stored again: keyed digests of their hashes, which say
-- neither address nor hash to whoever lacks the key file.
CREATE TABLE forgotten (
    mark BLOB PRIMARY KEY
) WITHOUT ROWID;
