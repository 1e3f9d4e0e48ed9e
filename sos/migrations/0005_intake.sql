-- Reports: her words are sealed before anybody, she included, is told that they arrived.

CREATE TABLE reports (
    id            uuid PRIMARY KEY,
    number        integer NOT NULL UNIQUE CHECK (number BETWEEN 100000 AND 999999),
    form_index    bytea NOT NULL UNIQUE,          -- SHA-256 of the form's secret: the same form makes one report
    language      text NOT NULL,
    urgency       text NOT NULL CHECK (urgency IN ('life', 'serious', 'routine')),
    words_sealed  bytea NOT NULL,                 -- under the report's key
    receipt_salt  bytea NOT NULL,
    wrong_codes   smallint NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    filed_at      timestamptz NOT NULL,
    opened_by     uuid REFERENCES staff,
    opened_at     timestamptz
);
