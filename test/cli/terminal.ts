import { spawn, spawnSync } from "node:child_process";
import type { Sandbox } from "./run.js";

// A terminal, as `script` of util-linux makes one, with somebody at it who answers questions.

export const haveTerminal =
  process.platform === "linux" && spawnSync("script", ["--version"]).status === 0;

/** What is typed when something is asked. */
export type Answers = readonly (readonly [question: RegExp, answer: string])[];

/**
 * Runs one line of bash at a terminal. Each question is answered as often as it is asked.
 * @returns what the terminal showed, and how it ended
 */
export function atTerminal(
  sandbox: Sandbox,
  line: string,
  answers: Answers,
): Promise<{ shown: string; code: number }> {
  return new Promise((resolve, reject) => {
    const child = spawn("script", ["-qec", line, "/dev/null"], {
      cwd: sandbox.path,
      env: { ...sandbox.environment(), SHELL: "/bin/bash", TERM: "dumb" },
    });
    let shown = "";
    let seen = 0;
    child.stdout.on("data", (data) => {
      shown += data;
      for (;;) {
        const rest = shown.slice(seen);
        const found = answers
          .map(([question, answer]) => ({ at: question.exec(rest), answer }))
          .filter(({ at }) => at !== null)
          .sort((a, b) => a.at!.index - b.at!.index)[0];
        if (found === undefined) return;
        seen += found.at!.index + found.at![0].length;
        child.stdin.write(found.answer);
      }
    });
    child.on("error", reject);
    child.on("close", (code) =>
      resolve({ shown: shown.replaceAll("\r\n", "\n"), code: code ?? -1 }),
    );
  });
}
