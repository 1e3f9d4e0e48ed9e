-- The ledger: one row for each message to each recipient by each channel, and the holds that stop them.

CREATE TYPE delivery_state AS ENUM ('queued', 'marked', 'accepted', 'delivered', 'failed', 'refused', 'unknown', 'ended');

CREATE TABLE deliveries (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose         text NOT NULL CHECK (purpose IN ('action', 'letter', 'thanks', 'notice', 'reply')),
    about           uuid NOT NULL,                -- the action, letter or report
    case_id         uuid,                         -- a hold on the case stops the delivery too
    kind            text NOT NULL DEFAULT 'first',
    recipient_kind  text NOT NULL CHECK (recipient_kind IN ('contact', 'target', 'staff')),
    recipient_id    uuid NOT NULL,
    channel         text NOT NULL,
    address_id      uuid NOT NULL,
    language        text NOT NULL,
    urgency         smallint NOT NULL,            -- 0 life, 1 serious, 2 routine: the order of leaving
    state           delivery_state NOT NULL DEFAULT 'queued',
    reason          text NOT NULL DEFAULT '',
    due_at          timestamptz NOT NULL,
    expires_at      timestamptz NOT NULL,
    attempt         bigint NOT NULL DEFAULT 0,    -- the fence: an outcome is written only by the attempt that made it
    attempts        smallint NOT NULL DEFAULT 0,  -- those whose outcome is known
    unconfirmed     smallint NOT NULL DEFAULT 0,  -- those that may have arrived without our knowing
    lease_until     timestamptz,
    provider_id     text NOT NULL DEFAULT '',
    planned_at      timestamptz NOT NULL,
    marked_at       timestamptz,
    settled_at      timestamptz,
    UNIQUE (about, purpose, recipient_id, channel, kind)
) WITH (fillfactor = 75, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.05);

-- No index holds lease_until or attempt, so that a claim rewrites rows without touching any index (HOT).
CREATE INDEX deliveries_due ON deliveries (channel, urgency, due_at, id) WHERE state = 'queued';
CREATE INDEX deliveries_expiring ON deliveries (expires_at) WHERE state = 'queued';
CREATE INDEX deliveries_marked ON deliveries (id) WHERE state = 'marked';
CREATE INDEX deliveries_by_recipient ON deliveries (recipient_id);
CREATE SEQUENCE delivery_attempts;

-- A hold stops what it names until it is lifted. The claim and the last mark before hand-over both look here.
CREATE TABLE holds (
    scope         text NOT NULL CHECK (scope IN ('everything', 'channel', 'about', 'case', 'recipient')),
    target        text NOT NULL,
    reason        text NOT NULL,
    placed_by     uuid,
    placed_at     timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (scope, target)
);

-- Wakes whoever sends. Not on UPDATE: what is queued again is due later, and the poll of a second finds it.
CREATE FUNCTION wake_senders() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('deliveries', '');
    RETURN NULL;
END $$;
CREATE TRIGGER deliveries_planned AFTER INSERT ON deliveries FOR EACH STATEMENT EXECUTE FUNCTION wake_senders();
CREATE TRIGGER holds_lifted AFTER DELETE ON holds FOR EACH STATEMENT EXECUTE FUNCTION wake_senders();
