-- The phones of a practice network: what would have been sent, and the secrets of its made-up staff.

CREATE TABLE practice_messages (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    channel        text NOT NULL,
    address_index  bytea NOT NULL,
    sealed         bytea NOT NULL,
    came_at        timestamptz NOT NULL DEFAULT now()
);
