-- The index. Everything about sessions can be rebuilt from the footage tree (`shilu rebuild`); accounts, requests and the texts
-- that log entries bind live here alone.

CREATE TABLE accounts (
    id             TEXT PRIMARY KEY,
    username       TEXT NOT NULL UNIQUE COLLATE NOCASE,
    name           TEXT NOT NULL,
    unit           TEXT,
    certificate_no TEXT,
    roles          TEXT NOT NULL,               -- JSON array of role words
    leads          TEXT NOT NULL,               -- JSON array of units; empty: all
    password_hash  TEXT NOT NULL,               -- argon2id, PHC string
    active         INTEGER NOT NULL DEFAULT 1,
    failures       INTEGER NOT NULL DEFAULT 0,  -- wrong passwords since the last right one
    locked_until   INTEGER NOT NULL DEFAULT 0,  -- ms since 1970
    made_at        INTEGER NOT NULL
) STRICT;

-- Logins on the console. The cookie's value is not here, only its digest.
CREATE TABLE logins (
    token_sha256 TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id),
    csrf         TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX logins_by_account ON logins (account);

-- A session as its journal tells it. `doc` is the whole (model::session::Session); the columns beside it are what lists sort,
-- filter and show by, made from it at every write.
CREATE TABLE sessions (
    number     INTEGER PRIMARY KEY,
    id         TEXT NOT NULL UNIQUE,
    folder     TEXT NOT NULL,                   -- below the footage root
    unit       TEXT NOT NULL,
    room       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    started_at INTEGER NOT NULL,                -- ms since 1970
    length_ms  INTEGER,
    case_no    TEXT,
    party      TEXT,
    cause      TEXT,
    officers   TEXT NOT NULL,
    devices    TEXT NOT NULL,
    gaps       INTEGER NOT NULL,
    missing    INTEGER NOT NULL,
    doc        TEXT NOT NULL CHECK (json_valid(doc))
) STRICT;
CREATE INDEX sessions_by_start ON sessions (started_at DESC);
CREATE INDEX sessions_by_unit ON sessions (unit, started_at DESC);

-- The six fields of 第十七条 as pairs of characters (catalog::pairs), so that Chinese names of two characters are found.
CREATE VIRTUAL TABLE session_search USING fts5 (
    party, cause, officers, devices, numbers,
    content = '', contentless_delete = 1, tokenize = 'unicode61'
);

CREATE TABLE requests (
    id           TEXT PRIMARY KEY,
    requester    TEXT NOT NULL REFERENCES accounts (id),
    session      TEXT NOT NULL,
    unit         TEXT NOT NULL,
    state        TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    doc          TEXT NOT NULL CHECK (json_valid(doc)) -- model::access::AccessRequest
) STRICT;
CREATE INDEX requests_by_requester ON requests (requester, session);
CREATE INDEX requests_by_state ON requests (state, submitted_at);

-- 调用登记.
CREATE TABLE viewings (
    id        TEXT PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id),
    session   TEXT NOT NULL,
    request   TEXT NOT NULL REFERENCES requests (id),
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    seconds   INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE documents (
    session    TEXT NOT NULL,
    sha256     TEXT NOT NULL,
    name       TEXT NOT NULL,
    media_type TEXT NOT NULL,
    bytes      INTEGER NOT NULL,
    at         INTEGER NOT NULL,
    by_account TEXT NOT NULL REFERENCES accounts (id),
    PRIMARY KEY (session, sha256)
) STRICT, WITHOUT ROWID;

-- The custody log, indexed. The log itself is custody/log.
CREATE TABLE entries (
    number  INTEGER PRIMARY KEY,                -- the entry's index in its log, behind those of earlier logs
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    actor   TEXT,
    session TEXT,
    doc     TEXT NOT NULL CHECK (json_valid(doc))
) STRICT;
CREATE INDEX entries_by_session ON entries (session, number);
CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries BEGIN
    SELECT RAISE (ABORT, 'entries are never changed');
END;
CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries BEGIN
    SELECT RAISE (ABORT, 'entries are never removed');
END;

-- Texts that entries bind by a salted digest.
CREATE TABLE bound_texts (
    entry INTEGER NOT NULL REFERENCES entries (number),
    name  TEXT NOT NULL,
    salt  TEXT NOT NULL,
    text  TEXT NOT NULL,
    PRIMARY KEY (entry, name)
) STRICT, WITHOUT ROWID;
