-- One restaurant. `own_origin` and `own_key` are the relay's own origin for it; `turn` counts units of work, so that a process that
-- wrote meanwhile is noticed; `epoch` counts the node's sessions: an older one's frames are refused.
CREATE TABLE site (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    id BLOB UNIQUE,
    name TEXT NOT NULL,
    lat REAL NOT NULL,
    lon REAL NOT NULL,
    created_at INTEGER NOT NULL,
    enrolled_at INTEGER,
    own_origin BLOB NOT NULL UNIQUE,
    own_key BLOB NOT NULL,
    code_hash BLOB UNIQUE,
    code_expires_at INTEGER,
    uplink_token_hash BLOB UNIQUE,
    turn INTEGER NOT NULL DEFAULT 0,
    epoch INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Origins of a site and their public keys, as enrolment named them or as their logs introduced them.
CREATE TABLE site_origin (
    site INTEGER NOT NULL REFERENCES site (no),
    origin BLOB NOT NULL,
    card BLOB NOT NULL,
    PRIMARY KEY (site, origin)
) STRICT, WITHOUT ROWID;

-- Where each log ends.
CREATE TABLE site_head (
    site INTEGER NOT NULL REFERENCES site (no),
    origin BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    PRIMARY KEY (site, origin)
) STRICT, WITHOUT ROWID;

CREATE TABLE site_log (
    site INTEGER NOT NULL,
    origin BLOB NOT NULL,
    seq INTEGER NOT NULL,
    hash BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (site, origin, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE site_seal (
    site INTEGER NOT NULL,
    origin BLOB NOT NULL,
    seq INTEGER NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (site, origin, seq)
) STRICT, WITHOUT ROWID;

-- Documents, whole. Orders among them are read one by one.
CREATE TABLE site_doc (
    site INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    id BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (site, kind, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE site_index (
    site INTEGER NOT NULL,
    key BLOB NOT NULL,
    PRIMARY KEY (site, key)
) STRICT, WITHOUT ROWID;

CREATE TABLE site_note (
    site INTEGER NOT NULL,
    name BLOB NOT NULL,
    bytes BLOB NOT NULL,
    PRIMARY KEY (site, name)
) STRICT, WITHOUT ROWID;
