import { type Header, inspect, type Opened, open } from "../envelope/index.js";
import { type EngineFlags, engineOptions, UsageError } from "./command.js";
import { progress, STANDARD, type Write, withInput } from "./io.js";
import type { Keyring } from "./keyring.js";
import { about } from "./report.js";
import { SUFFIX } from "./sealing.js";

// What `decrypt` and `recover fetch` share: both open a sealed file.

/** The output for a sealed file: beside it, or standard output if the input is that. @throws UsageError */
export function plainPath(input: string): string {
  if (input === STANDARD) return STANDARD;
  if (input.endsWith(SUFFIX) && input.length > SUFFIX.length) return input.slice(0, -SUFFIX.length);
  throw new UsageError(`${input} does not end in ${SUFFIX}: name the output with -o`);
}

/**
 * Opens a sealed file.
 * @param write takes the plaintext
 * @param pick the part that is wanted; by default all of it
 */
export function openInto(
  input: string,
  write: Write,
  ring: Pick<Keyring, "keysFor" | "all" | "isChoice">,
  options: EngineFlags & { allowWeak?: boolean },
  pick: (opened: Opened) => AsyncIterable<Uint8Array> = (opened) => opened,
): Promise<Header> {
  const { allowWeak = false } = options;
  return withInput(input, (file) =>
    about(input, async () => {
      const source = file.seekable ? file : file.pieces();
      const isKnown = ring.isChoice && file.seekable;
      const key = await (isKnown ? ring.keysFor(await inspect(file)) : ring.all());
      const onProgress = progress("opened");
      const opened = await open(source, { ...engineOptions(options), allowWeak, key, onProgress });
      try {
        await write(pick(opened));
      } finally {
        opened.dispose();
      }
      return opened.header;
    }),
  );
}
