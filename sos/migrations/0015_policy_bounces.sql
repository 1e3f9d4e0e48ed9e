-- Bounces that say that we are not wanted: many within a short time close the channel.

CREATE TABLE policy_bounces (
    delivery_id   bigint PRIMARY KEY,
    came_at       timestamptz NOT NULL
);
CREATE INDEX policy_bounces_by_time ON policy_bounces (came_at);
