-- How long sessions are kept and what holds them: made by `model::retention` from journals, cases, provisions and the table of
-- periods, so that what is due can be listed. The decision itself is made again from the files at the moment of a disposal.

-- The table of periods that the rows below were made by.
CREATE TABLE retention_table (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    doc TEXT NOT NULL CHECK (json_valid(doc))   -- model::retention::Table
) STRICT;

CREATE TABLE retention (
    session  TEXT PRIMARY KEY,
    unit     TEXT NOT NULL,
    class    TEXT NOT NULL,
    earliest INTEGER,                           -- ms since 1970; none: there is no date
    held     INTEGER NOT NULL,                  -- some hold is in force
    gone     INTEGER NOT NULL                   -- disposed
) STRICT, WITHOUT ROWID;
CREATE INDEX retention_due ON retention (earliest, unit) WHERE gone = 0 AND held = 0 AND earliest IS NOT NULL;
CREATE INDEX retention_by_class ON retention (class, unit) WHERE gone = 0;
CREATE INDEX retention_held ON retention (unit, session) WHERE held = 1;

CREATE TABLE provision_sessions (
    session   TEXT NOT NULL,
    provision TEXT NOT NULL REFERENCES provisions (id),
    PRIMARY KEY (session, provision)
) STRICT, WITHOUT ROWID;
INSERT INTO provision_sessions (session, provision) SELECT session, about FROM holds WHERE ground = 'provision';

ALTER TABLE holds ADD COLUMN state TEXT NOT NULL DEFAULT 'confirmed';
CREATE INDEX holds_by_state ON holds (state, since);

CREATE TABLE disposals (
    id          TEXT PRIMARY KEY,
    unit        TEXT NOT NULL,
    state       TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    doc         TEXT NOT NULL CHECK (json_valid(doc)) -- model::disposal::Disposal
) STRICT;
CREATE INDEX disposals_by_time ON disposals (proposed_at DESC);
CREATE TABLE disposal_sessions (
    session  TEXT NOT NULL,
    disposal TEXT NOT NULL REFERENCES disposals (id),
    PRIMARY KEY (session, disposal)
) STRICT, WITHOUT ROWID;
