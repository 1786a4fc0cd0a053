-- What lacks something, for the first page and its list: from this index alone, however many sessions lack nothing.
CREATE INDEX sessions_lacking ON sessions (unit, number DESC, restricted, officers, json_extract(doc, '$.started_by'), length_ms, started_at)
WHERE missing > 0 AND json_extract(doc, '$.mistake') IS NULL;

-- When somebody last looked at a list: what came since is new to them.
CREATE TABLE looks (
    account TEXT NOT NULL REFERENCES accounts (id),
    list    TEXT NOT NULL,                      -- 'refusals', 'sign_ins', 'patterns', 'review 2026-3'
    at      INTEGER NOT NULL,                   -- ms since 1970
    PRIMARY KEY (account, list)
) STRICT;
