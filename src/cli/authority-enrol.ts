import { existsSync } from "node:fs";
import type { Command } from "commander";
import { equalBytes, wipe } from "../bytes.js";
import { HttpClient } from "../client/http.js";
import { sharedCore } from "../core/index.js";
import { notVerified, TwinwrapError } from "../errors.js";
import type { Connection } from "../escrow/connection.js";
import {
  type Authority,
  decodeOwnerFile,
  verifyAuthority,
  writeControlPublicKey,
} from "../escrow/index.js";
import { outside } from "../text.js";
import { checkPin } from "./authority-io.js";
import { type PinOptions, pinOption } from "./authority-options.js";
import {
  addOutputOptions,
  addPassphraseOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
} from "./command.js";
import { writeConnection } from "./connection.js";
import { makeControlKey } from "./control-key.js";
import { checkOutput, tell } from "./io.js";
import { confirm, type PassphraseOptions, readPassphraseFile } from "./passphrase.js";
import { about, asUsage } from "./report.js";
import { withControlKey } from "./signing-key-file.js";
import { fileName, formatFingerprint, inline } from "./text.js";

// How somebody gets to know an authority's service: once, and looks closely.

interface EnrolOptions extends PinOptions, OutputOptions, PassphraseOptions {
  tokenFile?: string;
  control?: string;
  yes?: boolean;
  json?: boolean;
}

async function enrol(url: string, options: EnrolOptions): Promise<void> {
  const core = await sharedCore();
  const token = await tokenFor(options);
  const client = await asUsage(() => new HttpClient(core, { url, token }));
  const file = await client.file();
  const authority = await verifyAuthority(core, file);
  await compare(url, authority, options);
  const info = token === undefined ? undefined : await client.token();
  const output = options.output ?? `${fileName(authority.origin)}.authority`;
  await checkOutput([], output, options);
  const owner =
    info?.owner === undefined
      ? undefined
      : await enrolOwner(client, { authority, id: info.owner }, options);
  const connection: Connection = {
    url,
    authority: file,
    token,
    owner: owner && { id: owner.id, secret: owner.secret },
  };
  try {
    await writeConnection(output, connection, { force: options.force });
  } finally {
    wipe(owner?.secret);
  }
  const name = formatFingerprint(authority.fingerprint);
  tell(
    options,
    {
      authority: authority.origin,
      fingerprint: name,
      url,
      scopes: info?.scopes,
      owner: owner?.id,
      control: owner?.control,
      connection: output,
    },
    [
      ["authority", inline(authority.origin)],
      ["fingerprint", name],
      ...(info === undefined ? [] : [["token", `for ${info.scopes.join(", ")}`]]),
      ...(owner === undefined
        ? []
        : [
            ["owner", outside(owner.id)],
            ["control key", `${owner.control}: keep it away from your files`],
          ]),
      ["connection", output],
      ["next", `give it as --authority ${output}, or set TWINWRAP_AUTHORITY`],
    ],
    output,
  );
}

async function tokenFor({ tokenFile }: EnrolOptions): Promise<string | undefined> {
  if (tokenFile === undefined) return undefined;
  const token = (await readPassphraseFile(tokenFile, "token")).trim();
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  throw new TwinwrapError("BAD_FORMAT", `${tokenFile}: there is no token in its first line`);
}

/** Nothing but this comparison shows that it is the authority that was meant. */
async function compare(url: string, authority: Authority, options: EnrolOptions): Promise<void> {
  if (options.fingerprint !== undefined) {
    checkPin(authority, options.fingerprint);
    return;
  }
  if (options.yes) return;
  const name = formatFingerprint(authority.fingerprint);
  const lines = `${inline(authority.origin)} at ${inline(url)} has the fingerprint\n  ${name}\n`;
  await confirm("Is this what the authority's people told you?", lines, "nothing was kept");
}

/** The owner's control key, and the secret that the authority gives for it. */
async function enrolOwner(
  client: HttpClient,
  { authority, id }: { authority: Authority; id: string },
  options: EnrolOptions,
): Promise<{ id: string; secret: Uint8Array; control: string }> {
  const control = options.control ?? `${fileName(id)}.control.pem`;
  // One that is there is taken: an answer that was lost is asked for again with the same key.
  const publicKey = existsSync(control)
    ? await withControlKey(control, options, async (key) => writeControlPublicKey(key.publicKey))
    : (await makeControlKey(control, { ...options, force: false })).publicKey;
  const bytes = await about(control, () => client.enrol(publicKey));
  try {
    const file = decodeOwnerFile(bytes);
    const isRight =
      file.owner === id &&
      file.authority === authority.origin &&
      equalBytes(file.fingerprint, authority.fingerprint);
    if (!isRight) {
      wipe(file.secret);
      throw notVerified("the authority enrolled somebody else than it was asked to");
    }
    return { id, secret: file.secret, control };
  } finally {
    wipe(bytes);
  }
}

export function enrolCommand(): Command {
  const command = newCommand(
    "enrol",
    "Gets to know an authority's service: asks who it is, and keeps how to reach it in one file. An owner gets a control key too.",
    "twinwrap authority enrol https://keys.example.org --token-file token.txt -o acme.authority",
  )
    .argument("<url>", "where the service is")
    .option(
      "--token-file <file>",
      "the token that the authority's people gave you, in its first line",
    )
    .option(
      "--control <file>",
      "an owner's control key; made if it is not there (default: ID.control.pem)",
    )
    .addOption(pinOption())
    .option("--yes", "without comparing the fingerprint: whoever answers is believed");
  addOutputOptions(command, "the connection file (default: NAME.authority)");
  addPassphraseOptions(command, "leave a new control key unlocked");
  return command.addOption(jsonOption()).action(enrol);
}
