-- The packets: agents as data. The row is the truth, the agent's node in the graph follows it. A million of them are dormant; nothing reads
-- them all.
CREATE TABLE packets (
  name     TEXT NOT NULL PRIMARY KEY, -- of the agent
  owner    TEXT NOT NULL,
  revision INTEGER NOT NULL,          -- counts the writes of the row, its deletion included
  created  INTEGER NOT NULL,          -- Unix milliseconds, as updated
  updated  INTEGER NOT NULL,
  unsynced INTEGER NOT NULL,          -- 1: the graph may show something else
  deleted  INTEGER NOT NULL,          -- 1: the packet is gone, its node may still be there
  agent    TEXT NOT NULL              -- JSON, as an Agent node has it
) STRICT;

CREATE INDEX packets_unsynced ON packets (updated, name) WHERE unsynced = 1;

-- How many packets an owner has: counting a million would walk the whole table.
CREATE TABLE packet_counts (
  owner TEXT PRIMARY KEY,
  n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER packets_added AFTER INSERT ON packets WHEN new.deleted = 0 BEGIN
  INSERT INTO packet_counts (owner, n) VALUES (new.owner, 1) ON CONFLICT (owner) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER packets_removed AFTER DELETE ON packets WHEN old.deleted = 0 BEGIN
  UPDATE packet_counts SET n = n - 1 WHERE owner = old.owner;
END;

CREATE TRIGGER packets_changed AFTER UPDATE OF owner, deleted ON packets WHEN old.owner <> new.owner OR old.deleted <> new.deleted BEGIN
  UPDATE packet_counts SET n = n - 1 WHERE owner = old.owner AND old.deleted = 0;
  INSERT INTO packet_counts (owner, n) SELECT new.owner, 1 WHERE new.deleted = 0 ON CONFLICT (owner) DO UPDATE SET n = n + 1;
END;

-- What waits for room in the fleet.
CREATE TABLE fleet_queue (
  id        TEXT NOT NULL PRIMARY KEY,
  kind      TEXT NOT NULL,    -- wake or grow
  concept   TEXT NOT NULL,
  agent     TEXT NOT NULL,
  intent    TEXT NOT NULL,
  priority  INTEGER NOT NULL,
  queued_at INTEGER NOT NULL  -- Unix nanoseconds
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX fleet_queue_wake ON fleet_queue (agent) WHERE kind = 'wake';
CREATE UNIQUE INDEX fleet_queue_grow ON fleet_queue (concept) WHERE kind = 'grow';

-- Instances of which something may be left, whoever ends this process.
CREATE TABLE instances (
  id         TEXT NOT NULL PRIMARY KEY,
  agent      TEXT NOT NULL,
  runtime    TEXT NOT NULL,
  revision   INTEGER NOT NULL, -- of the packet
  started_at INTEGER NOT NULL  -- Unix nanoseconds
) STRICT, WITHOUT ROWID;

-- The few agents that may be asked about any concept, among a million others.
CREATE INDEX nodes_researchers ON nodes (name) WHERE label = 'Agent' AND instr(props ->> '$.intents', '"concept_research"') > 0;
