-- seq orders rows by when they were last written: a run that finishes moves to the end, and the front goes first when room is needed.
CREATE TABLE runs (
  seq     INTEGER PRIMARY KEY,
  id      TEXT NOT NULL UNIQUE,
  status  TEXT NOT NULL,
  key     TEXT,             -- Idempotency-Key
  size    INTEGER NOT NULL, -- of record, in bytes
  summary TEXT NOT NULL,    -- JSON
  record  BLOB NOT NULL
) STRICT;

CREATE INDEX runs_by_key ON runs (key) WHERE key IS NOT NULL;
CREATE INDEX runs_unfinished ON runs (seq) WHERE status = 'running';
