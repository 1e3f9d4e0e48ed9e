-- A check for withheld names is good for those whose names were looked for: one who joins the case or takes her consent
-- back afterwards was not among them.
ALTER TABLE drafts ADD COLUMN names_looked_for uuid[] NOT NULL DEFAULT '{}';
