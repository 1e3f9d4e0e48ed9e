-- Until when a provider has asked to be left in peace. Whoever sends next by its channel reads it here: the process that was
-- told may have gone.
CREATE TABLE silences (
    channel text PRIMARY KEY,
    until   timestamptz NOT NULL
);
