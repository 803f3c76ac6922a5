import { Option } from "commander";
import { readBack } from "../errors.js";
import type { NamedParty } from "./authority-io.js";
import { UsageError } from "./command.js";
import { askLine } from "./passphrase.js";
import { asUsage } from "./report.js";

// Who an owner is at an authority. It is never made from a key: that key may be the one that is lost.

const VARIABLE = "TWINWRAP_OWNER_ID";

export interface OwnerIdOptions {
  ownerId?: string | undefined;
}

export function ownerIdOption(): Option {
  return new Option(
    "--owner-id <id>",
    "who you are to the authority: a name that people know you by",
  ).env(VARIABLE);
}

/** The owner ID that is given, if one is: an empty variable means none. @throws UsageError */
export async function givenOwnerId({ ownerId }: OwnerIdOptions): Promise<string | undefined> {
  return ownerId === undefined || ownerId === "" ? undefined : checked(ownerId);
}

/**
 * The owner ID that is given, that all connection files name, or that is typed on the terminal.
 * @throws UsageError if there is none of these
 */
export async function ownerIdFor(
  options: OwnerIdOptions,
  parties: readonly NamedParty[] = [],
): Promise<string> {
  const given = await givenOwnerId(options);
  if (given !== undefined) return given;
  const [known, ...others] = new Set(parties.map(({ remote }) => remote?.ownerId));
  if (known !== undefined && others.length === 0) return known;
  const needed = `who are you to the authority? Give --owner-id, or set ${VARIABLE}`;
  const typed = await askLine("Your owner ID, a name that people know you by:", needed);
  if (typed === "") throw new UsageError(needed);
  return checked(typed);
}

async function checked(id: string): Promise<string> {
  const { checkOwnerId } = await import("../escrow/index.js");
  return asUsage(() => readBack(() => checkOwnerId(id)));
}
