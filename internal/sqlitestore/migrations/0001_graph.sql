-- What this data directory is: its owner id, made once.
CREATE TABLE meta (
  key   TEXT PRIMARY KEY,
  value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

-- The property graph. Ids are never used again (AUTOINCREMENT), because callers keep them. A dormant agent is one row.
CREATE TABLE nodes (
  id    INTEGER PRIMARY KEY AUTOINCREMENT,
  label TEXT NOT NULL,
  name  TEXT,           -- the unique name of an Agent, Concept or Region; NULL for other labels, whose names are no keys
  props TEXT NOT NULL   -- a JSON object, the name included
) STRICT;

CREATE UNIQUE INDEX nodes_by_name ON nodes (label, name);
CREATE INDEX nodes_by_label ON nodes (label);

-- Clustered by the node pointed at: who handles a concept is one descent and one run of neighbouring rows.
CREATE TABLE relationships (
  dst   INTEGER NOT NULL,
  type  TEXT NOT NULL,
  src   INTEGER NOT NULL,
  props TEXT NOT NULL,  -- a JSON object
  PRIMARY KEY (dst, type, src)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX relationships_out ON relationships (src, type, dst);

-- How many nodes a label has: counting a million would walk a whole index.
CREATE TABLE counts (
  label TEXT PRIMARY KEY,
  n     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TRIGGER nodes_added AFTER INSERT ON nodes BEGIN
  INSERT INTO counts (label, n) VALUES (new.label, 1) ON CONFLICT (label) DO UPDATE SET n = n + 1;
END;

CREATE TRIGGER nodes_removed AFTER DELETE ON nodes BEGIN
  UPDATE counts SET n = n - 1 WHERE label = old.label;
END;
