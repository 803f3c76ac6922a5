import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { PASSPHRASE } from "../authority/office.js";
import { TWINWRAP } from "../cli/run.js";

// `authority serve` as a process of its own.

const running: ServeProcess[] = [];

export class ServeProcess {
  readonly child: ChildProcess;
  stdout = "";
  stderr = "";
  /** How it ended: its exit code, or its signal. */
  readonly ended: Promise<number | string>;

  /**
   * @param arguments_ those after the folder
   * @param most KiB that a file of its may have, as if the disk had no more
   */
  constructor(
    folder: string,
    arguments_: readonly string[],
    env: Record<string, string> = {},
    most?: number,
  ) {
    const passphrase = join(folder, "..", "passphrase");
    writeFileSync(passphrase, `${PASSPHRASE}\n`);
    const line = ["authority", "serve", folder, "--authority-passphrase-file", passphrase];
    const limit = `ulimit -f ${most ?? "unlimited"}; exec "$0" "$@"`;
    const all = [process.execPath, TWINWRAP, ...line, ...arguments_];
    this.child = spawn("bash", ["-c", limit, ...all], {
      env: { ...process.env, NODE_OPTIONS: "", ...env },
      detached: true,
    });
    running.push(this);
    this.child.stdout!.on("data", (data) => (this.stdout += data));
    this.child.stderr!.on("data", (data) => (this.stderr += data));
    this.ended = new Promise((resolve) => {
      this.child.on("close", (code, signal) => resolve(code ?? signal!));
    });
  }

  /** Where it listens, once it does. @throws what it said if it ends before */
  async at(what: "listening" | "metrics" = "listening"): Promise<string> {
    const found = () => new RegExp(`^${what} on (.*)$`, "m").exec(this.stdout)?.[1];
    for (;;) {
      const place = found();
      if (place !== undefined) return place;
      const next = new Promise<undefined>((resolve) => {
        this.child.stdout!.once("data", () => resolve(undefined));
      });
      const code = await Promise.race([next, this.ended]);
      if (code !== undefined && found() === undefined) throw new Error(`${code}: ${this.stderr}`);
    }
  }

  /** Lines of its log. */
  get log(): Record<string, unknown>[] {
    const lines = this.stderr.split("\n").filter((line) => line.startsWith("{"));
    return lines.map((line) => JSON.parse(line));
  }

  end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | string> {
    this.child.kill(signal);
    return this.ended;
  }
}

/** Ends those that still run. */
export async function endProcesses(): Promise<void> {
  for (const one of running.splice(0)) {
    one.child.kill("SIGKILL");
    await one.ended;
  }
}
