import { spawn, spawnSync } from "node:child_process";
import { createPrivateKey, createPublicKey } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { takeKey } from "../prepared-keys.cjs";

/** The bundled command line, as the package ships it. */
export const TWINWRAP = fileURLToPath(new URL("../../build/bin/twinwrap.js", import.meta.url));

const PREPARED = fileURLToPath(new URL("../prepared-keys.cjs", import.meta.url));

/** Whether a test may have a small disk of its own (unshare and tmpfs). */
export const canMount = () =>
  spawnSync("unshare", ["-rm", "mount", "-t", "tmpfs", "none", "/mnt"]).status === 0;

/** A folder for one test, with `twinwrap` on the PATH of whatever `shell` runs there. */
export class Sandbox {
  readonly path = mkdtempSync(join(tmpdir(), "twinwrap test ü-"));
  readonly #bin = join(this.path, ".bin");
  /** Where the user's own keys are, in the folder "twinwrap": none at first. */
  readonly config = join(this.#bin, "config");
  /** Says which of the prepared keys are taken. */
  readonly #keys = join(this.#bin, "keys");

  constructor() {
    mkdirSync(this.#keys, { recursive: true });
    writeFileSync(
      join(this.#bin, "twinwrap"),
      `#!/bin/sh\nexec "${process.execPath}" "${TWINWRAP}" "$@"\n`,
      {
        mode: 0o755,
      },
    );
  }

  file(name: string): string {
    return join(this.path, name);
  }

  read(name: string): Buffer {
    return readFileSync(this.file(name));
  }

  write(name: string, content: string | Uint8Array): void {
    writeFileSync(this.file(name), content);
  }

  /** What should not be there any more once a command has ended: its temporaries and locks. */
  leftovers(): string[] {
    return readdirSync(this.path).filter((name) => /^\.twinwrap-|\.lock$/.test(name));
  }

  /** A key pair that node:crypto made, not we: NAME.pem (PKCS#8, unlocked) and NAME.pub.pem. */
  keyPair(name: string, bits: 1024 | 2048 | 3072 = 2048): void {
    const key = takeKey(this.#keys, bits);
    if (key === undefined) throw new Error(`all prepared keys of ${bits} bits are taken`);
    const privateKey = createPrivateKey({ key, format: "der", type: "pkcs8" });
    const pem = privateKey.export({ format: "pem", type: "pkcs8" });
    writeFileSync(this.file(`${name}.pem`), pem, { mode: 0o600 });
    const publicKey = createPublicKey(privateKey);
    this.write(`${name}.pub.pem`, publicKey.export({ format: "pem", type: "spki" }));
  }

  /** What commands find in their environment. */
  environment(): NodeJS.ProcessEnv {
    return {
      ...process.env,
      PATH: `${this.#bin}:${process.env.PATH}`,
      LC_ALL: "C.UTF-8",
      NODE_OPTIONS: `--require "${PREPARED}"`,
      TWINWRAP_TEST_KEYS: this.#keys,
      TWINWRAP_AUTHORITY: "",
      TWINWRAP_OWNER_ID: "",
      TWINWRAP_KEY: "",
      XDG_CONFIG_HOME: this.config,
    };
  }

  /** Runs one line of bash and gives what it printed and how it ended. */
  shell(
    line: string,
    input: string | Uint8Array = "",
  ): Promise<{ stdout: string; stderr: string; code: number; bytes: Buffer }> {
    return new Promise((resolve, reject) => {
      const child = spawn("bash", ["-c", line], {
        cwd: this.path,
        // A session of its own has no terminal, so nothing can ask on it by mistake.
        detached: true,
        env: this.environment(),
      });
      const out: Buffer[] = [];
      const err: Buffer[] = [];
      child.stdout.on("data", (data) => out.push(data));
      child.stderr.on("data", (data) => err.push(data));
      child.stdin.on("error", () => {}); // a command need not read its input
      child.stdin.end(input);
      child.on("error", reject);
      child.on("close", (code, signal) => {
        const bytes = Buffer.concat(out);
        resolve({
          stdout: bytes.toString("utf8"),
          stderr: Buffer.concat(err).toString("utf8"),
          code: code ?? (signal === null ? -1 : 128),
          bytes,
        });
      });
    });
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
