-- The secretariat: its people, their keys and their sessions, and who holds the key of which report or case.

CREATE TABLE staff (
    id                  uuid PRIMARY KEY,
    login_index         bytea NOT NULL UNIQUE,
    name_sealed         bytea NOT NULL,
    roles               text[] NOT NULL CHECK (roles <@ ARRAY['triage', 'verifier', 'editor', 'translator', 'approver', 'administrator']),
    language            text NOT NULL,
    time_zone           text NOT NULL,
    on_duty             boolean NOT NULL DEFAULT false,
    public_key          bytea NOT NULL,
    private_key_sealed  bytea NOT NULL,           -- under Argon2id of her passphrase
    totp_sealed         bytea NOT NULL,
    totp_used_step      bigint NOT NULL DEFAULT 0,
    wrong_tries         smallint NOT NULL DEFAULT 0,
    locked_until        timestamptz,
    joined_at           timestamptz NOT NULL,
    left_at             timestamptz
);

CREATE TABLE sessions (
    id            bytea PRIMARY KEY,              -- SHA-256 of the half of the cookie that names the session
    staff_id      uuid NOT NULL REFERENCES staff,
    key_wrapped   bytea NOT NULL,                 -- her private key, under the half of the cookie that nobody stores
    began_at      timestamptz NOT NULL,
    expires_at    timestamptz NOT NULL
);

CREATE TABLE key_grants (
    key_id        uuid NOT NULL,                  -- the report or case whose key this is
    key_kind      text NOT NULL CHECK (key_kind IN ('report', 'case')),
    holder_kind   text NOT NULL CHECK (holder_kind IN ('staff', 'recovery', 'receipt')),
    holder_id     uuid NOT NULL,
    sealed        bytea NOT NULL,
    granted_by    uuid,
    granted_at    timestamptz NOT NULL,
    PRIMARY KEY (key_id, holder_kind, holder_id)
);
CREATE INDEX key_grants_by_holder ON key_grants (holder_id);
