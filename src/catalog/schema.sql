-- The whole schema of the catalog, as the steps beside schema/ make it: to be read, never run. A test holds the two equal.

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
, certificate_until TEXT, valid_from TEXT, valid_until TEXT, email TEXT, sso_name TEXT, one_login INTEGER NOT NULL DEFAULT 0, totp TEXT, totp_new TEXT, totp_step INTEGER NOT NULL DEFAULT 0, first_until INTEGER) STRICT;

CREATE UNIQUE INDEX accounts_by_sso ON accounts (sso_name) WHERE sso_name IS NOT NULL;

CREATE TABLE alarm_messages (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    id      TEXT NOT NULL,
    batch   TEXT,
    doc     TEXT NOT NULL CHECK (json_valid(doc)), -- model::alarm_message::Payload
    UNIQUE (channel, id)
) STRICT;

CREATE TABLE alarms (
    id              TEXT PRIMARY KEY,
    room            TEXT NOT NULL,
    began_at        INTEGER NOT NULL,           -- ms since 1970
    ended_at        INTEGER,
    acknowledged_at INTEGER,
    acknowledged_by TEXT,
    reason          TEXT
, kind TEXT NOT NULL DEFAULT 'room_in_use', severity TEXT NOT NULL DEFAULT 'urgent', subject TEXT NOT NULL DEFAULT '', name TEXT NOT NULL DEFAULT '', text TEXT, count INTEGER NOT NULL DEFAULT 1, unsteady INTEGER NOT NULL DEFAULT 0, told_at INTEGER NOT NULL DEFAULT 0, reminders INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX alarms_by_kind ON alarms (kind, began_at DESC);

CREATE INDEX alarms_by_time ON alarms (began_at DESC);

CREATE INDEX alarms_open ON alarms (began_at) WHERE ended_at IS NULL OR acknowledged_at IS NULL;

CREATE TABLE archive_items (
    kind        TEXT NOT NULL,                  -- session, case, provision, log, keys
    id          TEXT NOT NULL,
    folder      TEXT NOT NULL,                  -- below the data root
    since       INTEGER,                        -- waits since, ms since 1970; none: nothing waits
    number      INTEGER NOT NULL DEFAULT 0,     -- of its newest index
    archived_at INTEGER,
    looked_at   INTEGER NOT NULL DEFAULT 0,     -- when its locks were compared with what retention says
    released_at INTEGER,                        -- its footage lies in the archive alone since
    dispose_at  INTEGER,                        -- given up since; its objects go when their locks end
    problem     TEXT, dispose_after INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;

CREATE INDEX archive_disposing ON archive_items (dispose_after) WHERE dispose_at IS NOT NULL;

CREATE INDEX archive_looked ON archive_items (looked_at);

CREATE INDEX archive_waiting ON archive_items (since) WHERE since IS NOT NULL;

CREATE TABLE archive_objects (
    key           TEXT NOT NULL,
    version       TEXT NOT NULL,
    kind          TEXT NOT NULL,
    id            TEXT NOT NULL,
    name          TEXT NOT NULL,                -- below the item's folder; empty: an index
    file_sha256   TEXT NOT NULL,
    file_bytes    INTEGER NOT NULL,
    part          INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    sha256        TEXT NOT NULL,
    stored_bytes  INTEGER NOT NULL,
    stored_sha256 TEXT NOT NULL,
    locked_until  INTEGER NOT NULL,             -- ms since 1970
    held          INTEGER NOT NULL,
    verified_at   INTEGER NOT NULL,
    current       INTEGER NOT NULL DEFAULT 1,   -- 0: another version or another content has taken its place
    PRIMARY KEY (key, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX archive_objects_of ON archive_objects (kind, id, current);

CREATE INDEX archive_objects_verified ON archive_objects (current, verified_at);

CREATE INDEX archive_superseded ON archive_objects (locked_until) WHERE current = 0;

CREATE TABLE bound_texts (
    entry INTEGER NOT NULL REFERENCES entries (number),
    name  TEXT NOT NULL,
    salt  TEXT NOT NULL,
    text  TEXT NOT NULL,
    PRIMARY KEY (entry, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE case_numbers (
    number TEXT NOT NULL,
    id     TEXT NOT NULL REFERENCES cases (id),
    PRIMARY KEY (number, id)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE case_search USING fts5 (
    numbers, parties, cause,
    content = '', contentless_delete = 1, tokenize = 'unicode61'
);

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

CREATE INDEX cases_by_state ON cases (state, opened_at DESC);

CREATE INDEX cases_by_time ON cases (opened_at DESC);

CREATE TABLE "check_outs" (
    id        TEXT PRIMARY KEY,
    device_no TEXT NOT NULL,
    unit      TEXT NOT NULL,
    account   TEXT NOT NULL,
    name      TEXT NOT NULL,                    -- of who took it, as it was then
    at        INTEGER NOT NULL,                 -- ms since 1970
    battery   INTEGER,                          -- percent, as it was read
    free_gb   INTEGER,
    ended_by  TEXT,                             -- who said that it holds nothing
    ended_at  INTEGER,                          -- when
    reason    TEXT
) STRICT;

CREATE INDEX check_outs_by_time ON check_outs (at DESC);

CREATE TABLE copies (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    session TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    doc     TEXT NOT NULL CHECK (json_valid(doc)) -- model::copy::Copy
) STRICT;

CREATE INDEX copies_by_account ON copies (account, made_at DESC);

CREATE TABLE deputations (
    id     TEXT PRIMARY KEY,
    leader TEXT NOT NULL REFERENCES accounts (id),
    deputy TEXT NOT NULL REFERENCES accounts (id),
    doc    TEXT NOT NULL CHECK (json_valid(doc)) -- model::access::Deputation
) STRICT;

CREATE INDEX deputations_by_deputy ON deputations (deputy);

CREATE TABLE devices (
    id               TEXT PRIMARY KEY,
    number           TEXT NOT NULL,             -- 执法记录设备编号
    kind             TEXT NOT NULL,
    unit             TEXT,
    standing         TEXT NOT NULL,
    next_maintenance TEXT,                      -- 2027-11-25
    doc              TEXT NOT NULL CHECK (json_valid(doc)) -- model::device::Device
) STRICT;

CREATE INDEX devices_by_maintenance ON devices (next_maintenance) WHERE next_maintenance IS NOT NULL;

CREATE INDEX devices_by_number ON devices (number);

CREATE TABLE disposal_sessions (
    session  TEXT NOT NULL,
    disposal TEXT NOT NULL REFERENCES disposals (id),
    PRIMARY KEY (session, disposal)
) STRICT, WITHOUT ROWID;

CREATE TABLE disposals (
    id          TEXT PRIMARY KEY,
    unit        TEXT NOT NULL,
    state       TEXT NOT NULL,
    proposed_at INTEGER NOT NULL,
    doc         TEXT NOT NULL CHECK (json_valid(doc)) -- model::disposal::Disposal
) STRICT;

CREATE INDEX disposals_by_time ON disposals (proposed_at DESC);

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

CREATE TABLE entries (
    number  INTEGER PRIMARY KEY,                -- the entry's index in its log, behind those of earlier logs
    at      TEXT NOT NULL,
    kind    TEXT NOT NULL,
    actor   TEXT,
    session TEXT,
    doc     TEXT NOT NULL CHECK (json_valid(doc))
) STRICT;

CREATE INDEX entries_by_kind ON entries (kind, at);

CREATE INDEX entries_by_session ON entries (session, number);

CREATE TRIGGER entries_are_never_changed BEFORE UPDATE ON entries BEGIN
    SELECT RAISE (ABORT, 'entries are never changed');
END;

CREATE TRIGGER entries_are_never_removed BEFORE DELETE ON entries BEGIN
    SELECT RAISE (ABORT, 'entries are never removed');
END;

CREATE TABLE handed_over (
    session  TEXT PRIMARY KEY,
    handover TEXT NOT NULL,
    unit     TEXT NOT NULL,
    at       INTEGER NOT NULL,                  -- ms since 1970
    received INTEGER NOT NULL                   -- 1: with the custodian's receipt
) STRICT, WITHOUT ROWID;

CREATE INDEX handed_over_by_number ON handed_over (handover);

CREATE INDEX handed_over_by_unit ON handed_over (unit, at DESC);

CREATE TABLE holds (
    session TEXT NOT NULL,
    ground  TEXT NOT NULL,                      -- provision
    about   TEXT NOT NULL,                      -- its number
    since   INTEGER NOT NULL, state TEXT NOT NULL DEFAULT 'confirmed',
    PRIMARY KEY (session, ground, about)
) STRICT, WITHOUT ROWID;

CREATE INDEX holds_by_state ON holds (state, since);

CREATE TABLE imported (
    session     TEXT PRIMARY KEY,
    sha256      TEXT NOT NULL,
    unit        TEXT NOT NULL,
    account     TEXT NOT NULL,                  -- who handed it in
    device_no   TEXT NOT NULL,                  -- as it was last corrected; empty: not known
    taken_in_at INTEGER NOT NULL                -- ms since 1970
) STRICT, WITHOUT ROWID;

CREATE INDEX imported_by_device ON imported (device_no, taken_in_at);

CREATE INDEX imported_by_digest ON imported (sha256);

CREATE INDEX imported_by_unit ON imported (unit, taken_in_at DESC);

CREATE TABLE logins (
    token_sha256 TEXT PRIMARY KEY,
    account      TEXT NOT NULL REFERENCES accounts (id),
    csrf         TEXT NOT NULL,
    made_at      INTEGER NOT NULL,
    seen_at      INTEGER NOT NULL
, id TEXT NOT NULL DEFAULT '', address TEXT, agent TEXT, way TEXT NOT NULL DEFAULT 'password', proved_at INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX logins_by_account ON logins (account);

CREATE TABLE logs (
    origin TEXT PRIMARY KEY,
    base   INTEGER NOT NULL UNIQUE              -- the number of its first entry
) STRICT;

CREATE TABLE looks (
    account TEXT NOT NULL REFERENCES accounts (id),
    list    TEXT NOT NULL,                      -- 'refusals', 'sign_ins', 'patterns', 'review 2026-3'
    at      INTEGER NOT NULL,                   -- ms since 1970
    PRIMARY KEY (account, list)
) STRICT;

CREATE TABLE media (
    id         TEXT PRIMARY KEY,
    unit       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    ordered_at INTEGER NOT NULL,                -- ms since 1970
    next_check TEXT,                            -- the earliest of its copies', 2027-11-25
    doc        TEXT NOT NULL CHECK (json_valid(doc)) -- model::medium::Medium
) STRICT;

CREATE INDEX media_by_check ON media (next_check) WHERE next_check IS NOT NULL;

CREATE INDEX media_by_time ON media (ordered_at DESC);

CREATE TABLE media_sessions (
    session     TEXT NOT NULL,
    medium      TEXT NOT NULL REFERENCES media (id),
    part        INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    verified_at INTEGER,                        -- when a copy was last found right, ms since 1970; none: no copy is
    PRIMARY KEY (session, medium, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE passkeys (
    id      TEXT PRIMARY KEY,                   -- the credential's, base64url
    account TEXT NOT NULL REFERENCES accounts (id),
    name    TEXT NOT NULL,
    doc     TEXT NOT NULL CHECK (json_valid(doc)),
    made_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;

CREATE INDEX passkeys_by_account ON passkeys (account);

CREATE TABLE plans (
    id      TEXT PRIMARY KEY,
    room    TEXT NOT NULL,
    unit    TEXT NOT NULL,
    at      INTEGER NOT NULL,                   -- ms since 1970
    doc     TEXT NOT NULL CHECK (json_valid(doc)) -- model::plan::Plan
) STRICT;

CREATE INDEX plans_by_time ON plans (at);

CREATE TABLE provision_sessions (
    session   TEXT NOT NULL,
    provision TEXT NOT NULL REFERENCES provisions (id),
    PRIMARY KEY (session, provision)
) STRICT, WITHOUT ROWID;

CREATE TABLE provisions (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    entered_at INTEGER NOT NULL,
    doc        TEXT NOT NULL CHECK (json_valid(doc)) -- model::provision::Provision
) STRICT;

CREATE INDEX provisions_by_time ON provisions (entered_at DESC);

CREATE TABLE request_sessions (
    session TEXT NOT NULL,
    request TEXT NOT NULL REFERENCES requests (id),
    PRIMARY KEY (session, request)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
    id           TEXT PRIMARY KEY,
    requester    TEXT NOT NULL REFERENCES accounts (id),
    unit         TEXT NOT NULL,
    state        TEXT NOT NULL,
    submitted_at INTEGER NOT NULL,
    doc          TEXT NOT NULL CHECK (json_valid(doc)) -- model::access::AccessRequest
) STRICT;

CREATE INDEX requests_by_requester ON requests (requester, submitted_at DESC);

CREATE INDEX requests_by_state ON requests (state, submitted_at);

CREATE INDEX requests_by_time ON requests (submitted_at);

CREATE TABLE retention (
    session  TEXT PRIMARY KEY,
    unit     TEXT NOT NULL,
    class    TEXT NOT NULL,
    earliest INTEGER,                           -- ms since 1970; none: there is no date
    held     INTEGER NOT NULL,                  -- some hold is in force
    gone     INTEGER NOT NULL                   -- disposed
, started_at INTEGER NOT NULL DEFAULT 0, restricted INTEGER NOT NULL DEFAULT 0) STRICT, WITHOUT ROWID;

CREATE INDEX retention_by_class ON retention (class, started_at DESC, unit, restricted) WHERE gone = 0;

CREATE INDEX retention_due ON retention (earliest, session, unit, restricted) WHERE gone = 0 AND held = 0 AND earliest IS NOT NULL;

CREATE INDEX retention_gone ON retention (started_at DESC, unit, restricted) WHERE gone = 1;

CREATE INDEX retention_held ON retention (started_at DESC, unit, restricted) WHERE gone = 0 AND held = 1;

CREATE TABLE retention_table (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    doc TEXT NOT NULL CHECK (json_valid(doc))   -- model::retention::Table
) STRICT;

CREATE TABLE screens (
    id           TEXT PRIMARY KEY,
    room         TEXT NOT NULL,
    token_sha256 TEXT NOT NULL UNIQUE,
    made_at      INTEGER NOT NULL,              -- ms since 1970
    made_by      TEXT NOT NULL,
    ended_at     INTEGER
) STRICT;

CREATE TABLE session_cases (
    case_no TEXT NOT NULL,
    session TEXT NOT NULL,
    PRIMARY KEY (case_no, session)
) STRICT, WITHOUT ROWID;

CREATE VIRTUAL TABLE session_search USING fts5 (
    party, cause, officers, devices, numbers,
    scope,                                      -- unit, and who may list it: tokens of `catalog::search`, never searched by a person
    content = '', contentless_delete = 1, tokenize = 'unicode61'
);

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
, restricted INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX sessions_by_start ON sessions (started_at DESC);

CREATE INDEX sessions_lacking ON sessions (unit, number DESC, restricted, officers, json_extract(doc, '$.started_by'), length_ms, started_at)
WHERE missing > 0 AND json_extract(doc, '$.mistake') IS NULL;

CREATE INDEX sessions_to_hand_over ON sessions (unit, started_at) WHERE state IN ('sealed', 'handed_over');

CREATE INDEX sessions_unsealed ON sessions (state) WHERE state = 'ended';

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

CREATE TABLE tokens (
    id           TEXT PRIMARY KEY,
    token_sha256 TEXT NOT NULL UNIQUE,
    account      TEXT NOT NULL REFERENCES accounts (id), -- in whose name it acts
    name         TEXT NOT NULL,                 -- the system's
    scopes       TEXT NOT NULL CHECK (json_valid(scopes)),
    made_at      INTEGER NOT NULL,
    until        INTEGER NOT NULL,
    ended_at     INTEGER,
    used_at      INTEGER
) STRICT;

CREATE TABLE viewings (
    id        TEXT PRIMARY KEY,
    account   TEXT NOT NULL REFERENCES accounts (id),
    session   TEXT NOT NULL,
    request   TEXT NOT NULL REFERENCES requests (id),
    opened_at INTEGER NOT NULL,
    closed_at INTEGER,
    seconds   INTEGER NOT NULL DEFAULT 0
, address TEXT) STRICT;

CREATE INDEX viewings_by_time ON viewings (opened_at);
