import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const folder =
  process.env.TWINWRAP_VECTORS ?? fileURLToPath(new URL("../../shared/vectors", import.meta.url));

/**
 * Where the public test vectors are, if they are there: they have licences of their own and stay
 * outside the repository, beside it. Tests that need them skip visibly without.
 */
export const vectorsFolder: string | undefined = existsSync(folder) ? folder : undefined;
export const haveVectors = vectorsFolder !== undefined;

/** One file of the vectors, by its path inside their folder. */
export function readVectors(path: string): Buffer {
  return readFileSync(`${vectorsFolder}/${path}`);
}

/** One JSON file of the vectors. */
// biome-ignore lint/suspicious/noExplicitAny: the vectors' forms are their authors'
export function readVectorsJson(path: string): any {
  return JSON.parse(readVectors(path).toString("utf8"));
}
