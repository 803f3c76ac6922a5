import { type Command, InvalidArgumentError, Option } from "commander";
import type { NewOfficer } from "../authority/policies.js";
import {
  type OfficerPublicKeys,
  type OwnersRule,
  readOfficerPublicKeys,
  type UnprovenRule,
} from "../escrow/index.js";
import { USUAL_LIFETIME } from "../escrow/request.js";
import { checkPublicKey } from "../keys/index.js";
import { collect, integerBetween, UsageError } from "./command.js";
import { readSmall, warn } from "./io.js";
import { about, neverWeak } from "./report.js";
import { formatSeconds } from "./text.js";

// The options that name officers, for the first policy and for later ones.

export interface OfficersOptions {
  officer?: string[];
  self?: string[];
  quorum?: number;
  waiting?: number;
  owners?: OwnersRule;
  unproven?: UnprovenRule;
}

/** NAME=VALUE. */
function pair(flag: string, text: string): [string, string] {
  const at = text.indexOf("=");
  if (at <= 0 || at === text.length - 1) {
    throw new UsageError(`${flag} takes NAME=${flag === "--officer" ? "PUB" : "OWNER-ID"}`);
  }
  return [text.slice(0, at), text.slice(at + 1)];
}

/** An officer, and where their public keys come from. */
export interface NamedOfficer {
  name: string;
  keys: () => Promise<OfficerPublicKeys>;
}

/** The officers whose public keys are in files. @throws UsageError */
export function givenOfficers({ officer = [] }: OfficersOptions): NamedOfficer[] {
  return officer.map((text) => {
    const [name, path] = pair("--officer", text);
    const keys = () =>
      about(path, async () => {
        const read = readOfficerPublicKeys(await readSmall(path));
        await neverWeak(() => checkPublicKey(read.shareKey, { forWrap: true }));
        return read;
      });
    return { name, keys };
  });
}

/** Gives each officer their own owner IDs. @throws UsageError */
export function selvesOf(options: OfficersOptions, names: readonly string[]): string[][] {
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw new UsageError(`officer ${twice} is given twice`);
  const self = (options.self ?? []).map((text) => pair("--self", text));
  const stranger = self.find(([name]) => !names.includes(name));
  if (stranger !== undefined) {
    throw new UsageError(`--self names ${stranger[0]}, who is no officer`);
  }
  return names.map((name) => {
    const ids = self.filter(([officer]) => officer === name).map(([, id]) => id);
    if (new Set(ids).size === ids.length) return ids;
    throw new UsageError(`--self gives an owner ID of ${name} twice`);
  });
}

/** Reads the officers and their keys. @throws UsageError */
export async function officersOf(
  options: OfficersOptions,
  named: readonly NamedOfficer[] = givenOfficers(options),
): Promise<NewOfficer[]> {
  const names = named.map(({ name }) => name);
  const selves = selvesOf(options, names);
  const officers: NewOfficer[] = [];
  for (const [i, { name, keys }] of named.entries()) {
    officers.push({ name, ...(await keys()), self: selves[i]! });
  }
  return officers;
}

/** Warns if a usual request would expire before its waiting period is over. */
export function warnOfWaiting({ waiting = 0 }: OfficersOptions): void {
  if (waiting * 1000 < USUAL_LIFETIME) return;
  warn(
    `requests are good for ${formatSeconds(USUAL_LIFETIME / 1000)} unless their requester asks for more (--expires): with a waiting period of ${formatSeconds(waiting)} others expire before it is over`,
  );
}

/** 0 is refused later, with the same words as a number that is too large: the officers are not known yet. */
function parseQuorum(text: string): number {
  if (!/^\d{1,3}$/.test(text)) throw new InvalidArgumentError("expected a whole number");
  return Number(text);
}

/** @param defaults in words */
export function addOfficersOptions(
  command: Command,
  {
    quorum,
    waiting,
    owners,
    unproven,
  }: Record<"quorum" | "waiting" | "owners" | "unproven", string>,
): Command {
  return command
    .option("--quorum <k>", `officers it takes to release a key (default: ${quorum})`, parseQuorum)
    .option(
      "--waiting <seconds>",
      `time between a request and its release, unless all officers agree (default: ${waiting})`,
      integerBetween(0, 366 * 86_400),
    )
    .option(
      "--self <name=owner-id>",
      "an owner ID that belongs to an officer, who does not decide about it (repeat)",
      collect,
    )
    .addOption(
      new Option(
        "--owners <rule>",
        `whose records are taken in: anybody's (open), or those of enrolled owners (default: ${owners})`,
      ).choices(["open", "enrolled"]),
    )
    .addOption(
      new Option(
        "--unproven <rule>",
        `whether keys that nobody proves are taken in; whoever has such a blob could have sent it (default: ${unproven})`,
      ).choices(["refused", "taken"]),
    );
}
