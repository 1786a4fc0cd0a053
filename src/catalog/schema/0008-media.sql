-- The register of media (第十九条). A medium is a file, media/<number>/medium.json; this is its index.

CREATE TABLE media (
    id         TEXT PRIMARY KEY,
    unit       TEXT NOT NULL,
    kind       TEXT NOT NULL,
    state      TEXT NOT NULL,
    ordered_at INTEGER NOT NULL,                -- ms since 1970
    next_check TEXT,                            -- the earliest of its copies', 2027-11-25
    doc        TEXT NOT NULL CHECK (json_valid(doc)) -- model::medium::Medium
) STRICT;
CREATE INDEX media_by_time ON media (ordered_at DESC);
CREATE INDEX media_by_check ON media (next_check) WHERE next_check IS NOT NULL;

-- Which sessions are on which, in parts.
CREATE TABLE media_sessions (
    session     TEXT NOT NULL,
    medium      TEXT NOT NULL REFERENCES media (id),
    part        INTEGER NOT NULL,
    parts       INTEGER NOT NULL,
    verified_at INTEGER,                        -- when a copy was last found right, ms since 1970; none: no copy is
    PRIMARY KEY (session, medium, part)
) STRICT, WITHOUT ROWID;
