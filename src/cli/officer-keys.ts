import { basename } from "node:path";
import { randomBytes, wipe } from "../bytes.js";
import {
  type OfficerPublicKeys,
  SigningKey,
  writeOfficerKeys,
  writeOfficerPublicKeys,
} from "../escrow/index.js";
import type { NewFile } from "../files.node.js";
import { generateKeyPair, publicKeyOf, wipePrivateKey } from "../keys/index.js";
import { type OutputOptions, UsageError } from "./command.js";
import { STANDARD } from "./io.js";
import { publicPath } from "./key-names.js";
import { checkPairOutput, PRIVATE_MODE } from "./keygen.js";

// An officer's new keys: made in memory, so that whoever writes them can sign with them first.

export const SHARE_BITS = 3072;

/** An officer's keys that were made and are not written yet. */
export interface MadeOfficerKeys {
  publicOutput: string;
  /** Both files, the private keys first. */
  files: NewFile[];
  key: SigningKey;
  publicKeys: OfficerPublicKeys;
  /** Wipes the text of the private keys. */
  wipe: () => void;
}

/** Checks that an officer's two files can be written. @param path of the private keys */
export async function checkOfficerOutput(
  path: string,
  options: OutputOptions,
  otherwise?: string,
): Promise<void> {
  if (path === STANDARD) {
    throw new UsageError("an officer's keys are two files: give them a file's name");
  }
  const writePublic = (from: string, to: string) => `twinwrap officer public ${from} -o ${to}`;
  await checkPairOutput(path, options, { writePublic, otherwise });
}

/** @param path of the private keys @param passphrase locks them */
export async function makeOfficerKeys(
  path: string,
  passphrase: string | undefined,
  { force = false }: OutputOptions,
): Promise<MadeOfficerKeys> {
  const publicOutput = publicPath(path);
  const { privateKey: shareKey } = await generateKeyPair({ bits: SHARE_BITS });
  const seed = randomBytes(32);
  try {
    const key = await SigningKey.from(seed);
    const publicKeys = { publicKey: key.publicKey, shareKey: publicKeyOf(shareKey) };
    const pem = await writeOfficerKeys({ seed, shareKey }, { passphrase });
    const files: NewFile[] = [
      { path, content: [pem], force, mode: PRIVATE_MODE },
      { path: publicOutput, content: [writeOfficerPublicKeys(publicKeys)], force },
    ];
    return { publicOutput, files, key, publicKeys, wipe: () => wipe(pem) };
  } finally {
    wipe(seed);
    wipePrivateKey(shareKey);
  }
}

/** The officer whose keys a file is named after: keys/ann.pem has those of ann. */
export function officerNameOf(path: string): string {
  return basename(path).replace(/\.pem$/, "");
}
