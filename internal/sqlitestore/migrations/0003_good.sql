CREATE TABLE good (
  key  TEXT NOT NULL PRIMARY KEY,
  at   INTEGER NOT NULL,  -- when the agent gave the answer, Unix milliseconds
  size INTEGER NOT NULL,  -- of answer, in bytes
  answer BLOB NOT NULL
) STRICT;

-- Covers the sum of sizes and the search for the oldest.
CREATE INDEX good_by_age ON good (at, size);
