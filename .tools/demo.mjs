// The whole procedure on a real file, through the command line as people have it. Every person has their
// own folder and sees nothing else; messages between them are carried as files.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const root = new URL("..", import.meta.url).pathname;
const world = mkdtempSync(join(tmpdir(), "twinwrap-demo-"));
process.on("exit", () => rmSync(world, { recursive: true, force: true }));

let step = 0;
function say(text) {
  if (step > 0) changes();
  console.log(`\n# ${++step}. ${text}`);
}

/** Runs the command line in somebody's folder and shows what they would see. */
function run(who, ...words) {
  const expected = typeof words.at(-1) === "number" ? words.pop() : 0;
  const shown = words.map((word) => (/[ ()]/.test(word) ? `"${word}"` : word)).join(" ");
  console.log(`${who}$ twinwrap ${shown}`);
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [`${root}build/bin/twinwrap.js`, ...words],
    { cwd: join(world, who), encoding: "utf8", env: { ...process.env, TWINWRAP_AUTHORITY: "" } },
  );
  process.stdout.write((stdout + stderr).replace(/^/gm, "  ").trimEnd());
  console.log(expected === 0 ? "" : `\n  (exit code ${status}, as it should be)`);
  if (status !== expected) throw new Error(`twinwrap ended with exit code ${status}`);
  return stdout;
}

function carry(from, name, to) {
  copyFileSync(join(world, from, name), join(world, to, basename(name)));
  console.log(`  ${from}/${name} → ${to}/`);
}

/** What a person holds. */
function held(who) {
  const names = readdirSync(join(world, who), { withFileTypes: true });
  return names.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)).sort();
}

/** What each person gained in this step, and what is gone. */
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
const holdings = new Map();

const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
const PEOPLE = ["olivia", "authority", "ann", "bob", "cyd"];
for (const who of PEOPLE) mkdirSync(join(world, who));

// A real file that every clone has after `npm ci`: the compiler that built the core.
const original = `${root}node_modules/binaryen/index.js`;
execFileSync("cp", [original, join(world, "olivia", "report.bin")]);
const SIZE = `${(statSync(original).size / 2 ** 20).toFixed(1)} MiB`;

say(
  "Olivia makes her key pair, three officers make theirs (unlocked, for this demonstration only).",
);
run("olivia", "keygen", "-o", "olivia.pem", "--no-passphrase");
for (const who of ["ann", "bob", "cyd"]) {
  run(who, "officer", "keygen", "-o", `${who}.pem`, "--no-passphrase");
  carry(who, `${who}.pub.pem`, "authority");
}

say("The authority begins: its RSA key is locked, and two of the three officers release a key.");
writeFileSync(join(world, "authority", "passphrase"), "kept in the authority's safe\n");
const officers = ["ann", "bob", "cyd"].flatMap((who) => ["--officer", `${who}=${who}.pub.pem`]);
const LOCK = ["--authority-passphrase-file", "passphrase"];
const HERE = ["--authority", "backup"];
run("authority", "authority", "init", "backup", ...officers, "--quorum", "2", ...LOCK);
run("authority", "authority", "policy", "show", "-o", "policy.note", ...HERE);
for (const who of ["ann", "bob", "cyd"]) {
  carry("authority", "policy.note", who);
  run(
    who,
    "authority",
    "policy",
    "sign",
    "policy.note",
    "-k",
    `${who}.pem`,
    "--yes",
    "-o",
    `policy.${who}.note`,
  );
  carry(who, `policy.${who}.note`, "authority");
}
run(
  "authority",
  "authority",
  "intake",
  ...["ann", "bob", "cyd"].map((who) => `policy.${who}.note`),
  ...HERE,
);
for (const who of ["olivia", "ann", "bob", "cyd"]) carry("authority", "backup/authority.json", who);

say(
  `Olivia seals a file of ${SIZE}. Its session key is wrapped twice: for her and for the authority.`,
);
const THERE = ["--authority", "authority.json"];
run(
  "olivia",
  "encrypt",
  "report.bin",
  "--owner",
  "olivia.pub.pem",
  "--owner-id",
  "olivia",
  ...THERE,
  "--description",
  "Quarterly report",
);
const submission = readdirSync(join(world, "olivia")).find((name) =>
  name.endsWith(".submission.json"),
);
carry("olivia", submission, "authority");

