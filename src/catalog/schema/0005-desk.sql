-- What the questioning desk needs: how long a certificate is valid, whose sessions are listed narrowly, what is planned.

ALTER TABLE accounts ADD COLUMN certificate_until TEXT;          -- last day, 2027-06-30
ALTER TABLE sessions ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;

CREATE TABLE plans (
    id      TEXT PRIMARY KEY,
    room    TEXT NOT NULL,
    unit    TEXT NOT NULL,
    at      INTEGER NOT NULL,                   -- ms since 1970
    doc     TEXT NOT NULL CHECK (json_valid(doc)) -- model::plan::Plan
) STRICT;
CREATE INDEX plans_by_time ON plans (at);
