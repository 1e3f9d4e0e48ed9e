-- Who we can reach: members, the people in them, and their addresses. Names and addresses are sealed under the key file.

CREATE TABLE members (
    id            uuid PRIMARY KEY,
    reference     text NOT NULL UNIQUE,           -- the key by which an import finds the member again
    kind          text NOT NULL CHECK (kind IN ('ngo', 'movement', 'grassroots', 'individual')),
    standing      text NOT NULL CHECK (standing IN ('member', 'ally')),
    country       text NOT NULL CHECK (country ~ '^[A-Z]{2}$'),
    region        text NOT NULL,
    groups        text[] NOT NULL DEFAULT '{}',
    names_sealed  bytea NOT NULL,                 -- {language: name as the organisation writes it; "": in its own script}
    joined_at     timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE contacts (
    id            uuid PRIMARY KEY,
    member_id     uuid NOT NULL REFERENCES members,
    name_sealed   bytea NOT NULL,
    languages     text[] NOT NULL CHECK (cardinality(languages) > 0),
    channels      text[] NOT NULL DEFAULT '{}',   -- in order of preference
    time_zone     text NOT NULL,
    may_sign      boolean NOT NULL DEFAULT false,
    discreet      boolean NOT NULL DEFAULT false,
    paused        boolean NOT NULL DEFAULT false,
    gender        text CHECK (gender IN ('woman', 'man', 'other')),
    joined_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX contacts_by_member ON contacts (member_id);

-- One table for every kind of recipient, so that every message goes through one ledger.
CREATE TABLE addresses (
    id            uuid PRIMARY KEY,
    owner_kind    text NOT NULL CHECK (owner_kind IN ('contact', 'staff', 'target')),
    owner_id      uuid NOT NULL,
    channel       text NOT NULL CHECK (channel IN ('email', 'sms', 'telegram')),
    value_sealed  bytea NOT NULL,
    value_index   bytea NOT NULL,                 -- blind: found by who knows the address and holds the key file
    verified_at   timestamptz,
    UNIQUE (owner_id, channel)
);
CREATE INDEX addresses_by_value ON addresses (channel, value_index);
-- An answer from an address must be one person's: nobody shares hers with another contact.
CREATE UNIQUE INDEX one_contact_per_address ON addresses (channel, value_index) WHERE owner_kind = 'contact';

-- Kept by address, not by contact, so that an import cannot bring back somebody who said stop.
CREATE TABLE suppressions (
    channel       text NOT NULL,
    value_index   bytea NOT NULL,
    reason        text NOT NULL CHECK (reason IN ('opted_out', 'blocked', 'bounced', 'wrong_number')),
    since         timestamptz NOT NULL,
    PRIMARY KEY (channel, value_index)
);
