-- Cases: urgency, owner, clocks and consents are labels; what was said and found is sealed under the case's key.

CREATE TABLE cases (
    id                    uuid PRIMARY KEY,
    report_id             uuid NOT NULL UNIQUE REFERENCES reports,     -- one report makes one case
    number                integer NOT NULL UNIQUE,
    urgency               text NOT NULL CHECK (urgency IN ('life', 'serious', 'routine')),
    owner_id              uuid NOT NULL REFERENCES staff,
    working_group         text NOT NULL,
    state                 text NOT NULL CHECK (state IN ('open', 'waiting', 'verified', 'closed')),
    opened_at             timestamptz NOT NULL,
    first_contact_due_at  timestamptz NOT NULL,
    decision_due_at       timestamptz NOT NULL,
    first_contact_at      timestamptz,
    waiting_since         timestamptz,
    decided_at            timestamptz,
    mandate               text CHECK (mandate IN ('inside', 'outside')),
    ending                text CHECK (ending IN ('acted', 'referred', 'private', 'outside', 'unconfirmed', 'unsafe')),
    CHECK ((state = 'waiting') = (waiting_since IS NOT NULL)),
    CHECK ((state = 'closed') = (ending IS NOT NULL)),
    CHECK (state <> 'closed' OR decided_at IS NOT NULL),
    CHECK (state <> 'verified' OR mandate = 'inside')
);

-- From whom to whom. The owner changes when it is accepted; at most one waits to be.
CREATE TABLE handovers (
    id             uuid PRIMARY KEY,
    case_id        uuid NOT NULL REFERENCES cases,
    from_id        uuid NOT NULL REFERENCES staff,
    to_id          uuid NOT NULL REFERENCES staff,
    handed_at      timestamptz NOT NULL,
    accepted_at    timestamptz,
    taken_back_at  timestamptz,
    CHECK (from_id <> to_id),
    CHECK (accepted_at IS NULL OR taken_back_at IS NULL)
);
CREATE UNIQUE INDEX one_standing_handover ON handovers (case_id) WHERE accepted_at IS NULL AND taken_back_at IS NULL;

CREATE TABLE subjects (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL CHECK (kind IN ('person', 'group', 'organisation', 'community')),
    people        integer NOT NULL CHECK (people > 0),
    name_sealed   bytea NOT NULL
);
CREATE INDEX subjects_by_case ON subjects (case_id);

-- Appended; the latest row of a scope is what holds. No row means no.
CREATE TABLE consents (
    id            uuid PRIMARY KEY,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    subject_id    uuid NOT NULL REFERENCES subjects,
    scope         text NOT NULL,
    value         text NOT NULL CHECK (value IN ('yes', 'anonymised', 'no', 'not_asked', 'withdrawn')),
    how_sealed    bytea NOT NULL,                 -- how it was asked, or why it could not be
    recorded_by   uuid NOT NULL REFERENCES staff,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX consents_latest ON consents (subject_id, scope, position DESC);

CREATE TABLE corroborations (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    source        text NOT NULL CHECK (source IN ('member_near', 'member', 'partner', 'document', 'press', 'other')),
    note_sealed   bytea NOT NULL,
    recorded_by   uuid NOT NULL REFERENCES staff,
    recorded_at   timestamptz NOT NULL
);
CREATE INDEX corroborations_by_case ON corroborations (case_id);

-- Reliability of the source and validity of the information, as two grades (the 6×6 of STANAG 2511, "Admiralty code").
-- Appended; the latest row holds, and everybody who ever graded counts as a verifier.
CREATE TABLE grades (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    reliability   text NOT NULL CHECK (reliability IN ('A', 'B', 'C', 'D', 'E', 'F')),
    validity      text NOT NULL CHECK (validity IN ('1', '2', '3', '4', '5', '6')),
    graded_by     uuid NOT NULL REFERENCES staff,
    graded_at     timestamptz NOT NULL
);
CREATE INDEX grades_by_case ON grades (case_id, id DESC);

CREATE TABLE verifications (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    verified_by   uuid NOT NULL REFERENCES staff,
    verified_at   timestamptz NOT NULL
);
CREATE INDEX verifications_by_case ON verifications (case_id);

-- The reasons in words, sealed: one kind for each decision that needs one.
CREATE TABLE case_notes (
    id            uuid PRIMARY KEY,
    case_id       uuid NOT NULL REFERENCES cases,
    position      bigint GENERATED ALWAYS AS IDENTITY,
    kind          text NOT NULL CHECK (kind IN ('contact', 'waiting', 'mandate', 'risk_act', 'risk_wait', 'exception',
                                                'handover', 'taken_over', 'resumed', 'closed')),
    text_sealed   bytea NOT NULL,
    written_by    uuid NOT NULL REFERENCES staff,
    written_at    timestamptz NOT NULL
);
CREATE INDEX case_notes_by_case ON case_notes (case_id, position);
