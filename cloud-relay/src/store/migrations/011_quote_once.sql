-- A quote becomes one order. What was declined, or sold out meanwhile, leaves its quote free.
ALTER TABLE checkout ADD COLUMN quote BLOB;
CREATE UNIQUE INDEX checkout_quote ON checkout (quote) WHERE quote IS NOT NULL AND state IN ('paying', 'placed');
