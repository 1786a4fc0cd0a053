-- The queue to the archive, and what lies there. Both can be made anew: the queue from the tree, the rest from the bucket.

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
    problem     TEXT,
    PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX archive_waiting ON archive_items (since) WHERE since IS NOT NULL;
CREATE INDEX archive_looked ON archive_items (looked_at);

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
