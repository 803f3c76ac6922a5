// The programs that seal and open a file here, each made ready with two recipients.
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { runProcess } from "./processes.mjs";

const CLI = [process.execPath, fileURLToPath(new URL("../build/bin/twinwrap.js", import.meta.url))];
/** openssl cms holds the whole file in memory, nearly three times over, to open it. */
const CMS_MOST = 2 ** 30;
const JOBS = Math.min(2, availableParallelism());

/** The first line of what a program says its version is, or undefined where it is not installed. */
function versionOf(command, ...args) {
  const { status, stdout } = spawnSync(command, args, { encoding: "utf8" });
  return status === 0 ? stdout.split("\n")[0].trim() : undefined;
}

/** Two RSA key pairs: a.pem, a.pub.pem, b.pem, b.pub.pem. */
export function makeKeys(folder) {
  for (const name of ["a", "b"]) {
    const { privateKey, publicKey } = generateKeyPairSync("rsa", {
      modulusLength: 2048,
      privateKeyEncoding: { type: "pkcs8", format: "pem" },
      publicKeyEncoding: { type: "spki", format: "pem" },
    });
    writeFileSync(join(folder, `${name}.pem`), privateKey, { mode: 0o600 });
    writeFileSync(join(folder, `${name}.pub.pem`), publicKey);
  }
}

/** The two commands of Twinwrap, for keys from `makeKeys` in `folder`. */
export function twinwrapCommands(folder, ...options) {
  const owner = (name) => ["--owner", join(folder, `${name}.pub.pem`)];
  const key = ["-k", join(folder, "a.pem"), "--no-passphrase"];
  return {
    encrypt: (from, to) => {
      const files = ["encrypt", from, "-o", to, "--force"];
      return { argv: [...CLI, ...files, ...owner("a"), ...owner("b"), ...options] };
    },
    decrypt: (from, to) => ({
      argv: [...CLI, "decrypt", from, "-o", to, "--force", ...key, ...options],
    }),
  };
}

/** Twinwrap's ways; goals name them by `ours`. */
function twinwrapTools(folder) {
  const jobs = ["--jobs", String(JOBS)];
  const one = ["--jobs", "1"];
  const native = ["--engine", "native"];
  const ways = [
    ["wasm", `twinwrap, ${JOBS} jobs`, jobs],
    ["wasm, 1 job", "twinwrap, 1 job", one],
    ["native", `twinwrap, engine native, ${JOBS} jobs`, [...native, ...jobs]],
    ["native, 1 job", "twinwrap, engine native, 1 job", [...native, ...one]],
    ["webcrypto", "twinwrap, engine webcrypto", ["--engine", "webcrypto"]],
  ];
  return ways.map(([ours, tool, options]) => ({
    ours,
    tool,
    about: "two RSA-2048 recipients",
    ...twinwrapCommands(folder, ...options),
  }));
}

async function age(folder) {
  const version = versionOf("age", "--version");
  if (version === undefined) return { skipped: "not installed" };
  const recipients = [];
  for (const name of ["a", "b"]) {
    const file = join(folder, `${name}.age`);
    await runProcess(["age-keygen", "-o", file]);
    recipients.push("-r", /public key: (\S+)/.exec(readFileSync(file, "utf8"))[1]);
  }
  return {
    about: `age ${version}, two X25519 recipients`,
    encrypt: (from, to) => ({ argv: ["age", ...recipients, "-o", to, from] }),
    decrypt: (from, to) => ({ argv: ["age", "-d", "-i", join(folder, "a.age"), "-o", to, from] }),
  };
}

async function gpg(folder) {
  const version = versionOf("gpg", "--version");
  if (version === undefined) return { skipped: "not installed" };
  const home = join(folder, "gpg");
  mkdirSync(home, { mode: 0o700 });
  const env = { GNUPGHOME: home };
  for (const name of ["a", "b"]) {
    const input = `%no-protection\nKey-Type: RSA\nKey-Length: 2048\nSubkey-Type: RSA\nSubkey-Length: 2048\nName-Real: ${name}-bench\n%commit\n`;
    await runProcess(["gpg", "--batch", "--gen-key"], { env, input });
  }
  const write = ["gpg", "--batch", "--yes", "--trust-model", "always", "--compress-algo", "none"];
  return {
    about: `${version}, two RSA-2048 recipients, no compression`,
    encrypt: (from, to) => ({
      argv: [...write, "-r", "a-bench", "-r", "b-bench", "-o", to, "-e", from],
      env,
    }),
    decrypt: (from, to) => ({ argv: ["gpg", "--batch", "--yes", "-o", to, "-d", from], env }),
    close: () => spawnSync("gpgconf", ["--kill", "gpg-agent"], { env: { ...process.env, ...env } }),
  };
}

async function openssl(folder, bytes) {
  const version = versionOf("openssl", "version");
  if (version === undefined) return { skipped: "not installed" };
  if (bytes > CMS_MOST) return { skipped: "it would hold so large a file in memory to open it" };
  const file = (name) => join(folder, name);
  for (const name of ["a", "b"]) {
    const of = ["-subj", `/CN=${name}`, "-out", file(`${name}.crt`)];
    await runProcess(["openssl", "req", "-x509", "-key", file(`${name}.pem`), ...of]);
  }
  const cms = (way, from, to, ...rest) => ({
    argv: ["openssl", "cms", way, "-binary", "-in", from, "-out", to, ...rest],
  });
  return {
    about: `${version}, AES-256-GCM, two RSA-2048 recipients`,
    encrypt: (from, to) => {
      const how = ["-stream", "-outform", "DER", "-aes-256-gcm"];
      return cms("-encrypt", from, to, ...how, file("a.crt"), file("b.crt"));
    },
    decrypt: (from, to) => {
      const who = ["-inform", "DER", "-inkey", file("a.pem"), "-recip", file("a.crt")];
      return cms("-decrypt", from, to, ...who);
    },
  };
}

/** All of them, for a file of so many bytes; one that cannot be run says why in `skipped`. */
export async function makeTools(folder, bytes) {
  makeKeys(folder);
  const others = { age, gpg, "openssl cms": openssl };
  const tools = twinwrapTools(folder);
  for (const [tool, make] of Object.entries(others)) {
    try {
      tools.push({ tool, ...(await make(folder, bytes)) });
    } catch (error) {
      tools.push({ tool, skipped: String(error.message ?? error) });
    }
  }
  return tools;
}
