// The whole procedure on a real file, through the command line as people have it. Every person has their own folder and
// sees nothing else. First over HTTPS, then the same recovery once more with files that people carry.
// With --postgres the authority is two processes over one PostgreSQL, and one of them is killed midway.
import { createHash } from "node:crypto";
import { copyFileSync, cpSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { certificateForLocalhost } from "./certificate.mjs";
import {
  arrive,
  carry,
  held,
  leave,
  pathOf,
  root,
  run,
  say,
  serve,
  settings,
} from "./demo-world.mjs";

const onPostgres = process.argv.includes("--postgres");
const sha256 = (path) => createHash("sha256").update(readFileSync(path)).digest("hex");
const OFFICERS = ["ann", "bob", "cyd"];
const PEOPLE = ["olivia", "authority", ...OFFICERS];
for (const who of PEOPLE) arrive(who);

// A real file that every clone has after `npm ci`: the compiler that built the core.
const original = `${root}node_modules/binaryen/index.js`;
copyFileSync(original, pathOf("olivia", "report.bin"));
const SIZE = `${(statSync(original).size / 2 ** 20).toFixed(1)} MiB`;
const LOCK = ["--authority-passphrase-file", "passphrase"];
const HERE = ["--authority", "backup"];
const digest = sha256(original);

/** Olivia's file is what it was. */
function compare(path) {
  const recovered = sha256(path);
  console.log(`  SHA-256 before: ${digest}\n  SHA-256 after:  ${recovered}`);
  if (recovered !== digest) throw new Error("the files differ");
}

say(
  "Three officers make their keys (unlocked, for this demonstration only). The authority begins: its RSA key is locked, and two of the three release a key.",
);
for (const who of OFFICERS) {
  await run(who, "officer", "keygen", "-o", `${who}.pem`, "--no-passphrase");
  carry(who, `${who}.pub.pem`, "authority");
}
writeFileSync(pathOf("authority", "passphrase"), "kept in the authority's safe\n");
const officers = OFFICERS.flatMap((who) => ["--officer", `${who}=${who}.pub.pem`]);
const database = onPostgres ? await (await import("./demo-postgres.mjs")).database() : undefined;
const store = database === undefined ? [] : ["--store", database.url];
await run(
  "authority",
  "authority",
  "init",
  "backup",
  ...officers,
  "--quorum",
  "2",
  ...LOCK,
  ...store,
);

say("It serves over HTTPS, with a certificate made for this run. Whoever may call gets a token.");
const { cert, key } = await certificateForLocalhost();
writeFileSync(pathOf("authority", "cert.pem"), cert);
writeFileSync(pathOf("authority", "key.pem"), key, { mode: 0o600 });
// Everybody's machine trusts the certificate, as it would trust one of a public authority.
settings.NODE_EXTRA_CA_CERTS = pathOf("authority", "cert.pem");
const TLS = ["--tls-cert", "cert.pem", "--tls-key", "key.pem", "--listen", "localhost:0"];
const QUIET = ["--log-level", "warn"];
const processes = [await serve("authority", "backup", ...TLS, ...QUIET, ...LOCK)];
if (onPostgres) {
  // Another host joins with a copy of the folder.
  cpSync(pathOf("authority", "backup"), pathOf("authority", "second"), { recursive: true });
  processes.push(await serve("authority", "second", ...TLS, ...QUIET, ...LOCK));
}
const balancer = onPostgres
  ? await (await import("./balancer.mjs")).balance(processes.map(({ url }) => url))
  : undefined;
const URL_OF_SERVICE =
  balancer === undefined
    ? processes[0].url.replace(/127\.0\.0\.1|\[::1\]/, "localhost")
    : `https://localhost:${balancer.port}`;
const token = async (who, ...words) => {
  const out = await run("authority", "authority", "token", "add", ...words, ...HERE);
  writeFileSync(pathOf(who, "token.txt"), `${/^token +(\S+)/m.exec(out)[1]}\n`, { mode: 0o600 });
};
for (const who of OFFICERS) await token(who, "--scope", "officer");
await token("olivia", "--scope", "submit,recover", "--owner", "olivia");

say("Whoever runs it wants to be told: a program of theirs listens, and checks who signed.");
const { receiver } = await import("./demo-webhook.mjs");
const listener = await receiver();
const added = await run(
  "authority",
  "authority",
  "receiver",
  "add",
  "--webhook",
  listener.url,
  ...HERE,
);
listener.trust(/^secret +(\S+)/m.exec(added)[1]);

say("Each officer gets to know the service, compares the fingerprint, and signs the first policy.");
const info = await run("authority", "authority", "info", ...HERE);
const fingerprint = /^(?:fingerprint|authority) +([0-9a-f]{64})/m.exec(info)[1];
const ENROL = ["authority", "enrol", URL_OF_SERVICE, "--token-file", "token.txt"];
const TOLD = ["--fingerprint", fingerprint];
const THERE = ["--authority", "acme.authority"];
for (const who of OFFICERS) {
  await run(who, ...ENROL, ...TOLD, "-o", "acme.authority");
  await run(who, "authority", "policy", "sign", "-k", `${who}.pem`, "--yes", ...THERE);
}

say("Olivia enrols, which makes her a control key for vetoes, and makes her key pair.");
await run("olivia", ...ENROL, ...TOLD, "-o", "acme.authority", "--no-passphrase");
await run("olivia", "keygen", "-o", "olivia.pem", "--no-passphrase");

say(
  `She seals a file of ${SIZE}. Its session key is wrapped twice: for her and for the authority, which checks it, writes it into its log, and answers.`,
);
const DESCRIBED = ["--description", "Quarterly report"];
await run("olivia", "encrypt", "report.bin", "--owner", "olivia.pub.pem", ...DESCRIBED, ...THERE);
await run("olivia", "verify", "report.bin.twin", ...THERE);

say("The sealed file goes on; the original and Olivia's private key are really gone.");
rmSync(pathOf("olivia", "report.bin"));
rmSync(pathOf("olivia", "olivia.pem"));
await run("olivia", "decrypt", "report.bin.twin", "-o", "report.bin", "-k", "olivia.pem", 1);
copyFileSync(pathOf("olivia", "report.bin.twin"), pathOf("olivia", "kept.twin"));

say(
  "She makes a new key pair and asks for the session key. The ID she tells each officer herself.",
);
await run("olivia", "keygen", "-o", "new.pem", "--no-passphrase");
const ask = async (who, file, to, ...words) => {
  const out = await run(
    who,
    ...["recover", "request", file, "--to", to, "--requester", "Olivia Owner", ...words],
  );
  return /^request +(\S+)/m.exec(out)[1];
};
const first = await ask("olivia", "report.bin.twin", "new.pub.pem", ...THERE);

say("Ann recognises her, compares the ID, and approves. One of two is not enough.");
const approve = (who, id, how, ...words) =>
  run(
    who,
    ...["authority", "approve", id, "-k", `${who}.pem`, "--identity", how, "--yes", ...words],
  );
await approve("ann", first, "passport, met in person", ...THERE);
const FETCH = ["recover", "fetch"];
await run("olivia", ...FETCH, first, "report.bin.twin", "-k", "new.pem", ...THERE, 4);

if (onPostgres) {
  say("One of the two processes is killed. The other one goes on.");
  await processes[0].end("SIGKILL");
  console.log("  killed");
}

say(
  "Cyd approves too: it is released, and Olivia fetches it, checks the proof and opens her file.",
);
await approve("cyd", first, "called back on the number on file", ...THERE);
await run("olivia", ...FETCH, first, "report.bin.twin", "-k", "new.pem", "--wait=1m", ...THERE);
await run("olivia", "decrypt", "report.bin.twin", "-o", "report.bin", "-k", "new.pem");
compare(pathOf("olivia", "report.bin"));

await listener.told("release");

say("The service ends, and finishes what it began. What follows is carried as files.");
for (const one of processes.slice(onPostgres ? 1 : 0)) {
  if ((await one.end()) !== 0) throw new Error("the service did not end as it should");
}
balancer?.close();
listener.close();

say("The same recovery once more, with files: she asks for another new key.");
for (const who of ["olivia", ...OFFICERS]) carry("authority", "backup/authority.json", who);
const BY_FILE = ["--authority", "authority.json"];
await run("olivia", "keygen", "-o", "newer.pem", "--no-passphrase");
const second = await ask("olivia", "kept.twin", "newer.pub.pem", ...BY_FILE, "-o", "request.json");
carry("olivia", "request.json", "authority");
await run("authority", "authority", "intake", "request.json", ...HERE);
await run("authority", "authority", "release", second, ...LOCK, ...HERE, 4);

say(
  "Somebody else swapped the recipient's key on the way to Bob: the ID does not fit, he refuses.",
);
arrive("mallory");
await run("mallory", "keygen", "-o", "mallory.pem", "--no-passphrase");
carry("olivia", "authority.json", "mallory");
carry("olivia", "kept.twin", "mallory");
await ask("mallory", "kept.twin", "mallory.pub.pem", ...BY_FILE, "-o", "request.json");
carry("mallory", "request.json", "bob");
const byFile = (who, how, ...words) =>
  approve(
    who,
    second,
    how,
    ...BY_FILE,
    "--request",
    "request.json",
    "-o",
    `${who}.approval`,
    ...words,
  );
await byFile("bob", "telephone", 3);
leave("mallory");

say(
  "With the right request Bob and Cyd approve. The authority releases: leaf, checkpoint and wrap first.",
);
for (const who of ["bob", "cyd"]) {
  carry("authority", "request.json", who);
  await byFile(who, "met in person");
  carry(who, `${who}.approval`, "authority");
}
await run("authority", "authority", "intake", "bob.approval", "cyd.approval", ...HERE);
await run("authority", "authority", "release", second, "-o", "release.json", ...LOCK, ...HERE);
carry("authority", "release.json", "olivia");

say("Olivia checks the proof, puts the new wrap into her file, and opens it.");
const GIVEN = ["--release", "release.json", "--request", "request.json"];
await run("olivia", ...FETCH, ...GIVEN, "kept.twin", "-k", "newer.pem", ...BY_FILE);
await run("olivia", "decrypt", "kept.twin", "-o", "again.bin", "-k", "newer.pem");
compare(pathOf("olivia", "again.bin"));

say("The log holds all of it, and what Olivia keeps is of this log.");
await run("authority", "authority", "log", "verify", "release.json", ...HERE);
await database?.end();
say(
  "All as it should be: the identical file, twice, with keys that did not exist when it was sealed.",
);
for (const who of PEOPLE) console.log(`  ${`${who}/`.padEnd(11)} ${held(who).join("  ")}`);
