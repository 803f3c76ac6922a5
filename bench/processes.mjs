// One run of a whole process: wall time and peak memory.
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";

/** The most that a process ever held, in MiB; the system's own count, so it is no matter when it is read. */
function peakMiB(pid) {
  try {
    const [, kilobytes] =
      /^VmHWM:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kilobytes && Number(kilobytes) / 1024;
  } catch {
    return undefined; // ended, or no Linux
  }
}

/** Runs `argv` to its end. @returns `seconds` and `peakMiB` (undefined where the system does not tell) */
export function runProcess([command, ...args], { env = {}, input } = {}) {
  return new Promise((resolve, reject) => {
    const begin = performance.now();
    const child = spawn(command, args, {
      env: { ...process.env, ...env },
      stdio: [input === undefined ? "ignore" : "pipe", "ignore", "pipe"],
    });
    child.stdin?.end(input);
    let peak;
    const watch = setInterval(() => {
      peak = peakMiB(child.pid) ?? peak;
    }, 10);
    let complaint = "";
    child.stderr.on("data", (data) => {
      complaint += data;
    });
    child.on("error", (error) => {
      clearInterval(watch);
      reject(error);
    });
    let seconds;
    child.on("exit", () => {
      seconds = (performance.now() - begin) / 1000;
    });
    child.on("close", (code) => {
      clearInterval(watch);
      if (code === 0) resolve({ seconds, peakMiB: peak });
      else
        reject(new Error(`${command} ended with ${code}: ${complaint.trim().split("\n").at(-1)}`));
    });
  });
}
