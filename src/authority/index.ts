/**
 * An authority in a program. Node alone has it: an authority is a folder.
 *
 *     await initAuthority("backup", { officers, passphrase });
 *     const backup = await openAuthority("backup");
 *     await backup.unlock(passphrase);
 *     const authority = await connect(core, backup.client, { owner: "olivia" }); // of twinwrap/client
 *     await seal(file, { to: [publicKey], authorities: [authority] });
 *
 * Everything else that an operator does, the command line does with the same folder: backups, exports, tokens, serving
 * others, closing a log.
 *
 * @module
 */

import {
  listOf,
  needFlag,
  needStableBytes,
  needText,
  objectOf,
  oneOf,
  optional,
  optionsOf,
  takingAsync,
  whole,
} from "../arguments.js";
import { coreOption } from "../core/need.js";
import { needPassphrase } from "../keys/passphrase.js";
import { needPublicKey } from "../keys/types.js";
import { needPath } from "../system.node.js";
import * as $directory from "./directory.js";
import { EmbeddedAuthority } from "./embedded.js";
import type { NewOfficer } from "./policies.js";

export { EmbeddedAuthority } from "./embedded.js";
export type { Enrolled } from "./owners.js";
export type { NewOfficer } from "./policies.js";

/** How an authority is made. */
export type InitAuthorityOptions = Omit<$directory.InitOptions, "openStore" | "store">;

/** How an authority's folder is opened. */
export type OpenAuthorityOptions = Pick<
  $directory.OpenOptions,
  "core" | "partial" | "readOnly" | "openers"
>;

const officer = objectOf<NewOfficer>({
  name: needText,
  publicKey: needStableBytes,
  shareKey: needPublicKey,
  self: optional(listOf(needText)),
});
const INIT = optionsOf<InitAuthorityOptions>(
  {
    core: coreOption,
    origin: needText,
    officers: listOf(officer),
    quorum: whole(1),
    waiting: whole(0),
    owners: oneOf("open", "enrolled"),
    unproven: oneOf("taken", "refused"),
    bits: whole(1),
    pkcs1: needFlag,
    passphrase: needPassphrase,
    iterations: whole(1),
  },
  ["officers"],
);
const OPEN = optionsOf<OpenAuthorityOptions>({
  core: coreOption,
  partial: needFlag,
  readOnly: needFlag,
  openers: whole(0, 64),
});
const folder = { folder: needPath };

/**
 * Makes the folder of a new authority, whole or not at all, with its keys and its store in SQLite. Its first policy
 * counts once every officer has signed it.
 * @throws TwinwrapError BAD_ARGUMENT if officers or numbers don't fit; CONFLICT if the folder has something in it;
 *   UNSUPPORTED without SQLite (Node before 22.13 needs the package better-sqlite3); UNAVAILABLE
 */
export const initAuthority = /* @__PURE__ */ takingAsync(
  (path: string, options: InitAuthorityOptions) => $directory.initDirectory(path, options),
  { ...folder, options: INIT },
);

/**
 * Opens an authority's folder, whether its store is in SQLite or in PostgreSQL (which needs the package pg). Several
 * processes can have it open.
 * @param options.openers threads in which its RSA keys work: by default none, so this thread does
 * @throws TwinwrapError BAD_ARGUMENT, BAD_FORMAT, BAD_KEY, UNAVAILABLE, UNSUPPORTED
 */
export const openAuthority = /* @__PURE__ */ takingAsync(
  async (path: string, options?: OpenAuthorityOptions) =>
    new EmbeddedAuthority(await $directory.openDirectory(path, options)),
  { ...folder, options: OPEN },
);
