-- What customers want otherwise about an order that they have placed. Names, phones and addresses are only here, never in a site's log;
-- what became of a request is in the log. `due_at`: it ends without an answer then; null once it has ended.
ALTER TABLE cloud_order ADD COLUMN contact BLOB;
CREATE TABLE amendment (
    order_id BLOB NOT NULL,
    intent BLOB NOT NULL,
    site BLOB NOT NULL,
    wanted BLOB NOT NULL,
    asked_at INTEGER NOT NULL,
    due_at INTEGER,
    PRIMARY KEY (order_id, intent)
) STRICT, WITHOUT ROWID;
CREATE INDEX amendment_due ON amendment (due_at) WHERE due_at IS NOT NULL;
