-- The register of equipment (第十五条, 第十六条). A device is a file, devices/<id>/device.json; this is its index.

CREATE TABLE devices (
    id               TEXT PRIMARY KEY,
    number           TEXT NOT NULL,             -- 执法记录设备编号
    kind             TEXT NOT NULL,
    unit             TEXT,
    standing         TEXT NOT NULL,
    next_maintenance TEXT,                      -- 2027-11-25
    doc              TEXT NOT NULL CHECK (json_valid(doc)) -- model::device::Device
) STRICT;
CREATE INDEX devices_by_number ON devices (number);
CREATE INDEX devices_by_maintenance ON devices (next_maintenance) WHERE next_maintenance IS NOT NULL;
