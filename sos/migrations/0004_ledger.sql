-- The ledger: one row for each message to each recipient by each channel, and the holds that stop them.

CREATE TYPE delivery_state AS ENUM ('queued', 'marked', 'accepted', 'delivered', 'failed', 'refused', 'unknown', 'ended');

CREATE TABLE deliveries (
    id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    purpose         text NOT NULL CHECK (purpose IN ('action', 'letter', 'thanks', 'notice')),
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
    attempts        smallint NOT NULL DEFAULT 0,
    lease_until     timestamptz,
    provider_id     text NOT NULL DEFAULT '',
    planned_at      timestamptz NOT NULL,
    marked_at       timestamptz,
    settled_at      timestamptz,
    UNIQUE (purpose, about, recipient_id, channel, kind)
);
CREATE INDEX deliveries_due ON deliveries (channel, urgency, due_at, id) WHERE state = 'queued';
CREATE INDEX deliveries_marked ON deliveries (lease_until) WHERE state = 'marked';
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
