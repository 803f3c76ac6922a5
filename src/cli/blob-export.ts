import { algorithmName, type PlaintextKeyBlob } from "../blob/index.js";
import { toHex } from "../bytes.js";
import { exportSimpleBlob } from "../capi/index.js";
import type { Padding } from "../envelope/index.js";
import { isSameFile, type NewFile } from "../files.node.js";
import { bitLength, checkPublicKey, fingerprint, type RsaPublicKey } from "../keys/index.js";
import { UsageError } from "./command.js";
import { checkOutput, outputText, type ReadOptions, STANDARD, tell, writeFiles } from "./io.js";
import { readPublicKeyFile } from "./key-files.js";
import { about } from "./report.js";

/** A SIMPLEBLOB to write: its public key, and its file. */
export interface Target {
  to: string;
  output: string;
  key: RsaPublicKey;
}

export interface ExportOptions {
  padding?: Padding | undefined;
  force?: boolean;
  allowWeak?: boolean;
  json?: boolean;
}

/** Pairs keys with outputs. Checks what it can before there is a session key. @throws UsageError */
export async function readTargets(
  to: string[],
  outputs: string[],
  inputs: string[],
  options: ExportOptions & ReadOptions,
): Promise<Target[]> {
  if (to.length !== outputs.length) {
    throw new UsageError(
      `as many outputs as keys are needed, in the same order: there are ${to.length} --to and ${outputs.length} -o`,
    );
  }
  if (outputs.length > 1 && outputs.includes(STANDARD)) {
    throw new UsageError("only a single blob can go to standard output");
  }
  const { allowWeak = false } = options;
  for (const [index, output] of outputs.entries()) {
    for (const earlier of outputs.slice(0, index)) {
      if (await isSameFile(earlier, output)) {
        throw new UsageError(`${earlier} and ${output} are the same output`);
      }
    }
    await checkOutput([...inputs, ...to], output, { ...options, output });
  }
  const targets: Target[] = [];
  for (const [index, path] of to.entries()) {
    const key = await readPublicKeyFile(path);
    await about(path, async () => checkPublicKey(key, { forWrap: true, allowWeak }));
    targets.push({ to: path, output: outputs[index]!, key });
  }
  return targets;
}

/** Wraps a session key for every target and writes the blobs, all or none. Tells what was written. */
export async function exportTo(
  targets: readonly Target[],
  { aiKeyAlg, key }: PlaintextKeyBlob,
  options: ExportOptions,
): Promise<void> {
  const { padding = "oaep", force = false } = options;
  const files: NewFile[] = [];
  for (const { to, output, key: publicKey } of targets) {
    const blob = await about(to, () => exportSimpleBlob(key, aiKeyAlg, publicKey, padding));
    files.push({ path: output, content: [blob], force });
  }
  await writeFiles(files);

  const wraps: { file: string; fingerprint: string; bits: number; padding: Padding }[] = [];
  for (const { output, key: publicKey } of targets) {
    wraps.push({
      file: output,
      fingerprint: toHex(await fingerprint(publicKey)),
      bits: bitLength(publicKey.n),
      padding,
    });
  }
  const facts = { algorithm: algorithmName(aiKeyAlg), keyLength: key.length, wraps };
  const rows = wraps.map(({ file, fingerprint, bits }) => [
    "wrapped",
    outputText(file),
    `for ${fingerprint}  RSA-${bits} ${padding}`,
  ]);
  const session = ["session key", sessionKeyText(aiKeyAlg, key)];
  tell(options, facts, [session, ...rows], files[0]?.path);
}

/** A session key as people may see it. */
export function sessionKeyText(aiKeyAlg: number, key: Uint8Array): string {
  return `${algorithmName(aiKeyAlg)}, ${key.length} bytes`;
}
