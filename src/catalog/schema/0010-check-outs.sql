-- Portable devices that were taken along are files, check-outs/<id>/check-out.json; this is their index. Who took one may have no account
-- in an index that was made anew.
CREATE TABLE check_outs_of_files (
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
INSERT INTO check_outs_of_files (id, device_no, unit, account, name, at, battery, free_gb, ended_by, ended_at, reason)
    SELECT o.id, o.device_no, o.unit, o.account, coalesce(a.name, o.account), o.at, o.battery, o.free_gb,
        CASE WHEN o.ended_at IS NOT NULL THEN o.account END, o.ended_at, o.reason
    FROM check_outs o LEFT JOIN accounts a ON a.id = o.account;
DROP TABLE check_outs;
ALTER TABLE check_outs_of_files RENAME TO check_outs;
CREATE INDEX check_outs_by_time ON check_outs (at DESC);
