import { type Command, InvalidArgumentError, Option } from "commander";
import { SCOPES, type Scope } from "../authority/scopes.js";
import type { Token } from "../authority/tokens.js";
import { toUtf8 } from "../bytes.js";
import { formatTime, parseTime } from "../jcs.js";
import { type Cell, outside } from "../text.js";
import { withService } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import { addOutputOptions, jsonOption, newCommand, type OutputOptions } from "./command.js";
import { outputFor, outputText, tell } from "./io.js";
import { PRIVATE_MODE } from "./keygen.js";
import { asUsage } from "./report.js";
import { needShown } from "./tell.js";

interface AddOptions extends AuthorityOptions, OutputOptions {
  scope: Scope[];
  owner?: string;
  expires?: Date;
  json?: boolean;
}

function parseScopes(text: string): Scope[] {
  const scopes = text.split(",");
  if (scopes.every((scope) => (SCOPES as readonly string[]).includes(scope)))
    return scopes as Scope[];
  throw new InvalidArgumentError(`expected some of ${SCOPES.join(",")}`);
}

/** A day, or a time. */
function parseExpiry(text: string): Date {
  const time = parseTime(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T23:59:59Z` : text);
  if (time === undefined)
    throw new InvalidArgumentError("expected a day like 2027-01-31, or a UTC time");
  if (time > new Date()) return time;
  throw new InvalidArgumentError("this is past already");
}

function stateOf({ revoked, expires }: Token): string {
  if (revoked !== undefined) return `revoked ${formatTime(revoked)}`;
  if (expires === undefined) return "good";
  return `${expires <= new Date() ? "expired" : "good until"} ${formatTime(expires)}`;
}

function factsOf(token: Token) {
  const { id, scopes, owner, created, expires, revoked } = token;
  const time = (at: Date | undefined) => at && formatTime(at);
  return {
    id,
    scopes,
    owner,
    created: formatTime(created),
    expires: time(expires),
    revoked: time(revoked),
  };
}

const rowOf = (token: Token): Cell[] => [
  token.id,
  token.scopes.join(","),
  outside(token.owner ?? ""),
  formatTime(token.created),
  stateOf(token),
];

async function add(options: AddOptions): Promise<void> {
  const { scope: scopes, owner, expires, output } = options;
  if (output === undefined) needShown("the token");
  const write = output === undefined ? undefined : await outputFor([], output, options);
  await withService(requireAuthority(options), async (service) => {
    const { text, token } = await asUsage(() => service.addToken({ scopes, owner, expires }));
    await write?.([toUtf8(`${text}\n`)], PRIVATE_MODE).catch(async (error) => {
      // Nobody has it, so nobody is to be let in by it.
      await service.revokeToken(token.id);
      throw error;
    });
    const shown = output === undefined ? { token: text } : { written: output };
    tell(options, { ...factsOf(token), ...shown }, [
      output === undefined ? ["token", text] : ["written", outputText(output)],
      ["id", token.id],
      ["scopes", token.scopes.join(",")],
      ...(owner === undefined ? [] : [["owner", outside(owner)]]),
      ["state", stateOf(token)],
      ["keep it", "it is given out this once: whoever has it can call in its holder's name"],
    ]);
  });
}

async function list(options: ReadingOptions & { json?: boolean }): Promise<void> {
  const work = async (tokens: Token[]) => {
    const head: Cell[] = ["id", "scopes", "owner", "created", "state"];
    const rows = tokens.length === 0 ? "there is no token\n" : [head, ...tokens.map(rowOf)];
    tell(options, tokens.map(factsOf), rows);
  };
  const { readOnly } = options;
  await withService(requireAuthority(options), async (service) => work(await service.tokens()), {
    readOnly,
  });
}

async function revoke(id: string, options: AuthorityOptions & { json?: boolean }): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    const token = await service.revokeToken(id);
    tell(options, factsOf(token), [
      ["revoked", token.id],
      ["scopes", token.scopes.join(",")],
      ...(token.owner === undefined ? [] : [["owner", outside(token.owner)]]),
    ]);
  });
}

export function tokenCommand(): Command {
  const addCommand = newCommand(
    "add",
    "Makes a token that lets its bearer call the authority's service, and shows it once.",
    "twinwrap authority token add --scope submit,recover --owner olivia --expires 2027-12-31",
  )
    .addOption(
      new Option("--scope <scopes>", `what it is for: some of ${SCOPES.join(",")}`)
        .argParser(parseScopes)
        .makeOptionMandatory(),
    )
    .option("--owner <id>", "the owner whose records alone it is for")
    .addOption(
      new Option("--expires <date>", "its last day, or a UTC time").argParser(parseExpiry),
    );
  addOutputOptions(addCommand, "write the token into a file, for its holder alone")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(add);
  const listCommand = newCommand("list", "Lists the tokens.", "twinwrap authority token list")
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .action(list);
  const revokeCommand = newCommand(
    "revoke",
    "Revokes a token, at once and for good.",
    "twinwrap authority token revoke 9f86d081884c7d65",
  )
    .argument("<id>", "its ID, or the beginning of it")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(revoke);
  return newCommand(
    "token",
    "Tokens, which let programs and people call the authority's service.",
    "twinwrap authority token add --scope officer",
  )
    .addCommand(addCommand)
    .addCommand(listCommand)
    .addCommand(revokeCommand);
}
