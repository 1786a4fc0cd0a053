-- What the questioning desk needs: how long a certificate is valid, whose sessions are listed narrowly, what is planned.

ALTER TABLE accounts ADD COLUMN certificate_until TEXT;          -- last day, 2027-06-30
ALTER TABLE sessions ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;
-- What a list narrows and counts by, without reading the rows.
CREATE INDEX sessions_listed ON sessions (unit, restricted, started_at DESC);
DROP INDEX sessions_by_unit;

CREATE TABLE plans (
    id      TEXT PRIMARY KEY,
    room    TEXT NOT NULL,
    unit    TEXT NOT NULL,
    at      INTEGER NOT NULL,                   -- ms since 1970
    doc     TEXT NOT NULL CHECK (json_valid(doc)) -- model::plan::Plan
) STRICT;
CREATE INDEX plans_by_time ON plans (at);

-- A case as its file tells it (cases/<id>/case.json): model::case::Case. The columns beside it are what lists sort and narrow by.
CREATE TABLE cases (
    row        INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    intake_no  TEXT NOT NULL UNIQUE,
    unit       TEXT NOT NULL,
    state      TEXT NOT NULL,
    restricted INTEGER NOT NULL,
    officers   TEXT NOT NULL,                   -- certificate numbers, each in （）
    opened_by  TEXT NOT NULL,
    opened_at  INTEGER NOT NULL,                -- ms since 1970
    doc        TEXT NOT NULL CHECK (json_valid(doc))
) STRICT;
CREATE INDEX cases_by_time ON cases (opened_at DESC);
CREATE INDEX cases_by_state ON cases (state, opened_at DESC);

-- Every number that a case has or had.
CREATE TABLE case_numbers (
    number TEXT NOT NULL,
    id     TEXT NOT NULL REFERENCES cases (id),
    PRIMARY KEY (number, id)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE case_search USING fts5 (
    numbers, parties, cause,
    content = '', contentless_delete = 1, tokenize = 'unicode61'
);

-- Every case number that a session is or was linked to, so that both cases list it.
CREATE TABLE session_cases (
    case_no TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (case_no, session)
) STRICT, WITHOUT ROWID;

-- Alarms, and what people said to them.
CREATE TABLE alarms (
    id              TEXT PRIMARY KEY,
    room            TEXT NOT NULL,
    began_at        INTEGER NOT NULL,           -- ms since 1970
    ended_at        INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    reason          TEXT
) STRICT;
CREATE INDEX alarms_by_time ON alarms (began_at DESC);

-- Links to room screens and lamps: who has one sees that room and nothing else. The link itself is not here, only its digest.
CREATE TABLE screens (
    id           TEXT PRIMARY KEY,
    room         TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    made_at      INTEGER NOT NULL,              -- ms since 1970
    made_by      TEXT NOT NULL,
    ended_at     INTEGER
) STRICT;
