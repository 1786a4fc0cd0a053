-- Lists of a million sessions in the time that a person does not notice: a session's number is the order of time itself, so that the
-- full-text index, which walks by number, gives the newest first without looking at a single session.

DROP TABLE session_search;
-- Filled again from the sessions after this step (`catalog::search::fill`).
CREATE VIRTUAL TABLE session_search USING fts5 (
    party, cause, officers, devices, numbers,
    scope,                                      -- unit, and who may list it: tokens of `catalog::search`, never searched by a person
    content = '', contentless_delete = 1, tokenize = 'unicode61'
);
INSERT INTO case_search (case_search) VALUES ('delete-all');         -- the same
UPDATE sessions SET number = timed.number FROM (
    SELECT id, started_at / 1000 * 256 + row_number() OVER (PARTITION BY started_at / 1000 ORDER BY number) - 1 AS number FROM sessions
) AS timed WHERE timed.id = sessions.id;
DROP INDEX sessions_listed;

ALTER TABLE retention ADD COLUMN started_at INTEGER NOT NULL DEFAULT 0;  -- as its session's
ALTER TABLE retention ADD COLUMN restricted INTEGER NOT NULL DEFAULT 0;  -- as its session's
UPDATE retention SET (started_at, restricted) = (SELECT started_at, restricted FROM sessions WHERE id = retention.session)
WHERE EXISTS (SELECT 1 FROM sessions WHERE id = retention.session);
DROP INDEX retention_due;
DROP INDEX retention_by_class;
DROP INDEX retention_held;
CREATE INDEX retention_due ON retention (earliest, session, unit, restricted) WHERE gone = 0 AND held = 0 AND earliest IS NOT NULL;
CREATE INDEX retention_by_class ON retention (class, started_at DESC, unit, restricted) WHERE gone = 0;
CREATE INDEX retention_held ON retention (started_at DESC, unit, restricted) WHERE gone = 0 AND held = 1;
CREATE INDEX retention_gone ON retention (started_at DESC, unit, restricted) WHERE gone = 1;

-- What waits to be sealed, for the metrics.
CREATE INDEX sessions_unsealed ON sessions (state) WHERE state = 'ended';