say("The authority opens what it was sent, checks it, writes it into its log, and answers.");
run("authority", "authority", "intake", submission, "-o", "receipts", ...LOCK, ...HERE);
const receipt = submission.replace(".submission.json", ".receipt.json");
carry("authority", `receipts/${receipt}`, "olivia");
run("olivia", "escrow", "attach", "report.bin.twin", receipt, ...THERE);
run("olivia", "verify", "report.bin.twin", ...THERE);

say("The sealed file goes on; the original and Olivia's private key are really gone.");
const digest = sha256(join(world, "olivia", "report.bin"));
rmSync(join(world, "olivia", "report.bin"));
rmSync(join(world, "olivia", "olivia.pem"));
run("olivia", "decrypt", "report.bin.twin", "-o", "report.bin", "-k", "olivia.pem", 1);

say(
  "She makes a new key pair and asks for the session key. The ID she tells each officer herself.",
);
run("olivia", "keygen", "-o", "new.pem", "--no-passphrase");
const asked = run(
  "olivia",
  ...["recover", "request", "report.bin.twin", "--to", "new.pub.pem", ...THERE],
  ...["--requester", "Olivia Owner", "-o", "request.json"],
);
const id = /^request +(\S+)/m.exec(asked)[1];
carry("olivia", "request.json", "authority");
run("authority", "authority", "intake", "request.json", ...HERE);

say("Ann recognises her, compares the ID, and approves. One of two is not enough.");
const approve = (who, how) => {
  carry("authority", "request.json", who);
  carry("authority", submission, who);
  run(
    who,
    ...["authority", "approve", id, "-k", `${who}.pem`, "--identity", how, "--yes", ...THERE],
    ...["--request", "request.json", "--submission", submission, "-o", `${who}.approval`],
  );
  carry(who, `${who}.approval`, "authority");
};
approve("ann", "passport, met in person");
run("authority", "authority", "intake", "ann.approval", ...HERE);
run("authority", "authority", "release", id, ...LOCK, ...HERE, 4);

say(
  "Somebody else swapped the recipient's key on the way to Bob: the ID does not fit, he refuses.",
);
mkdirSync(join(world, "mallory"));
run("mallory", "keygen", "-o", "mallory.pem", "--no-passphrase");
carry("olivia", "authority.json", "mallory");
carry("olivia", "report.bin.twin", "mallory");
run(
  "mallory",
  ...["recover", "request", "report.bin.twin", "--to", "mallory.pub.pem", ...THERE],
  ...["--requester", "Olivia Owner", "-o", "request.json"],
);
carry("mallory", "request.json", "bob");
run(
  "bob",
  ...["authority", "approve", id, "-k", "bob.pem", "--identity", "telephone", "--yes", ...THERE],
  ...["--request", "request.json", "-o", "bob.approval", 3],
);
rmSync(join(world, "mallory"), { recursive: true });

say(
  "With the right request Cyd approves. Now the authority releases: leaf, checkpoint and wrap first.",
);
approve("cyd", "called back on the number on file");
run("authority", "authority", "intake", "cyd.approval", ...HERE);
run("authority", "authority", "release", id, "-o", "release.json", ...LOCK, ...HERE);
carry("authority", "release.json", "olivia");

say("Olivia checks the proof, puts the new wrap into her file, and opens it.");
run(
  "olivia",
  ...[
    "recover",
    "fetch",
    "--release",
    "release.json",
    "--request",
    "request.json",
    "report.bin.twin",
  ],
  ...["-k", "new.pem", ...THERE],
);
run("olivia", "decrypt", "report.bin.twin", "-o", "report.bin", "-k", "new.pem");
const recovered = sha256(join(world, "olivia", "report.bin"));
console.log(`  SHA-256 before: ${digest}\n  SHA-256 after:  ${recovered}`);
if (recovered !== digest) throw new Error("the files differ");

say("The log holds all of it, and what Olivia keeps is of this log.");
carry("olivia", receipt, "authority");
run("authority", "authority", "log", "verify", receipt, "release.json", ...HERE);
say("All as it should be: the identical file, with a key that did not exist when it was sealed.");
for (const who of PEOPLE) console.log(`  ${`${who}/`.padEnd(11)} ${held(who).join("  ")}`);
