// The tables of the embedded store. A migration that was in a release never changes: each later change
// is a new entry. `PRAGMA user_version` says which of them were done.

/** "TWIN", so that `file` and SQLite know whose database it is (PRAGMA application_id). */
export const APPLICATION_ID = 0x5457494e;

/** The version before the first migration. Stores of versions up to it have messages that nobody reads any more. */
export const BEFORE = 3;

// Leaves, and the sizes of checkpoints, are places (place.ts).
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    place INTEGER NOT NULL
  ) STRICT;
  INSERT INTO head VALUES (1, 0);
  CREATE TABLE checkpoints (
    place INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
  ) STRICT;
  CREATE TABLE leaves (
    leaf INTEGER PRIMARY KEY,
    text TEXT NOT NULL
  ) STRICT;
  CREATE TABLE nodes (
    log INTEGER NOT NULL,
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (log, level, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE seen (
    place INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
  ) STRICT;

  CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    secret BLOB NOT NULL CHECK (length(secret) = 32)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE enrolments (
    leaf INTEGER PRIMARY KEY REFERENCES leaves,
    owner TEXT NOT NULL REFERENCES owners,
    control BLOB NOT NULL CHECK (length(control) = 32)
  ) STRICT;
  CREATE INDEX enrolments_owner ON enrolments (owner, leaf);
  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    owner TEXT NOT NULL REFERENCES owners,
    serial BLOB NOT NULL CHECK (length(serial) = 16),
    description TEXT,
    label TEXT,
    folded TEXT NOT NULL,
    created INTEGER NOT NULL,
    content BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('unverified', 'verified', 'unproven', 'released')),
    escrow_leaf INTEGER UNIQUE REFERENCES leaves,
    verified_leaf INTEGER UNIQUE REFERENCES leaves,
    CHECK (escrow_leaf IS NOT NULL OR verified_leaf IS NOT NULL),
    CHECK (status <> 'verified' OR verified_leaf IS NOT NULL),
    CHECK (status <> 'unproven' OR verified_leaf IS NULL)
  ) STRICT;
  CREATE INDEX records_leaf ON records (coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_serial ON records (serial, status, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_owner ON records (owner, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_status ON records (status, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_label ON records (label, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_created ON records (created);
  CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL REFERENCES records (hash),
    tag BLOB NOT NULL CHECK (length(tag) IN (0, 32)),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    padding TEXT NOT NULL,
    simple_blob BLOB NOT NULL,
    UNIQUE (record, tag, fingerprint, padding, simple_blob)
  ) STRICT;
  CREATE INDEX candidates_fingerprint ON candidates (fingerprint, padding);
  CREATE INDEX candidates_block ON candidates (substr(simple_blob, 13));

  CREATE TABLE requests (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    id TEXT NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'denied', 'released', 'ended')),
    expires INTEGER NOT NULL,
    leaf INTEGER NOT NULL UNIQUE REFERENCES leaves
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX requests_status ON requests (status, leaf);
  CREATE TABLE approvals (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    request BLOB NOT NULL REFERENCES requests (hash),
    note TEXT NOT NULL,
    denial_leaf INTEGER UNIQUE REFERENCES leaves
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX approvals_request ON approvals (request);
  CREATE TABLE vetoes (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    request BLOB NOT NULL REFERENCES requests (hash),
    note TEXT NOT NULL,
    leaf INTEGER NOT NULL UNIQUE REFERENCES leaves
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX vetoes_request ON vetoes (request);
  CREATE TABLE releases (
    request BLOB NOT NULL REFERENCES requests (hash),
    record BLOB NOT NULL REFERENCES records (hash),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    padding TEXT NOT NULL,
    simple_blob BLOB NOT NULL,
    leaf INTEGER NOT NULL UNIQUE REFERENCES leaves,
    PRIMARY KEY (request, record)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX releases_record ON releases (record);
  CREATE INDEX releases_fingerprint ON releases (fingerprint);
  CREATE INDEX releases_block ON releases (substr(simple_blob, 13));

  CREATE TABLE policies (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    number INTEGER NOT NULL,
    note TEXT NOT NULL,
    announce_leaf INTEGER UNIQUE REFERENCES leaves,
    leaf INTEGER UNIQUE REFERENCES leaves
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX policies_in_force ON policies (number) WHERE leaf IS NOT NULL;
  CREATE TABLE identities (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    number INTEGER NOT NULL,
    note TEXT NOT NULL,
    announce_leaf INTEGER CHECK (announce_leaf IS NULL),
    leaf INTEGER UNIQUE REFERENCES leaves
  ) STRICT, WITHOUT ROWID;
  CREATE UNIQUE INDEX identities_in_force ON identities (number) WHERE leaf IS NOT NULL;
  `,
];
