-- People. Names, phones and addresses are only ever here, never in a site's log.
CREATE TABLE customer (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    email TEXT UNIQUE,
    phone TEXT,
    password_hash TEXT,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE rider (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    phone TEXT NOT NULL UNIQUE,
    password_hash TEXT NOT NULL,
    on_shift INTEGER NOT NULL DEFAULT 0,
    lat REAL,
    lon REAL,
    seen_at INTEGER NOT NULL DEFAULT 0,
    made_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Tokens are shown once and kept as hashes.
CREATE TABLE session (
    token_hash BLOB NOT NULL PRIMARY KEY,
    owner BLOB NOT NULL,
    role TEXT NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- What a restaurant asks online, beside its menu. A site without a row has the defaults.
CREATE TABLE site_terms (
    site BLOB NOT NULL PRIMARY KEY,
    delivery_fee_minor INTEGER NOT NULL,
    packaging_minor INTEGER NOT NULL,
    service_minor INTEGER NOT NULL,
    accepts_held INTEGER NOT NULL,
    hold_ms INTEGER NOT NULL,
    accept_ms INTEGER NOT NULL,
    verdict_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE quote (
    id BLOB NOT NULL PRIMARY KEY,
    customer BLOB NOT NULL,
    site BLOB NOT NULL,
    cart BLOB NOT NULL,
    address BLOB,
    total_minor INTEGER NOT NULL,
    minutes_min INTEGER NOT NULL,
    minutes_max INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX quote_expiry ON quote (expires_at);

-- An order on its way from the customer's tap to the site's log. Its id is the customer's: the same intent again finds its row.
CREATE TABLE checkout (
    order_id BLOB NOT NULL PRIMARY KEY,
    customer BLOB NOT NULL,
    site BLOB NOT NULL,
    payment BLOB NOT NULL,
    cart BLOB NOT NULL,
    address BLOB,
    header BLOB NOT NULL,
    amount_minor INTEGER NOT NULL,
    minutes_min INTEGER NOT NULL,
    minutes_max INTEGER NOT NULL,
    state TEXT NOT NULL,
    refusal TEXT,
    attempt INTEGER NOT NULL,
    made_at INTEGER NOT NULL,
    expires_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX checkout_payment ON checkout (payment);

-- What the relay keeps beside the facts of an order that it placed. `due_at` is when it must be looked at again.
CREATE TABLE cloud_order (
    order_id BLOB NOT NULL PRIMARY KEY,
    site BLOB NOT NULL,
    customer BLOB NOT NULL,
    payment BLOB NOT NULL,
    address BLOB,
    phase TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    placed_at INTEGER NOT NULL,
    minutes_min INTEGER NOT NULL,
    minutes_max INTEGER NOT NULL,
    held INTEGER NOT NULL,
    released_at INTEGER,
    expires_at INTEGER NOT NULL,
    asked_at INTEGER,
    asked_why TEXT,
    asked_table_minor INTEGER,
    asked_link_down INTEGER,
    verdict_due_at INTEGER,
    due_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX cloud_order_due ON cloud_order (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX cloud_order_customer ON cloud_order (customer, placed_at);
CREATE INDEX cloud_order_site ON cloud_order (site, phase);

-- Money.
CREATE TABLE payment (
    id BLOB NOT NULL PRIMARY KEY,
    order_id BLOB NOT NULL,
    site BLOB NOT NULL,
    charge TEXT,
    currency TEXT NOT NULL,
    authorised_minor INTEGER NOT NULL,
    captured_minor INTEGER NOT NULL,
    refunded_minor INTEGER NOT NULL,
    voided INTEGER NOT NULL,
    CHECK (captured_minor <= authorised_minor),
    CHECK (refunded_minor <= captured_minor)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    effect TEXT NOT NULL UNIQUE,
    order_id BLOB NOT NULL,
    payment BLOB NOT NULL,
    debit TEXT NOT NULL,
    credit TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL
) STRICT;

-- Effects: what is to be done outside, once. Times are real ones.
CREATE TABLE effect (
    n INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    number INTEGER NOT NULL,
    order_id BLOB NOT NULL,
    site BLOB NOT NULL,
    payment BLOB NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    card TEXT,
    why TEXT NOT NULL,
    state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0,
    lease INTEGER NOT NULL DEFAULT 0,
    claimed_until INTEGER NOT NULL DEFAULT 0,
    due_at INTEGER NOT NULL,
    seen TEXT,
    made_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
CREATE INDEX effect_open ON effect (due_at) WHERE state IN ('waiting', 'claimed', 'parked');
CREATE INDEX effect_waiting ON effect (due_at) WHERE state = 'waiting';
CREATE INDEX effect_order ON effect (order_id);
CREATE INDEX effect_payment ON effect (payment, n) WHERE state IN ('waiting', 'claimed', 'parked');

-- Deliveries.
CREATE TABLE delivery (
    order_id BLOB NOT NULL PRIMARY KEY,
    site BLOB NOT NULL,
    state TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    rider BLOB,
    offer_expires_at INTEGER,
    ready_at INTEGER NOT NULL,
    earn_minor INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX delivery_state ON delivery (state);
CREATE INDEX delivery_rider ON delivery (rider) WHERE rider IS NOT NULL;

CREATE TABLE delivery_passed (
    order_id BLOB NOT NULL,
    rider BLOB NOT NULL,
    PRIMARY KEY (order_id, rider)
) STRICT, WITHOUT ROWID;

CREATE TABLE earning (
    order_id BLOB NOT NULL,
    attempt INTEGER NOT NULL,
    rider BLOB NOT NULL,
    amount_minor INTEGER NOT NULL,
    currency TEXT NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (order_id, attempt)
) STRICT, WITHOUT ROWID;
