-- Riders bring several orders of one restaurant in one trip. Each offer keeps why, each rider how often they said yes.
ALTER TABLE delivery ADD COLUMN trip BLOB;
ALTER TABLE delivery ADD COLUMN stop INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
ALTER TABLE delivery ADD COLUMN why TEXT;
CREATE INDEX delivery_trip ON delivery (trip) WHERE trip IS NOT NULL;
CREATE INDEX delivery_site ON delivery (site, ready_at);
ALTER TABLE rider ADD COLUMN asked INTEGER NOT NULL DEFAULT 0;
ALTER TABLE rider ADD COLUMN said_yes INTEGER NOT NULL DEFAULT 0;
CREATE INDEX earning_at ON earning (at);
