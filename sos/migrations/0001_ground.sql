-- What every stage stands on: the network itself, the journal, and later work.

CREATE TABLE network (
    only_one      boolean PRIMARY KEY DEFAULT true CHECK (only_one),
    kind          text NOT NULL CHECK (kind IN ('practice', 'real')),
    recovery_key  bytea NOT NULL,                 -- the public half; the private half is kept offline
    founded_at    timestamptz NOT NULL
);

CREATE TABLE journal (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL,
    actor_kind    text NOT NULL CHECK (actor_kind IN ('staff', 'contact', 'reporter', 'provider', 'system')),
    actor_id      uuid,
    did           text NOT NULL CHECK (did ~ '^[a-z_]+\.[a-z_]+$'),
    subject_id    uuid NOT NULL,
    facts         jsonb NOT NULL DEFAULT '{}'     -- ids, counts and labels; never a name, an address or a text
);
CREATE INDEX journal_by_subject ON journal (subject_id, id);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the journal is only ever appended';
END $$;
CREATE TRIGGER journal_is_append_only BEFORE UPDATE OR DELETE ON journal
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE work (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name          text NOT NULL,
    subject_id    uuid NOT NULL,
    due_at        timestamptz NOT NULL,
    lease_until   timestamptz,
    attempts      smallint NOT NULL DEFAULT 0,
    done_at       timestamptz,
    asked_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, subject_id, due_at)
);
CREATE INDEX work_due ON work (due_at) WHERE done_at IS NULL;

CREATE TABLE incoming (
    provider      text NOT NULL,
    provider_id   text NOT NULL,
    came_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, provider_id)
);
