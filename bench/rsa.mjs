// RSA beside WebCrypto, node:crypto and BigInt, in turns in one process: `node bench/rsa.mjs [BITS,…] [ROUNDS]`.
// Operations a second, best / median; every result is compared with node:crypto's first.
import {
  constants,
  generateKeyPairSync,
  privateDecrypt,
  publicEncrypt,
  webcrypto,
} from "node:crypto";
import { loadCore } from "../build/core/index.js";

const NUMBERS = ["n", "e", "d", "p", "q", "dp", "dq", "qi"];
const OAEP = constants.RSA_PKCS1_OAEP_PADDING;
const [sizes = "2048,3072,4096", rounds = "60"] = process.argv.slice(2);
const core = await loadCore();
const toBigInt = (bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);

/** base^exponent mod m in windows of five bits: what an unprotected BigInt implementation does. */
function power(base, exponent, m) {
  const table = [1n, base % m];
  while (table.length < 32) table.push((table.at(-1) * table[1]) % m);
  const bits = exponent.toString(2);
  const padded = bits.padStart(Math.ceil(bits.length / 5) * 5, "0");
  let result = 1n;
  for (let at = 0; at < padded.length; at += 5) {
    for (let i = 0; i < 5; i++) result = (result * result) % m;
    result = (result * table[Number.parseInt(padded.slice(at, at + 5), 2)]) % m;
  }
  return result;
}

function bigIntCrt(parts) {
  const [p, q, dp, dq, qi] = ["p", "q", "dp", "dq", "qi"].map((name) => toBigInt(parts[name]));
  return (c) => {
    const mq = power(c, dq, q);
    const h = ((power(c, dp, p) - mq) * qi) % p;
    return mq + (h < 0n ? h + p : h) * q;
  };
}

async function measure(bits) {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: bits });
  const jwk = privateKey.export({ format: "jwk" });
  const parts = Object.fromEntries(
    NUMBERS.map((name) => [name, new Uint8Array(Buffer.from(jwk[name], "base64url"))]),
  );
  const { n, e } = parts;
  const open = core.rsaPublicKey({ n, e });
  const secret = core.rsaPrivateKey(parts);
  const algorithm = { name: "RSA-OAEP", hash: "SHA-1" };
  const { subtle } = webcrypto;
  const form = publicKey.export({ format: "jwk" });
  const webPublic = await subtle.importKey("jwk", form, algorithm, false, ["encrypt"]);
  const webPrivate = await subtle.importKey("jwk", jwk, algorithm, false, ["decrypt"]);
  const message = new Uint8Array(32).fill(7);
  const options = { padding: "oaep" };
  const block = open.encrypt(message, options);
  const number = toBigInt(block);
  const crt = bigIntCrt(parts);
  const operations = {
    "private: Twinwrap": [() => secret.unwrapKey(block, { ...options, length: 32 }), 4],
    "private: WebCrypto": [() => subtle.decrypt(algorithm, webPrivate, block), 4],
    "private: node:crypto": [() => privateDecrypt({ key: privateKey, padding: OAEP }, block), 4],
    "private: BigInt CRT": [() => crt(number), 1],
    "public, prepared key: Twinwrap": [() => open.encrypt(message, options), 40],
    "public, set-up included: Twinwrap": [
      () => {
        const key = core.rsaPublicKey({ n, e });
        key.encrypt(message, options);
        key.dispose();
      },
      20,
    ],
    "public: WebCrypto": [() => subtle.encrypt(algorithm, webPublic, message), 20],
    "public: node:crypto": [() => publicEncrypt({ key: publicKey, padding: OAEP }, message), 40],
  };
  const expected = Buffer.from(message);
  for (const name of ["private: Twinwrap", "private: WebCrypto", "private: node:crypto"]) {
    if (!expected.equals(Buffer.from(await operations[name][0]()))) throw new Error(name);
  }
  const raw = privateDecrypt({ key: privateKey, padding: constants.RSA_NO_PADDING }, block);
  if (crt(number) !== toBigInt(raw)) throw new Error("BigInt CRT");
  const samples = new Map(Object.keys(operations).map((name) => [name, []]));
  for (let round = 0; round < Number(rounds); round++) {
    for (const [name, [run, times]] of Object.entries(operations)) {
      const start = performance.now();
      for (let i = 0; i < times; i++) await run();
      samples.get(name).push(times / ((performance.now() - start) / 1000));
    }
  }
  console.log(`${bits} bits`);
  for (const [name, rates] of samples) {
    rates.sort((a, b) => b - a);
    const text = `${rates[0].toFixed(0)} / ${rates[rates.length >> 1].toFixed(0)}`;
    console.log(`  ${name.padEnd(34)} ${text}`);
  }
}

for (const bits of sizes.split(",")) await measure(Number(bits));
