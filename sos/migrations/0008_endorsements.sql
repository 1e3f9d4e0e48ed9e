-- Answers: one for each contact, one signature for each organisation, each bound to one exact text in one language.

CREATE TABLE endorsements (
    id             uuid PRIMARY KEY,
    action_id      uuid NOT NULL REFERENCES actions,
    contact_id     uuid NOT NULL REFERENCES contacts,
    member_id      uuid NOT NULL REFERENCES members,
    answer         text NOT NULL CHECK (answer IN ('sign', 'sign_individually', 'decline', 'abstain', 'object')),
    language       text NOT NULL,
    text_hash      bytea NOT NULL,
    name_sealed    bytea NOT NULL,                 -- as it stood when she signed
    country        text NOT NULL,
    region         text NOT NULL,
    door           text NOT NULL CHECK (door IN ('web', 'telegram', 'sms')),
    delivery_id    bigint REFERENCES deliveries,
    answered_at    timestamptz NOT NULL,
    withdrawn_at   timestamptz
);
CREATE UNIQUE INDEX one_answer_per_contact ON endorsements (action_id, contact_id) WHERE withdrawn_at IS NULL;
CREATE UNIQUE INDEX one_signature_per_member ON endorsements (action_id, member_id)
    WHERE withdrawn_at IS NULL AND answer = 'sign';

-- Wrong codes by SMS, counted per number, so that guessing costs an hour.
CREATE TABLE wrong_codes (
    value_index    bytea PRIMARY KEY,
    tries          smallint NOT NULL,
    last_at        timestamptz NOT NULL
);
