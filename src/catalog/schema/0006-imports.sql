-- Taking in and handing over (第十四条). What was taken in and what was handed over is indexed from the sessions; check-outs of
-- portable devices live here and in the log.

-- Every file that was taken in, so that the same one is known again.
CREATE TABLE imported (
    session     TEXT PRIMARY KEY,
    sha256      TEXT NOT NULL,
    unit        TEXT NOT NULL,
    account     TEXT NOT NULL,                  -- who handed it in
    device_no   TEXT NOT NULL,                  -- as it was last corrected; empty: not known
    taken_in_at INTEGER NOT NULL                -- ms since 1970
) STRICT, WITHOUT ROWID;
CREATE INDEX imported_by_digest ON imported (sha256);
CREATE INDEX imported_by_unit ON imported (unit, taken_in_at DESC);
CREATE INDEX imported_by_device ON imported (device_no, taken_in_at);

-- Which sessions were handed over together.
CREATE TABLE handed_over (
    session  TEXT PRIMARY KEY,
    handover TEXT NOT NULL,
    unit     TEXT NOT NULL,
    at       INTEGER NOT NULL,                  -- ms since 1970
    received INTEGER NOT NULL                   -- 1: with the custodian's receipt
) STRICT, WITHOUT ROWID;
CREATE INDEX handed_over_by_number ON handed_over (handover);
CREATE INDEX handed_over_by_unit ON handed_over (unit, at DESC);

-- What is still to be handed over, without reading what is kept.
CREATE INDEX sessions_to_hand_over ON sessions (unit, started_at) WHERE state IN ('sealed', 'handed_over');

-- Portable devices that were taken along.
CREATE TABLE check_outs (
    id        TEXT PRIMARY KEY,
    device_no TEXT NOT NULL,
    unit      TEXT NOT NULL,
    account   TEXT NOT NULL REFERENCES accounts (id),
    at        INTEGER NOT NULL,                 -- ms since 1970
    battery   INTEGER,                          -- percent, as it was read
    free_gb   INTEGER,
    ended_at  INTEGER,                          -- said to hold nothing
    reason    TEXT
) STRICT;
CREATE INDEX check_outs_by_time ON check_outs (at DESC);
