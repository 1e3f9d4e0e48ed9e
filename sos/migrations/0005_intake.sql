-- Reports: her words are sealed before anybody, she included, is told that they arrived.

-- Numbers do not tell how many reports there are: steps of 558,041 modulo 900,000 meet each number once.
CREATE SEQUENCE report_numbers;

CREATE TABLE reports (
    id            uuid PRIMARY KEY,
    number        integer NOT NULL UNIQUE DEFAULT 100000 + nextval('report_numbers') * 558041 % 900000,
    form_index    bytea NOT NULL UNIQUE,          -- SHA-256 of the form's secret: the same form makes one report
    language      text NOT NULL,
    urgency       text NOT NULL CHECK (urgency IN ('life', 'serious', 'routine')),
    words_sealed  bytea NOT NULL,                 -- under the report's key
    receipt_salt  bytea NOT NULL,
    wrong_codes   smallint NOT NULL DEFAULT 0,
    locked_until  timestamptz,
    stage         text NOT NULL DEFAULT 'received'
                  CHECK (stage IN ('received', 'opened', 'checking', 'acting', 'closed')),
    filed_at      timestamptz NOT NULL,
    opened_by     uuid REFERENCES staff,
    opened_at     timestamptz
);
