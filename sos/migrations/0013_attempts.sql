-- What one worker hands over at once. Its rows stand as marked under its number until their outcomes are written; what is
-- still marked when its lease is over is what a crash left uncertain.
CREATE TABLE attempts (
    id            bigint PRIMARY KEY,
    channel       text NOT NULL,
    deliveries    bigint[] NOT NULL,
    lease_until   timestamptz NOT NULL
);

-- A row is written twice on its way: when it is marked and when it is settled. No index tells queued from marked, so that
-- the first of these touches none (HOT); half of each page is left free for it.
DROP INDEX deliveries_due, deliveries_expiring, deliveries_marked;
ALTER TABLE deliveries
    DROP COLUMN lease_until,
    ADD COLUMN is_open boolean NOT NULL GENERATED ALWAYS AS (state IN ('queued', 'marked')) STORED;
ALTER TABLE deliveries SET (fillfactor = 50);
CREATE INDEX deliveries_open ON deliveries (channel, urgency, due_at, id) WHERE is_open;
CREATE INDEX deliveries_expiring ON deliveries (expires_at) WHERE is_open;
