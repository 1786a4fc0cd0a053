-- Alarms of every kind, not only of rooms in use; and what is on its way to somebody. Earlier rows are rooms in use.
ALTER TABLE alarms ADD COLUMN kind TEXT NOT NULL DEFAULT 'room_in_use';
ALTER TABLE alarms ADD COLUMN severity TEXT NOT NULL DEFAULT 'urgent';
ALTER TABLE alarms ADD COLUMN subject TEXT NOT NULL DEFAULT '';     -- a camera, a device, a volume, a room, a channel
ALTER TABLE alarms ADD COLUMN name TEXT NOT NULL DEFAULT '';
ALTER TABLE alarms ADD COLUMN text TEXT;
ALTER TABLE alarms ADD COLUMN count INTEGER NOT NULL DEFAULT 1;     -- how often it came while it was open
ALTER TABLE alarms ADD COLUMN unsteady INTEGER NOT NULL DEFAULT 0;
ALTER TABLE alarms ADD COLUMN told_at INTEGER NOT NULL DEFAULT 0;   -- ms since 1970
ALTER TABLE alarms ADD COLUMN reminders INTEGER NOT NULL DEFAULT 0;
UPDATE alarms SET subject = room, name = room, told_at = began_at;
CREATE INDEX alarms_open ON alarms (began_at) WHERE ended_at IS NULL OR acknowledged_at IS NULL;
CREATE INDEX alarms_by_kind ON alarms (kind, began_at DESC);

-- What a channel has not taken yet; a row goes when it has. What was put together into one message is sent again as the same one.
CREATE TABLE alarm_messages (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    channel TEXT NOT NULL,
    id      TEXT NOT NULL,
    batch   TEXT,
    doc     TEXT NOT NULL CHECK (json_valid(doc)), -- model::alarm_message::Payload
    UNIQUE (channel, id)
) STRICT;
