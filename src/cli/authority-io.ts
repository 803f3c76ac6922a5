import { join } from "node:path";
import { type Command, Option } from "commander";
import { authorityOf, openDirectory, readAuthority } from "../authority/directory.js";
import type { OperatorSettings } from "../authority/office.js";
import type { AuthorityService } from "../authority/service.js";
import { sharedCore } from "../core/index.js";
import { type Authority, LogView, MAX_MESSAGE } from "../escrow/index.js";
import { messagePieces } from "../escrow/message.js";
import { collectPieces } from "../files.node.js";
import { collect, UsageError } from "./command.js";
import { STANDARD, withInput } from "./io.js";
import { passphraseFor } from "./passphrase.js";
import { about } from "./report.js";

// Which authority a command is about, and its key.

const FLAG = "--authority-passphrase-file";

export interface AuthorityOptions {
  authority?: string;
}

export interface AuthorityKeyOptions extends AuthorityOptions {
  authorityPassphraseFile?: string;
}

/** Where every command that knows an authority finds it, if --authority does not say. */
const VARIABLE = "TWINWRAP_AUTHORITY";

export function authorityOption(): Option {
  return new Option(
    "--authority <path>",
    "the authority: its folder, its authority.json, or - for that",
  ).env(VARIABLE);
}

/** The authorities of a command that seals, and how to go without. */
export function addSealingAuthorityOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--authority <path>",
        "backup authority that shall hold the session key too: its folder, or its authority.json (repeat for more)",
      )
        .argParser((path: string, before: string[] | false | undefined) =>
          collect(path, before || undefined),
        )
        .env(VARIABLE),
    )
    .option("--no-authority", `go without, whatever ${VARIABLE} says`);
}

/** The paths that {@link addSealingAuthorityOptions} comes to. */
export function sealingAuthorities(authority: string[] | false | undefined): string[] {
  // An empty variable is none, as everywhere.
  return (authority || []).filter((path) => path !== "");
}

/** Options of commands that may open the authority's RSA key. */
export function addAuthorityKeyOption(command: Command): Command {
  return command.option(
    `${FLAG} <file>`,
    "read the passphrase of the authority's key from the file's first line",
  );
}

/** @throws UsageError if it is given nowhere */
export function requireAuthority({ authority }: AuthorityOptions): string {
  if (authority !== undefined && authority !== "") return authority;
  throw new UsageError(`which authority? Give --authority, or set ${VARIABLE}`);
}

/**
 * What everybody may know of an authority.
 * @param path its folder, its authority.json, or - for that on standard input
 * @throws TwinwrapError BAD_FORMAT, NOT_VERIFIED
 */
export function loadAuthority(path: string): ReturnType<typeof readAuthority> {
  return about(path === STANDARD ? "standard input" : path, async () => {
    if (path !== STANDARD) return readAuthority(path);
    const bytes = await withInput(path, (file) =>
      collectPieces(path, messagePieces(file.pieces()), MAX_MESSAGE),
    );
    return { ...(await authorityOf(await sharedCore(), bytes)), isDirectory: false };
  });
}

/** Opens an authority's folder, works with it and closes it. */
export async function withService<T>(
  path: string,
  work: (service: AuthorityService) => Promise<T>,
  settings: OperatorSettings = {},
): Promise<T> {
  const { isDirectory } = await loadAuthority(path);
  if (!isDirectory) {
    throw new UsageError(`${path} is what everybody may have: this needs the authority's folder`);
  }
  const { acceptUnproven, partial } = settings;
  const service = await about(path, () => openDirectory(path, { acceptUnproven, partial }));
  try {
    return await work(service);
  } finally {
    await service.close();
  }
}

/** The authority that a command is about. */
export interface Party {
  authority: Authority;
  /** Its folder opened, if it is here. */
  service: AuthorityService | undefined;
  /** What the command sees of its log. */
  view: LogView;
}

/** Works with an authority, whether its folder is here or only its authority.json. */
export async function withParty<T>(path: string, work: (party: Party) => Promise<T>): Promise<T> {
  const core = await sharedCore();
  const { authority, isDirectory } = await loadAuthority(path);
  if (!isDirectory) return work({ authority, service: undefined, view: new LogView(core) });
  return withService(path, (service) =>
    work({ authority: service.authority, service, view: new LogView(core, service.log) }),
  );
}

/** The same with the authority that was given, if any. */
export function withGiven<T>(
  { authority: path }: AuthorityOptions,
  work: (party: Party | undefined) => Promise<T>,
): Promise<T> {
  return path === undefined || path === "" ? work(undefined) : withParty(path, work);
}

/**
 * Opens the authority's RSA key if it is not locked, or its passphrase is given.
 * @param options.ask asks for it on the terminal otherwise
 */
export function unlock(
  service: AuthorityService,
  path: string,
  options: AuthorityKeyOptions & { ask?: boolean },
): Promise<boolean> {
  const { authorityPassphraseFile: passphraseFile, ask = false } = options;
  const key = join(path, "wrap.pem");
  return about(key, () =>
    passphraseFile === undefined && !ask
      ? service.unlock()
      : service.unlock(passphraseFor(key, { passphraseFile }, FLAG)),
  );
}
