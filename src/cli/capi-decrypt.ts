import type { Command } from "commander";
import { weakness } from "../capi/index.js";
import { withOldFile } from "./capi-open.js";
import {
  addOldFileOptions,
  cipherFacts,
  cipherText,
  type OldFileOptions,
  oldInputs,
} from "./capi-options.js";
import { jsonOption, newCommand, type OutputOptions, outputName } from "./command.js";
import { outputFor, outputText, progress, tell, warn } from "./io.js";

interface DecryptOptions extends OldFileOptions, OutputOptions {
  output: string;
  json?: boolean;
}

/** Counts the bytes that pass. */
async function* counted(pieces: AsyncIterable<Uint8Array>, count: (bytes: number) => void) {
  for await (const piece of pieces) {
    count(piece.length);
    yield piece;
  }
}

async function decrypt(input: string, options: DecryptOptions): Promise<void> {
  const { output } = options;
  const write = await outputFor(oldInputs(input, options), output, options);
  const onProgress = progress("decrypted");
  let size = 0;
  const facts = await withOldFile(input, options, onProgress, async (old) => {
    const { session, settings, plaintext, doubt } = old;
    const weak = weakness(session, settings);
    if (weak !== undefined) warn(`${weak}; \`twinwrap capi convert\` makes a sealed file of it`);
    await write(
      counted(plaintext, (bytes) => {
        size += bytes;
      }),
    );
    const doubtful = doubt();
    if (doubtful !== undefined) warn(doubtful);
    return { text: cipherText(session, settings), ...cipherFacts(session, settings) };
  });
  const { text, ...rest } = facts;
  const rows = [
    ["decrypted", outputText(output)],
    ["cipher", text],
    ["size", `${size} bytes (not authenticated: nothing shows whether they were altered)`],
  ];
  tell(options, { file: output, size, ...rest }, rows, output);
}

export function decryptCommand(): Command {
  const command = newCommand(
    "decrypt",
    "Decrypts a file that a CryptoAPI program encrypted. To standard output, data leaves as it is decrypted: it is whole only if the exit code is 0.",
    "twinwrap capi decrypt -k alice.pem --blob letter.simpleblob letter.enc -o letter.txt\ntwinwrap capi decrypt -k alice.pem --layout length32 letter.enc -o letter.txt\ntwinwrap capi decrypt --password-file secret.txt --derive md5 --alg rc4 letter.enc -o letter.txt",
  ).argument("<in>", "the encrypted file, or - for standard input");
  return addOldFileOptions(command)
    .requiredOption("-o, --output <file>", "the plaintext, or - for standard output", outputName)
    .option("--force", "replace the output file if it exists")
    .addOption(jsonOption())
    .action(decrypt);
}
