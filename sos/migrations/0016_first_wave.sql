-- The few rows of each action that went first are looked at twice a second while the others wait.
CREATE INDEX deliveries_first_wave ON deliveries (about) WHERE is_canary;
