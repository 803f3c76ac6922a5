import { type Command, InvalidArgumentError, Option } from "commander";
import { fromHex } from "../bytes.js";
import { collect, repeatable, UsageError } from "./command.js";

// How an authority and its key are named. This loads nothing of an authority: most commands need none.

export const KEY_FLAG = "--authority-passphrase-file";

export interface AuthorityOptions {
  authority?: string;
}

/** Of commands that take an authority.json. */
export interface PinOptions {
  /** 32 bytes each: the authority has one of these fingerprints. */
  fingerprint?: readonly Uint8Array[] | undefined;
}

/** Of commands that only show what an authority keeps. */
export interface ReadingOptions extends AuthorityOptions {
  readOnly?: boolean;
}

export function readOnlyOption(): Option {
  return new Option(
    "--read-only",
    "without a private key, and without a write to the folder: for auditors, and on a full disk",
  );
}

/** Where the passphrase of the authority's key is read from. */
export interface KeyFile {
  authorityPassphraseFile?: string | undefined;
}

export interface AuthorityKeyOptions extends AuthorityOptions, KeyFile {}

/** Names the authority where --authority does not. */
const VARIABLE = "TWINWRAP_AUTHORITY";

export function authorityOption(): Option {
  return new Option(
    "--authority <path>",
    "the authority: its folder, a connection file, its authority.json, or - for that",
  ).env(VARIABLE);
}

/** Reads an authority's fingerprint, as people tell it to each other. */
function parsePin(text: string, before: readonly Uint8Array[] = []): Uint8Array[] {
  const digits = text.replace(/[\s:]/g, "").toLowerCase();
  if (/^[0-9a-f]{64}$/.test(digits)) return [...before, fromHex(digits)];
  throw new InvalidArgumentError(
    "expected a whole fingerprint: 64 hexadecimal digits, with or without spaces and colons",
  );
}

/** Wherever somebody may have put another authority.json in the place of the right one. */
export function pinOption(): Option {
  return new Option(
    "--fingerprint <hex>",
    "the authority's fingerprint, as you were told it: another authority is refused (repeat for more)",
  ).argParser(repeatable(parsePin));
}

/** The authorities of a command that seals, and how to go without. */
export function addSealingAuthorityOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        "--authority <path>",
        "backup authority that holds the session key too: its folder, a connection file, or its authority.json (repeat for more)",
      )
        .argParser(
          repeatable((path: string, before: string[] | false | undefined) =>
            collect(path, before || undefined),
          ),
        )
        .env(VARIABLE),
    )
    .option("--no-authority", `go without, whatever ${VARIABLE} says`)
    .addOption(pinOption());
}

/** The paths that the options of {@link addSealingAuthorityOptions} give. @throws UsageError */
export function sealingAuthorities({
  authority,
  fingerprint,
}: PinOptions & { authority?: string[] | false }): string[] {
  // An empty variable means none, as in other commands.
  const paths = (authority || []).filter((path) => path !== "");
  if (paths.length === 0) checkUnpinned(fingerprint);
  return paths;
}

/** @throws UsageError if the fingerprint of an authority is given, and no authority */
export function checkUnpinned(pins: PinOptions["fingerprint"]): void {
  if (pins === undefined) return;
  throw new UsageError("--fingerprint is for --authority, which is not given");
}

/** Options of commands that may open the authority's RSA key. */
export function addAuthorityKeyOption(command: Command): Command {
  return command.option(
    `${KEY_FLAG} <file>`,
    "read the passphrase of the authority's key from the file's first line",
  );
}

/** The path of the authority. @throws UsageError if neither the option nor the variable gives one */
export function requireAuthority({ authority }: AuthorityOptions): string {
  if (authority !== undefined && authority !== "") return authority;
  throw new UsageError(`which authority? Give --authority, or set ${VARIABLE}`);
}
