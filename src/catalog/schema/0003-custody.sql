-- Entries are numbered through all logs: a log that had to begin anew goes on behind the one before.
CREATE TABLE logs (
    origin TEXT PRIMARY KEY,
    base   INTEGER NOT NULL UNIQUE              -- the number of its first entry
) STRICT;

-- Files that get timestamps from outside (RFC 3161): manifests, and heads of the log. The tokens lie beside the files.
CREATE TABLE timestamps (
    root       TEXT NOT NULL,                   -- footage or log
    path       TEXT NOT NULL,                   -- below it
    since      INTEGER NOT NULL,                -- waits since, ms since 1970
    tokens     INTEGER NOT NULL DEFAULT 0,
    made_at    INTEGER,                         -- the first token's time
    good_until INTEGER,                         -- when the last token's first certificate ends; none: waits for its first
    PRIMARY KEY (root, path)
) STRICT, WITHOUT ROWID;
CREATE INDEX timestamps_due ON timestamps (good_until, since);

-- An anchor sheet lists the faults of its day.
CREATE INDEX entries_by_kind ON entries (kind, at);
