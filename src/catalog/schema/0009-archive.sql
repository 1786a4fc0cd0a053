-- What was given up is looked at again when its lock ends, and what was superseded goes when its own does.

ALTER TABLE archive_items ADD COLUMN dispose_after INTEGER NOT NULL DEFAULT 0;  -- not before, ms since 1970
CREATE INDEX archive_disposing ON archive_items (dispose_after) WHERE dispose_at IS NOT NULL;
CREATE INDEX archive_superseded ON archive_objects (locked_until) WHERE current = 0;
