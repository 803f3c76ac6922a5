import { randomBytes, wipe } from "../bytes.js";
import { SigningKey, writeControlKey, writeControlPublicKey } from "../escrow/index.js";
import { writeFilesWhole } from "../files.node.js";
import type { OutputOptions } from "./command.js";
import { publicPath } from "./key-names.js";
import { PRIVATE_MODE } from "./keygen.js";
import { newPassphrase, type PassphraseOptions } from "./passphrase.js";
import { formatKey } from "./text.js";

/** An owner's control key that was written. */
export interface MadeControlKey {
  publicOutput: string;
  /** Whether the private key is locked with a passphrase. */
  locked: boolean;
  /** The public key (PEM), and for people. */
  publicKey: Uint8Array<ArrayBuffer>;
  signs: string;
}

/** Makes an owner's control key: two files, or neither. @param path of the private one */
export async function makeControlKey(
  path: string,
  options: PassphraseOptions & Pick<OutputOptions, "force">,
): Promise<MadeControlKey> {
  const { force = false } = options;
  const publicOutput = publicPath(path);
  const passphrase = await newPassphrase(path, options);
  const seed = randomBytes(32);
  let pem: Uint8Array | undefined;
  try {
    const { publicKey } = await SigningKey.from(seed);
    pem = await writeControlKey(seed, { passphrase });
    const publicPem = writeControlPublicKey(publicKey);
    await writeFilesWhole([
      { path, content: [pem], force, mode: PRIVATE_MODE },
      { path: publicOutput, content: [publicPem], force },
    ]);
    const locked = passphrase !== undefined;
    return { publicOutput, locked, publicKey: publicPem, signs: formatKey(publicKey) };
  } finally {
    wipe(pem, seed);
  }
}
