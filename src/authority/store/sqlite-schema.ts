// The tables of the embedded store. A migration that was in a release never changes: each later change
// is a new entry. `PRAGMA user_version` counts those that were done.

/** "TWIN", so that `file` and SQLite know whose database it is (PRAGMA application_id). */
export const APPLICATION_ID = 0x5457494e;

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE settings (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE head (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    size INTEGER NOT NULL
  ) STRICT;
  INSERT INTO head VALUES (1, 0);
  CREATE TABLE checkpoints (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
  ) STRICT;
  CREATE TABLE leaves (
    leaf INTEGER PRIMARY KEY,
    text TEXT NOT NULL
  ) STRICT;
  CREATE TABLE nodes (
    level INTEGER NOT NULL,
    position INTEGER NOT NULL,
    hash BLOB NOT NULL CHECK (length(hash) = 32),
    PRIMARY KEY (level, position)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE seen (
    size INTEGER PRIMARY KEY,
    root BLOB NOT NULL CHECK (length(root) = 32),
    note TEXT NOT NULL
  ) STRICT;

  CREATE TABLE owners (
    owner TEXT PRIMARY KEY,
    secret BLOB NOT NULL CHECK (length(secret) = 32)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    owner TEXT NOT NULL REFERENCES owners,
    serial BLOB NOT NULL CHECK (length(serial) = 16),
    description TEXT,
    folded TEXT NOT NULL,
    created INTEGER NOT NULL,
    content BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('unverified', 'verified', 'released')),
    escrow_leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED,
    verified_leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED,
    CHECK (escrow_leaf IS NOT NULL OR verified_leaf IS NOT NULL),
    CHECK (status = 'unverified' OR verified_leaf IS NOT NULL)
  ) STRICT;
  CREATE INDEX records_serial ON records (serial, status);
  CREATE INDEX records_owner ON records (owner);
  CREATE INDEX records_status ON records (status);
  CREATE INDEX records_created ON records (created);
  CREATE TABLE candidates (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL REFERENCES records (hash),
    tag BLOB NOT NULL CHECK (length(tag) = 32),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    padding TEXT NOT NULL,
    simple_blob BLOB NOT NULL,
    UNIQUE (record, tag, fingerprint, padding, simple_blob)
  ) STRICT;
  CREATE INDEX candidates_fingerprint ON candidates (fingerprint, padding);

  CREATE TABLE requests (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    id TEXT NOT NULL UNIQUE,
    bytes BLOB NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'denied', 'released')),
    expires INTEGER NOT NULL,
    received INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX requests_status ON requests (status);
  CREATE TABLE approvals (
    sequence INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    request BLOB NOT NULL REFERENCES requests (hash),
    note TEXT NOT NULL,
    veto_leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED
  ) STRICT;
  CREATE INDEX approvals_request ON approvals (request);
  CREATE TABLE releases (
    request BLOB NOT NULL REFERENCES requests (hash),
    record BLOB NOT NULL REFERENCES records (hash),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    padding TEXT NOT NULL,
    simple_blob BLOB NOT NULL,
    leaf INTEGER NOT NULL UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED,
    PRIMARY KEY (request, record)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX releases_record ON releases (record);
  CREATE INDEX releases_fingerprint ON releases (fingerprint);

  CREATE TABLE policies (
    sequence INTEGER PRIMARY KEY,
    number INTEGER NOT NULL,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    note TEXT NOT NULL,
    leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED
  ) STRICT;
  CREATE UNIQUE INDEX policies_in_force ON policies (number) WHERE leaf IS NOT NULL;
  CREATE TABLE identities (
    number INTEGER PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    note TEXT NOT NULL,
    leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED
  ) STRICT;
  `,
  // Keys of other programs: label, records that nobody proves (and so never verify), wraps without a tag
  // (empty), and a wrap found by its RSA block.
  `
  CREATE TABLE new_records (
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
    escrow_leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED,
    verified_leaf INTEGER UNIQUE REFERENCES leaves DEFERRABLE INITIALLY DEFERRED,
    CHECK (escrow_leaf IS NOT NULL OR verified_leaf IS NOT NULL),
    CHECK (status <> 'verified' OR verified_leaf IS NOT NULL),
    CHECK (status <> 'unproven' OR verified_leaf IS NULL)
  ) STRICT;
  INSERT INTO new_records (id, hash, owner, serial, description, folded, created, content, status,
      escrow_leaf, verified_leaf)
    SELECT id, hash, owner, serial, description, folded, created, content, status, escrow_leaf,
      verified_leaf FROM records;
  DROP TABLE records;
  ALTER TABLE new_records RENAME TO records;
  CREATE INDEX records_serial ON records (serial, status);
  CREATE INDEX records_owner ON records (owner);
  CREATE INDEX records_status ON records (status);
  CREATE INDEX records_created ON records (created);
  CREATE TABLE new_candidates (
    id INTEGER PRIMARY KEY,
    record BLOB NOT NULL REFERENCES records (hash),
    tag BLOB NOT NULL CHECK (length(tag) IN (0, 32)),
    fingerprint BLOB NOT NULL CHECK (length(fingerprint) = 32),
    padding TEXT NOT NULL,
    simple_blob BLOB NOT NULL,
    UNIQUE (record, tag, fingerprint, padding, simple_blob)
  ) STRICT;
  INSERT INTO new_candidates SELECT * FROM candidates;
  DROP TABLE candidates;
  ALTER TABLE new_candidates RENAME TO candidates;
  CREATE INDEX candidates_fingerprint ON candidates (fingerprint, padding);
  CREATE INDEX candidates_block ON candidates (substr(simple_blob, 13));
  `,
  // Pages go by the leaf that a record came with, or by when a request was received.
  `
  CREATE INDEX records_leaf ON records (coalesce(escrow_leaf, verified_leaf));
  DROP INDEX records_serial;
  DROP INDEX records_owner;
  DROP INDEX records_status;
  CREATE INDEX records_serial ON records (serial, status, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_owner ON records (owner, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_status ON records (status, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX records_label ON records (label, coalesce(escrow_leaf, verified_leaf));
  CREATE INDEX requests_received ON requests (received, hash);
  DROP INDEX requests_status;
  CREATE INDEX requests_status ON requests (status, received, hash);
  `,
  // A wrap is found by its RSA block among those that were given out, too.
  "CREATE INDEX releases_block ON releases (substr(simple_blob, 13))",
];
