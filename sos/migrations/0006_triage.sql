-- Cases: urgency, owner and clocks are labels; what was said and found is sealed under the case's key.

CREATE TABLE cases (
    id                    uuid PRIMARY KEY,
    report_id             uuid NOT NULL UNIQUE REFERENCES reports,
    number                integer NOT NULL UNIQUE,
    urgency               text NOT NULL CHECK (urgency IN ('life', 'serious', 'routine')),
    owner_id              uuid NOT NULL REFERENCES staff,
    handed_to             uuid REFERENCES staff,
    working_group         text NOT NULL,
    state                 text NOT NULL CHECK (state IN ('open', 'waiting', 'verified', 'closed')),
    opened_at             timestamptz NOT NULL,
    first_contact_due_at  timestamptz NOT NULL,
    decision_due_at       timestamptz NOT NULL,
    first_contact_at      timestamptz,
    decided_at            timestamptz,
    mandate               text CHECK (mandate IN ('inside', 'outside')),
    verified_by           uuid REFERENCES staff
);

CREATE TABLE subjects (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    kind          text NOT NULL CHECK (kind IN ('person', 'group', 'organisation', 'community')),
    people        integer NOT NULL CHECK (people > 0),
    name_sealed   bytea NOT NULL
);

-- Appended; the latest row of a scope is what holds. No row means no.
CREATE TABLE consents (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    subject_id    uuid NOT NULL REFERENCES subjects,
    scope         text NOT NULL,
    value         text NOT NULL CHECK (value IN ('yes', 'anonymised', 'no', 'not_asked', 'withdrawn')),
    how_sealed    bytea NOT NULL,                 -- how it was asked, or why it could not be
    recorded_by   uuid NOT NULL REFERENCES staff,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX consents_latest ON consents (subject_id, scope, id DESC);

CREATE TABLE corroborations (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    source        text NOT NULL CHECK (source IN ('member_near', 'member', 'partner', 'document', 'press', 'other')),
    note_sealed   bytea NOT NULL,
    recorded_by   uuid NOT NULL REFERENCES staff,
    recorded_at   timestamptz NOT NULL
);

-- Reliability of the source and validity of the information, as two grades (the 6×6 of STANAG 2511, "Admiralty code").
CREATE TABLE grades (
    case_id       uuid PRIMARY KEY REFERENCES cases,
    reliability   text NOT NULL CHECK (reliability IN ('A', 'B', 'C', 'D', 'E', 'F')),
    validity      text NOT NULL CHECK (validity IN ('1', '2', '3', '4', '5', '6')),
    risks_sealed  bytea NOT NULL,                 -- the risk if we act and if we do not
    graded_by     uuid NOT NULL REFERENCES staff,
    graded_at     timestamptz NOT NULL
);
