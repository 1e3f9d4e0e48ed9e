-- Letters: the text and its signatories, frozen; released by a person; sent to the targets through the ledger.

CREATE TABLE letters (
    id                  uuid PRIMARY KEY,
    action_id           uuid NOT NULL UNIQUE REFERENCES actions,
    state               text NOT NULL CHECK (state IN ('frozen', 'released')),
    signatories_sealed  bytea NOT NULL,
    signatories_hash    bytea NOT NULL,
    organisations       integer NOT NULL,
    individuals         integer NOT NULL,
    countries           integer NOT NULL,
    frozen_at           timestamptz NOT NULL,
    released_by         uuid REFERENCES staff,
    released_at         timestamptz
);

CREATE TABLE letter_files (
    letter_id      uuid NOT NULL REFERENCES letters,
    language       text NOT NULL,
    pages          smallint NOT NULL,
    sha256         bytea NOT NULL,
    pdf_sealed     bytea NOT NULL,
    PRIMARY KEY (letter_id, language)
);
