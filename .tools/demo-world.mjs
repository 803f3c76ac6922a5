// What the demonstration is played with: people who each have a folder and see nothing else, and the command line as
// people have it.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

export const root = new URL("..", import.meta.url).pathname;
const TWINWRAP = `${root}build/bin/twinwrap.js`;
/** How long an authority may take to begin, in milliseconds. */
const BEGINNING = 60_000;

const world = mkdtempSync(join(tmpdir(), "twinwrap-demo-"));
const running = new Set();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
  rmSync(world, { recursive: true, force: true });
});

/** What everybody's commands are run with. */
export const settings = { TWINWRAP_AUTHORITY: "" };
const environment = () => ({ ...process.env, ...settings });

export const pathOf = (who, ...names) => join(world, who, ...names);
export const arrive = (who) => mkdirSync(pathOf(who));
export const leave = (who) => rmSync(pathOf(who), { recursive: true });

let steps = 0;
export function say(text) {
  if (steps > 0) changes();
  console.log(`\n# ${++steps}. ${text}`);
}

const indent = (text) => text.replace(/^/gm, "  ").trimEnd();
const shown = (words) => words.map((word) => (/[ ()]/.test(word) ? `"${word}"` : word)).join(" ");

/** Runs the command line in somebody's folder and shows what they would see. A number at the end is its exit code. */
export async function run(who, ...given) {
  const words = given.slice();
  const expected = typeof words.at(-1) === "number" ? words.pop() : 0;
  console.log(`${who}$ twinwrap ${shown(words)}`);
  const child = spawn(process.execPath, [TWINWRAP, ...words], {
    cwd: pathOf(who),
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  let [out, all] = ["", ""];
  child.stdout.on("data", (data) => {
    out += data;
    all += data;
  });
  child.stderr.on("data", (data) => {
    all += data;
  });
  const [code] = await once(child, "close");
  process.stdout.write(indent(all));
  console.log(expected === 0 ? "" : `\n  (exit code ${code}, as it should be)`);
  if (code !== expected) throw new Error(`twinwrap ended with exit code ${code}`);
  return out;
}

/** Begins to serve an authority. @returns where it listens, and how it is ended */
export async function serve(who, ...words) {
  console.log(`${who}$ twinwrap authority serve ${shown(words)} &`);
  const child = spawn(process.execPath, [TWINWRAP, "authority", "serve", ...words], {
    cwd: pathOf(who),
    env: environment(),
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.add(child);
  const ended = once(child, "close").then(([code]) => {
    running.delete(child);
    return code;
  });
  let [out, err] = ["", ""];
  child.stderr.on("data", (data) => {
    err += data;
  });
  const url = await new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`it does not listen: ${err}`)), BEGINNING);
    const found = (text) => /listening on (\S+)/.exec(text)?.[1];
    child.stdout.on("data", (data) => {
      out += data;
      const place = found(out);
      if (place === undefined) return;
      clearTimeout(late);
      resolve(place);
    });
    ended.then(() => reject(new Error(`it ended: ${err}`)));
  });
  console.log(`  listening on ${url}`);
  return {
    url,
    async end(signal = "SIGTERM") {
      child.kill(signal);
      return ended;
    },
  };
}

export function carry(from, name, to) {
  copyFileSync(pathOf(from, name), pathOf(to, basename(name)));
  console.log(`  ${from}/${name} → ${to}/`);
}

/** What a person holds. */
export function held(who) {
  const names = readdirSync(pathOf(who), { withFileTypes: true });
  return names.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
}

const holdings = new Map();

/** What each person gained in a step, and what is gone. */
function changes() {
  console.log("  --");
  for (const who of readdirSync(world)) {
    const [before, now] = [holdings.get(who) ?? [], held(who)];
    holdings.set(who, now);
    const came = now.filter((name) => !before.includes(name)).map((name) => `+ ${name}`);
    const gone = before.filter((name) => !now.includes(name)).map((name) => `- ${name}`);
    if (came.length + gone.length > 0)
      console.log(`  ${who} holds  ${[...came, ...gone].join("  ")}`);
  }
}
