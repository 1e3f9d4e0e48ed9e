-- Whom an action reaches, how and when.

-- The order of the channels by which one recipient is tried; what she may be woken for; which language she waits for.
ALTER TABLE deliveries
    ADD COLUMN step       smallint NOT NULL DEFAULT 0,
    ADD COLUMN is_canary  boolean NOT NULL DEFAULT false,  -- in the first wave, which is looked at before all others leave
    ADD COLUMN may_wake   boolean NOT NULL DEFAULT true,   -- may leave in her quiet hours too
    ADD COLUMN discreet   boolean NOT NULL DEFAULT false,
    ADD COLUMN awaits     text,                            -- the language of hers that is not ready yet
    ADD COLUMN cost_usd   numeric(10, 4) NOT NULL DEFAULT 0,
    ADD COLUMN taken_by   uuid REFERENCES staff,           -- who delivers it by hand
    ADD COLUMN set_aside_by uuid REFERENCES staff,         -- who has looked at it and left it as it is
    ADD COLUMN set_aside_at timestamptz;

-- What stops deliveries may need a second person's word to go on again (2), or nobody's (0): what was recalled.
ALTER TABLE holds DROP CONSTRAINT holds_scope_check;
ALTER TABLE holds
    ADD CONSTRAINT holds_scope_check
        CHECK (scope IN ('everything', 'channel', 'about', 'case', 'recipient', 'wave', 'budget')),
    ADD COLUMN people_needed smallint NOT NULL DEFAULT 1;
UPDATE holds SET people_needed = CASE WHEN reason IN ('recalled', 'consent_withdrawn') THEN 0 ELSE 1 END;
CREATE TABLE resumptions (
    scope         text NOT NULL,
    target        text NOT NULL,
    staff_id      uuid NOT NULL REFERENCES staff,
    said_at       timestamptz NOT NULL,
    PRIMARY KEY (scope, target, staff_id),
    FOREIGN KEY (scope, target) REFERENCES holds ON DELETE CASCADE
);

-- What was spent on messages, by month.
CREATE TABLE spending (
    month         date NOT NULL,
    channel       text NOT NULL,
    usd           numeric(12, 4) NOT NULL,
    PRIMARY KEY (month, channel)
);

-- Contacts: when not to be rung, whether to be woken all the same, and a discretion that she may leave to us (null).
ALTER TABLE contacts
    ALTER COLUMN discreet DROP NOT NULL,
    ALTER COLUMN discreet DROP DEFAULT,
    ADD COLUMN quiet_from  time NOT NULL DEFAULT '22:00',
    ADD COLUMN quiet_until time NOT NULL DEFAULT '07:00',
    ADD COLUMN may_wake    boolean NOT NULL DEFAULT false;

-- Whether it is quiet time at a clock in this zone. Equal ends: never quiet.
CREATE FUNCTION is_quiet(at timestamptz, zone text, quiet_from time, quiet_until time) RETURNS boolean
LANGUAGE sql STABLE RETURN CASE
    WHEN quiet_from <= quiet_until THEN (at AT TIME ZONE zone)::time >= quiet_from AND (at AT TIME ZONE zone)::time < quiet_until
    ELSE (at AT TIME ZONE zone)::time >= quiet_from OR (at AT TIME ZONE zone)::time < quiet_until
END;

-- When the quiet time is over that a moment lies in.
CREATE FUNCTION quiet_ends(at timestamptz, zone text, quiet_until time) RETURNS timestamptz
LANGUAGE sql STABLE RETURN (
    (at AT TIME ZONE zone)::date + CASE WHEN (at AT TIME ZONE zone)::time < quiet_until THEN 0 ELSE 1 END + quiet_until
) AT TIME ZONE zone;

-- Two contacts may share a phone or a mailbox; a person is reached by hand where no machine reaches her.
DROP INDEX one_contact_per_address;
ALTER TABLE addresses DROP CONSTRAINT addresses_channel_check;
ALTER TABLE addresses
    ADD CONSTRAINT addresses_channel_check CHECK (channel IN ('email', 'sms', 'telegram', 'by_hand')),
    ADD COLUMN country text;  -- of a phone number, from its prefix: what SMS can do there and costs

-- Where a case happens: members there are near it, and their phones show nothing unless they chose otherwise.
ALTER TABLE cases ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');
ALTER TABLE targets ADD COLUMN country text CHECK (country ~ '^[A-Z]{2}$');

-- What becomes of those whose language is not ready; and what an action puts right.
ALTER TABLE actions
    DROP CONSTRAINT actions_kind_check,
    ADD CONSTRAINT actions_kind_check CHECK (kind IN ('alert', 'letter', 'correction')),
    ADD COLUMN waits_until timestamptz,                    -- null: the next of her languages goes at once
    ADD COLUMN corrects   uuid UNIQUE REFERENCES actions;

-- Which installation this database belongs to, and which server it last ran on: another one is a restored copy.
ALTER TABLE network
    ADD COLUMN instance   text NOT NULL DEFAULT '',
    ADD COLUMN server     text NOT NULL DEFAULT '';
