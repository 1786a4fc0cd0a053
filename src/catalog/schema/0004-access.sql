-- Who looks at what by whose leave, and what is handed to courts.

-- A request is for a list of sessions.
CREATE TABLE request_sessions (
    session TEXT NOT NULL,
    request TEXT NOT NULL REFERENCES requests (id),
    PRIMARY KEY (session, request)
) STRICT, WITHOUT ROWID;
INSERT INTO request_sessions (session, request) SELECT session, id FROM requests;
DROP INDEX requests_by_requester;
ALTER TABLE requests DROP COLUMN session;
CREATE INDEX requests_by_requester ON requests (requester, submitted_at DESC);
CREATE INDEX requests_by_time ON requests (submitted_at);

ALTER TABLE viewings ADD COLUMN address TEXT;                    -- where from
CREATE INDEX viewings_by_time ON viewings (opened_at);

ALTER TABLE accounts ADD COLUMN valid_from TEXT;                 -- first day, 2026-11-23
ALTER TABLE accounts ADD COLUMN valid_until TEXT;                -- last day
ALTER TABLE accounts ADD COLUMN email TEXT;
ALTER TABLE accounts ADD COLUMN sso_name TEXT;                   -- what the single sign-on calls this person
ALTER TABLE accounts ADD COLUMN one_login INTEGER NOT NULL DEFAULT 0; -- signing in ends the person's other logins
ALTER TABLE accounts ADD COLUMN totp TEXT;                       -- base32 (RFC 6238)
ALTER TABLE accounts ADD COLUMN totp_new TEXT;                   -- shown, and not confirmed by a code yet
ALTER TABLE accounts ADD COLUMN totp_step INTEGER NOT NULL DEFAULT 0; -- the last step that was used: a code is good once
CREATE UNIQUE INDEX accounts_by_sso ON accounts (sso_name) WHERE sso_name IS NOT NULL;

ALTER TABLE logins ADD COLUMN id TEXT NOT NULL DEFAULT '';       -- named in lists; opens nothing
ALTER TABLE logins ADD COLUMN address TEXT;
ALTER TABLE logins ADD COLUMN agent TEXT;                        -- what the browser calls itself
ALTER TABLE logins ADD COLUMN way TEXT NOT NULL DEFAULT 'password';
ALTER TABLE logins ADD COLUMN proved_at INTEGER NOT NULL DEFAULT 0; -- when it last showed password or key, ms since 1970
DELETE FROM logins;

CREATE TABLE passkeys (
    id      TEXT PRIMARY KEY,                   -- the credential's, base64url
    account TEXT NOT NULL REFERENCES accounts (id),
    name    TEXT NOT NULL,
    doc     TEXT NOT NULL CHECK (json_valid(doc)),
    made_at INTEGER NOT NULL,
    used_at INTEGER
) STRICT;
CREATE INDEX passkeys_by_account ON passkeys (account);

CREATE TABLE deputations (
    id     TEXT PRIMARY KEY,
    leader TEXT NOT NULL REFERENCES accounts (id),
    deputy TEXT NOT NULL REFERENCES accounts (id),
    doc    TEXT NOT NULL CHECK (json_valid(doc)) -- model::access::Deputation
) STRICT;
CREATE INDEX deputations_by_deputy ON deputations (deputy);

-- Tokens of other systems. The token is not here, only its digest.
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

CREATE TABLE copies (
    id      TEXT PRIMARY KEY,
    account TEXT NOT NULL REFERENCES accounts (id),
    session TEXT NOT NULL,
    made_at INTEGER NOT NULL,
    doc     TEXT NOT NULL CHECK (json_valid(doc)) -- model::copy::Copy
) STRICT;
CREATE INDEX copies_by_account ON copies (account, made_at DESC);

CREATE TABLE provisions (
    id         TEXT PRIMARY KEY,
    state      TEXT NOT NULL,
    entered_at INTEGER NOT NULL,
    doc        TEXT NOT NULL CHECK (json_valid(doc)) -- model::provision::Provision
) STRICT;
CREATE INDEX provisions_by_time ON provisions (entered_at DESC);

-- Sessions that may not be given up, and why.
CREATE TABLE holds (
    session TEXT NOT NULL,
    ground  TEXT NOT NULL,                      -- provision
    about   TEXT NOT NULL,                      -- its number
    since   INTEGER NOT NULL,
    PRIMARY KEY (session, ground, about)
) STRICT, WITHOUT ROWID;
