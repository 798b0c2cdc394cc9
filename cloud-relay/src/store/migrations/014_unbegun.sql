-- A confirmed order of which the relay has not seen that anybody began: since when the kitchen should have, and until when one that is in
-- the kitchen at the promised time is waited for. Orders that are under way at the upgrade keep NULL: people look after those.
ALTER TABLE cloud_order ADD COLUMN unbegun_since INTEGER;
ALTER TABLE cloud_order ADD COLUMN given_until INTEGER;
