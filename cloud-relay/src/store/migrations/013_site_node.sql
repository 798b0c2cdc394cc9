-- The nodes of a site, in the order in which they were enrolled: each has its own token and counts its own sessions (`epoch`): an older
-- one's frames are refused. `origin` is the one it was enrolled with; a new one after a fence keeps the row. The columns
-- `uplink_token_hash` and `epoch` of `site` are read no more.
CREATE TABLE site_node (
    no INTEGER PRIMARY KEY AUTOINCREMENT,
    site INTEGER NOT NULL REFERENCES site (no),
    origin BLOB NOT NULL,
    token_hash BLOB UNIQUE,
    epoch INTEGER NOT NULL DEFAULT 0,
    enrolled_at INTEGER NOT NULL,
    UNIQUE (site, origin)
) STRICT;

INSERT INTO site_node (site, origin, token_hash, epoch, enrolled_at)
SELECT no, COALESCE((SELECT MIN(origin) FROM site_origin WHERE site_origin.site = site.no), own_origin), uplink_token_hash, epoch,
    COALESCE(enrolled_at, created_at)
FROM site WHERE uplink_token_hash IS NOT NULL;
