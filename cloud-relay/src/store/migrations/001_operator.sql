-- Who runs the relay; tokens are shown once and kept as hashes.
CREATE TABLE operator (
    token_hash BLOB NOT NULL PRIMARY KEY,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
