import { TwinwrapError } from "../../errors.js";
import { StoreError } from "./store-error.js";

// The tables of a store. A migration that was in a release never changes: each later change is a new entry.

/** The version before the first migration. Stores of versions up to it have messages that nobody reads any more. */
export const BEFORE = 5;

/** What the databases call different names. */
export interface Words {
  /** Of 64 bits. */
  integer: string;
  bytes: string;
  /** Behind the columns of a table. */
  table: string;
  /** Behind those of a table that is kept in the order of its primary key. */
  ordered: string;
}

/**
 * Statements that bring a store from one version to the next. Leaves, and the sizes of checkpoints, are places
 * (place.ts). A record is named by the first leaf that it stands on.
 */
export const MIGRATIONS: readonly ((words: Words) => string[])[] = [
  ({ integer, bytes, table, ordered }) => [
    `CREATE TABLE settings (
      name TEXT PRIMARY KEY,
      value TEXT NOT NULL
    )${ordered}`,

    // Whoever writes takes this row first. "notes" changes with every change of policies and identities.
    `CREATE TABLE head (
      one INTEGER PRIMARY KEY CHECK (one = 1),
      place ${integer} NOT NULL,
      notes ${integer} NOT NULL
    )${table}`,
    "INSERT INTO head (one, place, notes) VALUES (1, 0, 0)",
    `CREATE TABLE checkpoints (
      place ${integer} PRIMARY KEY,
      root ${bytes} NOT NULL CHECK (length(root) = 32),
      note TEXT NOT NULL
    )${table}`,
    `CREATE TABLE leaves (
      leaf ${integer} PRIMARY KEY,
      text TEXT NOT NULL
    )${table}`,
    `CREATE TABLE nodes (
      log INTEGER NOT NULL,
      level INTEGER NOT NULL,
      position ${integer} NOT NULL,
      hash ${bytes} NOT NULL CHECK (length(hash) = 32),
      PRIMARY KEY (log, level, position)
    )${ordered}`,
    `CREATE TABLE seen (
      place ${integer} PRIMARY KEY,
      root ${bytes} NOT NULL CHECK (length(root) = 32),
      note TEXT NOT NULL
    )${table}`,

    `CREATE TABLE owners (
      owner TEXT PRIMARY KEY,
      secret ${bytes} NOT NULL CHECK (length(secret) = 32)
    )${ordered}`,
    `CREATE TABLE enrolments (
      leaf ${integer} PRIMARY KEY REFERENCES leaves (leaf),
      owner TEXT NOT NULL REFERENCES owners (owner),
      control ${bytes} NOT NULL CHECK (length(control) = 32)
    )${table}`,
    "CREATE INDEX enrolments_owner ON enrolments (owner, leaf)",
    `CREATE TABLE records (
      leaf ${integer} PRIMARY KEY REFERENCES leaves (leaf),
      verified_leaf ${integer} UNIQUE REFERENCES leaves (leaf),
      hash ${bytes} NOT NULL UNIQUE CHECK (length(hash) = 32),
      owner TEXT NOT NULL REFERENCES owners (owner),
      serial ${bytes} NOT NULL CHECK (length(serial) = 16),
      description TEXT,
      label TEXT,
      folded TEXT NOT NULL,
      created ${integer} NOT NULL,
      content ${bytes} NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('unverified', 'verified', 'unproven', 'released')),
      CHECK (status <> 'verified' OR verified_leaf IS NOT NULL),
      CHECK (status <> 'unproven' OR verified_leaf IS NULL)
    )${table}`,
    "CREATE INDEX records_serial ON records (serial, leaf)",
    "CREATE INDEX records_owner ON records (owner, leaf)",
    "CREATE INDEX records_status ON records (status, leaf)",
    "CREATE INDEX records_label ON records (label, leaf)",
    "CREATE INDEX records_created ON records (created, leaf)",
    `CREATE TABLE record_counts (
      status TEXT PRIMARY KEY,
      records ${integer} NOT NULL
    )${ordered}`,
    `INSERT INTO record_counts (status, records)
      VALUES ('unverified', 0), ('verified', 0), ('unproven', 0), ('released', 0)`,
    `CREATE TABLE candidates (
      record ${integer} NOT NULL REFERENCES records (leaf),
      tag ${bytes} NOT NULL CHECK (length(tag) IN (0, 32)),
      fingerprint ${bytes} NOT NULL CHECK (length(fingerprint) = 32),
      padding TEXT NOT NULL,
      simple_blob ${bytes} NOT NULL,
      PRIMARY KEY (record, tag, fingerprint, padding, simple_blob)
    )${ordered}`,
    "CREATE INDEX candidates_fingerprint ON candidates (fingerprint, record)",
    "CREATE INDEX candidates_block ON candidates (substr(simple_blob, 13))",

    `CREATE TABLE requests (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      id TEXT NOT NULL UNIQUE,
      bytes ${bytes} NOT NULL,
      status TEXT NOT NULL CHECK (status IN ('open', 'denied', 'released', 'ended')),
      expires ${integer} NOT NULL,
      leaf ${integer} NOT NULL UNIQUE REFERENCES leaves (leaf)
    )${ordered}`,
    "CREATE INDEX requests_status ON requests (status, leaf)",
    "CREATE INDEX requests_expires ON requests (status, expires)",
    `CREATE TABLE approvals (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      request ${bytes} NOT NULL REFERENCES requests (hash),
      note TEXT NOT NULL,
      denial_leaf ${integer} UNIQUE REFERENCES leaves (leaf)
    )${ordered}`,
    "CREATE INDEX approvals_request ON approvals (request)",
    `CREATE TABLE vetoes (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      request ${bytes} NOT NULL REFERENCES requests (hash),
      note TEXT NOT NULL,
      leaf ${integer} NOT NULL UNIQUE REFERENCES leaves (leaf)
    )${ordered}`,
    "CREATE INDEX vetoes_request ON vetoes (request)",
    `CREATE TABLE releases (
      request ${bytes} NOT NULL REFERENCES requests (hash),
      record ${integer} NOT NULL REFERENCES records (leaf),
      fingerprint ${bytes} NOT NULL CHECK (length(fingerprint) = 32),
      padding TEXT NOT NULL,
      simple_blob ${bytes} NOT NULL,
      leaf ${integer} NOT NULL UNIQUE REFERENCES leaves (leaf),
      PRIMARY KEY (request, record)
    )${ordered}`,
    "CREATE INDEX releases_record ON releases (record)",
    "CREATE INDEX releases_fingerprint ON releases (fingerprint, record)",
    "CREATE INDEX releases_block ON releases (substr(simple_blob, 13))",

    `CREATE TABLE policies (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      number INTEGER NOT NULL,
      note TEXT NOT NULL,
      announce_leaf ${integer} UNIQUE REFERENCES leaves (leaf),
      leaf ${integer} UNIQUE REFERENCES leaves (leaf)
    )${ordered}`,
    "CREATE UNIQUE INDEX policies_in_force ON policies (number) WHERE leaf IS NOT NULL",
    `CREATE TABLE identities (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      number INTEGER NOT NULL,
      note TEXT NOT NULL,
      announce_leaf ${integer} CHECK (announce_leaf IS NULL),
      leaf ${integer} UNIQUE REFERENCES leaves (leaf)
    )${ordered}`,
    "CREATE UNIQUE INDEX identities_in_force ON identities (number) WHERE leaf IS NOT NULL",

    // Nothing is decided by a token: it keeps strangers and floods out.
    `CREATE TABLE tokens (
      hash ${bytes} PRIMARY KEY CHECK (length(hash) = 32),
      scopes TEXT NOT NULL,
      owner TEXT,
      created ${integer} NOT NULL,
      expires ${integer},
      revoked ${integer}
    )${ordered}`,

    // Whom to tell of what happened. Nothing is decided by any of it. Numbers of events are given by whoever holds the
    // head's row; "due" and "held" are in milliseconds.
    `CREATE TABLE events (
      number ${integer} PRIMARY KEY,
      id TEXT NOT NULL UNIQUE,
      kind TEXT NOT NULL,
      time ${integer} NOT NULL,
      content TEXT NOT NULL
    )${table}`,
    `CREATE TABLE event_owners (
      event ${integer} NOT NULL REFERENCES events (number),
      owner TEXT NOT NULL,
      PRIMARY KEY (event, owner)
    )${ordered}`,
    `CREATE TABLE receivers (
      id TEXT PRIMARY KEY,
      role TEXT NOT NULL CHECK (role IN ('operator', 'officer', 'owner')),
      name TEXT CHECK (name IS NOT NULL OR role = 'operator'),
      means TEXT NOT NULL CHECK (means IN ('webhook', 'mail')),
      address TEXT NOT NULL,
      secret ${bytes} CHECK (secret IS NOT NULL OR means = 'mail'),
      created ${integer} NOT NULL,
      holder TEXT,
      held ${integer} NOT NULL
    )${ordered}`,
    "CREATE INDEX receivers_name ON receivers (role, name)",
    `CREATE TABLE deliveries (
      receiver TEXT NOT NULL REFERENCES receivers (id),
      event ${integer} NOT NULL REFERENCES events (number),
      state TEXT NOT NULL CHECK (state IN ('waiting', 'dead')),
      attempts INTEGER NOT NULL,
      due ${integer} NOT NULL,
      reason TEXT,
      PRIMARY KEY (receiver, event)
    )${ordered}`,
    "CREATE INDEX deliveries_state ON deliveries (state, receiver, event)",
  ],
];

/** The version of a store that is up to date. */
export const NEWEST = BEFORE + MIGRATIONS.length;

/** Statements that make a store, or bring an older one up to date. @param version that it has; BEFORE if it is new */
export function migrationsFrom(version: number, words: Words): string[] {
  return MIGRATIONS.slice(version - BEFORE).flatMap((migration) => migration(words));
}

/**
 * The version before the newest is served too, so that programs of both versions can work on one store meanwhile.
 * @param name of the store
 * @throws TwinwrapError UNSUPPORTED
 */
export function checkVersion(name: string, version: number): void {
  if (version === NEWEST || (version === NEWEST - 1 && version > BEFORE)) return;
  if (version > BEFORE && version < NEWEST) {
    const message = `${name} is of an older version of Twinwrap, and has to be brought up to date`;
    throw new StoreError("old", "UNSUPPORTED", message);
  }
  const why =
    version > NEWEST
      ? "was made by a newer version of Twinwrap"
      : "was made before the first release of Twinwrap, in a format that is not read any more";
  throw new TwinwrapError("UNSUPPORTED", `${name} ${why}`);
}
