// The main job on a real file, through the command line as a user has it: seal for two keys, look,
// open with each, and see a third key and a flipped byte refused.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const folder = mkdtempSync(join(tmpdir(), "twinwrap-demo-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

function say(text) {
  console.log(`\n# ${text}`);
}

/** Runs the command line and shows what a person would see. */
function twinwrap(line, { refused = false } = {}) {
  console.log(`$ twinwrap ${line}`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`${root}build/bin/twinwrap.js`, ...line.split(" ")],
    {
      cwd: folder,
      encoding: "utf8",
    },
  );
  process.stdout.write(stdout + stderr);
  if ((status !== 0) !== refused) throw new Error(`twinwrap ended with exit code ${status}`);
}

const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");

// A real file that every clone has after `npm ci`: the compiler that built the core.
const original = `${root}node_modules/binaryen/index.js`;
execFileSync("cp", [original, join(folder, "report.bin")]);

say("Three people make key pairs (unlocked, for this demonstration only).");
for (const name of ["alice", "bob", "mallory"]) twinwrap(`keygen -o ${name}.pem --no-passphrase`);

say(`A file of ${(statSync(original).size / 2 ** 20).toFixed(1)} MiB is sealed for Alice and Bob.`);
twinwrap(
  "encrypt report.bin --owner alice.pub.pem --owner bob.pub.pem --description Demonstration",
);

say("Who can open it? The header says so, without a key.");
twinwrap("inspect report.bin.twin");

say("Each of the two opens it, and gets the identical file.");
for (const name of ["alice", "bob"]) {
  twinwrap(`decrypt report.bin.twin -o by-${name}.bin -k ${name}.pem`);
  if (sha256(join(folder, `by-${name}.bin`)) !== sha256(original))
    throw new Error("the files differ");
  console.log(`SHA-256 of report.bin and by-${name}.bin: ${sha256(original)}`);
}

say("Mallory's key is refused, and leaves no file.");
twinwrap("decrypt report.bin.twin -o by-mallory.bin -k mallory.pem", { refused: true });

say("One flipped bit in the middle is noticed.");
const sealed = join(folder, "report.bin.twin");
const handle = openSync(sealed, "r+");
const middle = Math.floor(statSync(sealed).size / 2);
const byte = Buffer.alloc(1);
readSync(handle, byte, 0, 1, middle);
byte[0] ^= 1;
writeSync(handle, byte, 0, 1, middle);
closeSync(handle);
twinwrap("decrypt report.bin.twin -o flipped.bin -k alice.pem", { refused: true });
for (const name of ["by-mallory.bin", "flipped.bin"]) {
  if (statSync(join(folder, name), { throwIfNoEntry: false }))
    throw new Error(`${name} was left behind`);
}

say("All as it should be.");
