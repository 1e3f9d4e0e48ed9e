-- Actions: drafts are sealed under the key file until they leave; approved public text is plain.

CREATE TABLE actions (
    id             uuid PRIMARY KEY,
    case_id        uuid NOT NULL REFERENCES cases,
    kind           text NOT NULL CHECK (kind IN ('alert', 'letter')),
    urgency        text NOT NULL CHECK (urgency IN ('life', 'serious', 'routine')),
    state          text NOT NULL CHECK (state IN ('draft', 'approved', 'launched', 'stopped', 'closed')),
    names_shown    text NOT NULL CHECK (names_shown IN ('target', 'public', 'counted')),
    regions        text[] NOT NULL DEFAULT '{}',   -- empty: every region
    groups         text[] NOT NULL DEFAULT '{}',   -- empty: every working group
    deadline_at    timestamptz NOT NULL,
    drafted_by     uuid NOT NULL REFERENCES staff,
    drafted_at     timestamptz NOT NULL,
    launched_by    uuid REFERENCES staff,
    launched_at    timestamptz,
    stopped_by     uuid REFERENCES staff,
    stopped_at     timestamptz
);

CREATE TABLE drafts (
    action_id      uuid NOT NULL REFERENCES actions,
    language       text NOT NULL,
    is_original    boolean NOT NULL,
    state          text NOT NULL CHECK (state IN ('draft', 'reviewed', 'outdated')),
    sealed         bytea NOT NULL,                 -- title, summary, body
    hash           bytea NOT NULL,                 -- SHA-256 of the text
    names_found    smallint,                       -- withheld names in the text, counted in a session that may read them
    written_by     uuid NOT NULL REFERENCES staff,
    written_at     timestamptz NOT NULL,
    reviewed_by    uuid REFERENCES staff,
    PRIMARY KEY (action_id, language)
);

CREATE TABLE targets (
    id             uuid PRIMARY KEY,
    action_id      uuid NOT NULL REFERENCES actions,
    name_sealed    bytea NOT NULL,
    title_sealed   bytea NOT NULL,
    language       text NOT NULL,
    position       smallint NOT NULL
);

CREATE TABLE approvals (
    action_id      uuid NOT NULL REFERENCES actions,
    fingerprint    bytea NOT NULL,                 -- SHA-256 of texts, audience, targets and deadline
    approved_by    uuid NOT NULL REFERENCES staff,
    approved_at    timestamptz NOT NULL,
    voided_at      timestamptz
);
CREATE UNIQUE INDEX one_standing_approval ON approvals (action_id) WHERE voided_at IS NULL;

CREATE TABLE texts (
    action_id      uuid NOT NULL REFERENCES actions,
    language       text NOT NULL,
    title          text NOT NULL,
    summary        text NOT NULL,
    body           text NOT NULL,
    hash           bytea NOT NULL,
    PRIMARY KEY (action_id, language)
);
