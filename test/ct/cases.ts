// What the gate runs: every exported call of the core, with secrets that differ from run to run and
// sizes that do not. Keys, messages, IVs and paddings are secret here; lengths, statuses, hashes,
// public exponents and the counter's last bytes are public.

import { createCipheriv } from "node:crypto";
import {
  type BigKey,
  makeKey,
  maskOaep,
  oaepBlock,
  rawEncrypt,
  toBytes,
} from "../core/rsa-reference.js";
import { type Abi, type Case, NOT_AUTHENTIC, type Secrets } from "./trace.js";

/** Expands a secret key into slot 0 and returns it. */
function expand(core: Abi, secrets: Secrets, length = 32): Buffer {
  const key = secrets(length);
  core.params(key).call("aesExpand", 0, length);
  return key;
}

const KEY_LENGTHS = [16, 24, 32];

// --- AES --------------------------------------------------------------------------------------
function aesCases(): Case[] {
  const cases: Case[] = [];
  for (const length of KEY_LENGTHS) {
    cases.push({
      name: `AES-${8 * length} key schedule`,
      run: (core, secrets) => {
        expand(core, secrets, length);
        core.call("aesForget", 0).call("wipeWindows");
      },
    });
    for (const size of [1, 16, 40, 128, 1000, 20_000, 65_536]) {
      cases.push({
        name: `AES-${8 * length}-CTR, ${size} bytes`,
        run: (core, secrets) => {
          expand(core, secrets, length);
          core.params(Buffer.concat([secrets(12), Buffer.from([0, 0, 0, 0])]));
          core.input(secrets(size)).call("aesCtr", 0, size);
        },
      });
    }
  }
  for (const [last, what] of [
    ["00000003", "an odd start"],
    ["000000f9", "over a border of 256 blocks"],
    ["fffffffe", "over 2^32"],
  ] as const) {
    cases.push({
      name: `AES-256-CTR from ${what}, twice`,
      run: (core, secrets) => {
        expand(core, secrets);
        core.params(Buffer.concat([secrets(12), Buffer.from(last, "hex")]));
        // Twice, so that what the first call has cached serves the second.
        core.input(secrets(30_000)).call("aesCtr", 0, 30_000);
        core.input(secrets(30_000)).call("aesCtr", 0, 30_000);
      },
    });
  }
  return cases;
}

function cbcCases(): Case[] {
  const cases: Case[] = [];
  for (const call of ["aesCbcEncrypt", "aesCbcDecrypt"]) {
    cases.push({
      name: `${call}, 1600 bytes`,
      run: (core, secrets) => {
        expand(core, secrets);
        core.params(secrets(16)).input(secrets(1600)).call(call, 0, 1600);
      },
    });
  }
  for (const length of KEY_LENGTHS) {
    cases.push({
      name: `aesCfb8Decrypt, AES-${8 * length}, 100 bytes`,
      run: (core, secrets) => {
        expand(core, secrets, length);
        core.params(secrets(16)).input(secrets(100)).call("aesCfb8Decrypt", 0, 100);
      },
    });
  }
  return cases;
}

// --- GCM --------------------------------------------------------------------------------------
/** Ciphertext‖tag by node:crypto. */
function sealed(key: Buffer, iv: Buffer, aad: Buffer, plaintext: Buffer): Buffer {
  const name = `aes-${8 * key.length}-gcm` as "aes-256-gcm";
  const cipher = createCipheriv(name, key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()]);
}

function gcmCases(): Case[] {
  const cases: Case[] = [];
  const sizes = [
    [12, 0, 0],
    [12, 20, 1],
    [12, 0, 16],
    [12, 13, 64],
    [12, 0, 96],
    [12, 0, 97],
    [12, 700, 511],
    [12, 0, 512],
    [12, 5, 1000],
    [12, 0, 16_384],
    [12, 16, 65_536],
    [1, 0, 100],
    [16, 20, 1000],
    [100, 0, 20_000],
  ] as const;
  for (const length of KEY_LENGTHS) {
    for (const [ivLength, aadLength, size] of sizes) {
      const what = `AES-${8 * length}-GCM, IV ${ivLength}, AAD ${aadLength}, ${size} bytes`;
      const begin = (core: Abi, secrets: Secrets) => {
        const key = expand(core, secrets, length);
        const [iv, aad] = [secrets(ivLength), secrets(aadLength)];
        core.params(Buffer.concat([iv, aad]));
        return { key, iv, aad };
      };
      cases.push({
        name: `${what}: seal`,
        run: (core, secrets) => {
          begin(core, secrets);
          core.input(secrets(size)).call("gcmSeal", 0, ivLength, aadLength, size);
        },
      });
      cases.push({
        name: `${what}: open`,
        run: (core, secrets) => {
          const { key, iv, aad } = begin(core, secrets);
          core.input(sealed(key, iv, aad, secrets(size)));
          core.call("gcmOpen", 0, ivLength, aadLength, size);
        },
      });
      cases.push({
        name: `${what}: refuse`,
        ends: NOT_AUTHENTIC,
        run: (core, secrets, run) => {
          const { key, iv, aad } = begin(core, secrets);
          const message = sealed(key, iv, aad, secrets(size));
          // Another byte of the tag is wrong each time.
          message[size + ((5 * run) % 16)]! ^= 1 << (run % 8);
          core.input(message).call("gcmOpen", 0, ivLength, aadLength, size);
        },
      });
    }
  }
  for (const ivLength of [12, 40]) {
    for (const opening of [0, 1]) {
      cases.push({
        name: `AES-256-GCM in pieces, IV ${ivLength}, ${opening ? "refused" : "sealed"}`,
        ends: opening ? NOT_AUTHENTIC : 0,
        run: (core, secrets) => {
          expand(core, secrets);
          core.input(secrets(ivLength)).call("gcmIv", 0, ivLength, ivLength);
          core.input(secrets(32)).call("gcmAad", 0, 32);
          core.input(secrets(5000)).call("gcmText", 0, 5000, opening, 0);
          core.input(secrets(1001)).call("gcmText", 0, 1001, opening, 1);
          if (opening) core.input(secrets(16)).call("gcmVerify", 0, 32, 5993);
          else core.call("gcmFinish", 0, 32, 5993);
        },
      });
    }
  }
  return cases;
}

// --- Key wrap ---------------------------------------------------------------------------------
function wrapCases(): Case[] {
  const cases: Case[] = [];
  const wrapped = (name: "wrap" | "wrap-pad", key: Buffer, data: Buffer) => {
    const iv = Buffer.from(name === "wrap" ? "a6a6a6a6a6a6a6a6" : "a65959a6", "hex");
    const cipher = createCipheriv(`id-aes${8 * key.length}-${name}` as "aes-256-gcm", key, iv);
    return Buffer.concat([cipher.update(data), cipher.final()]);
  };
  for (const length of KEY_LENGTHS) {
    for (const size of [16, 32, 200]) {
      const what = `AES-${8 * length}-KW, ${size} bytes`;
      cases.push({
        name: `${what}: wrap`,
        run: (core, secrets) => {
          expand(core, secrets, length);
          core.input(secrets(size)).call("aesKwWrap", 0, size);
        },
      });
      cases.push({
        name: `${what}: unwrap`,
        run: (core, secrets) => {
          const key = expand(core, secrets, length);
          core.input(wrapped("wrap", key, secrets(size))).call("aesKwUnwrap", 0, size + 8);
        },
      });
      cases.push({
        name: `${what}: refuse`,
        ends: NOT_AUTHENTIC,
        run: (core, secrets, run) => {
          const key = expand(core, secrets, length);
          const bytes = wrapped("wrap", key, secrets(size));
          bytes[run % bytes.length]! ^= 1 << (run % 8);
          core.input(bytes).call("aesKwUnwrap", 0, size + 8);
        },
      });
    }
  }
  // All lengths from 33 to 40 have one wrapped length; the length inside is secret until unwrapped.
  for (const [low, padded] of [
    [1, 8],
    [33, 40],
  ] as const) {
    cases.push({
      name: `AES-256-KWP, ${padded} bytes: wrap`,
      run: (core, secrets) => {
        expand(core, secrets);
        core.input(secrets(padded - 1)).call("aesKwpWrap", 0, padded - 1);
      },
    });
    cases.push({
      name: `AES-256-KWP, ${low} to ${padded} bytes: unwrap`,
      run: (core, secrets, run) => {
        const key = expand(core, secrets);
        const bytes = wrapped("wrap-pad", key, secrets(low + (run % 8)));
        core.input(bytes).call("aesKwpUnwrap", 0, padded + 8);
      },
    });
    cases.push({
      name: `AES-256-KWP, ${padded} bytes: refuse`,
      ends: NOT_AUTHENTIC,
      run: (core, secrets, run) => {
        const key = expand(core, secrets);
        const bytes = wrapped("wrap-pad", key, secrets(low + (run % 8)));
        bytes[run % bytes.length]! ^= 1;
        core.input(bytes).call("aesKwpUnwrap", 0, padded + 8);
      },
    });
  }
  return cases;
}

// --- Hashes -----------------------------------------------------------------------------------
function hashCases(): Case[] {
  const cases: Case[] = [];
  ["SHA-1", "SHA-256", "SHA-512"].forEach((name, hash) => {
    for (const size of [0, 55, 111, 1000]) {
      cases.push({
        name: `${name}, ${size} bytes`,
        run: (core, secrets) => {
          core.call("hashBegin", hash).input(secrets(size)).call("hashUpdate", hash, size);
          core.call("hashFinish", hash);
        },
      });
    }
    cases.push({
      name: `HMAC and PBKDF2 with ${name}`,
      run: (core, secrets) => {
        core.input(secrets(40)).call("hmacKey", hash, 40);
        core.input(secrets(100)).call("hashUpdate", hash, 100).call("hmacNext", hash);
        core.input(secrets(20)).call("hashUpdate", hash, 20).call("hmacNext", hash);
        core.call("pbkdf2Start", hash).call("pbkdf2Continue", hash, 50).call("hashWipe");
      },
    });
  });
  return cases;
}

// --- RSA --------------------------------------------------------------------------------------
const OAEP = 1;
const PKCS1 = 0;
const WAYS = { decrypt: 0, checked: 1, unwrapKey: 2 };
const SHA1 = 0;
const KEY = 32;

const keys = new Map<string, BigKey>();
/** The key of one run: fresh ones of one size, p and q of half of it, p < q in every other run. */
function rsaKey(bits: number, run: number): BigKey {
  const name = `${bits} ${run}`;
  for (let key = keys.get(name); ; ) {
    if (key !== undefined) return key;
    const made = makeKey(bits);
    if (made.p < made.q !== (run % 2 === 0)) continue;
    keys.set(name, made);
    key = made;
  }
}

function loadPrivate(core: Abi, key: BigKey): void {
  const half = toBytes(key.p).length;
  const k = toBytes(key.n).length;
  const numbers = [
    toBytes(key.n, k),
    toBytes(key.d, k),
    ...[key.p, key.q, key.dp, key.dq, key.qi].map((value) => toBytes(value, half)),
  ];
  let at = 0;
  for (const bytes of numbers) {
    core.input(bytes, at);
    at += bytes.length;
  }
  core.call("rsaLoadPrivate", 0, Number(key.e), ...numbers.map(({ length }) => length));
}

/** Blocks before encryption: good ones and every way in which one can be bad. */
type Blocks = Record<string, (k: number, message: Buffer, random: Secrets) => Uint8Array>;

const filled = (random: Secrets, length: number) => random(length).map((byte) => byte || 1);
const pkcs1 = (k: number, message: Buffer, random: Secrets) =>
  Buffer.concat([
    Buffer.of(0, 2),
    filled(random, k - 3 - message.length),
    Buffer.of(0),
    message,
  ] as Uint8Array[]);

const PKCS1_BLOCKS: Blocks = {
  good: pkcs1,
  "a message of another length": (k, message, random) => pkcs1(k, message.subarray(5), random),
  "no message": (k, message, random) => pkcs1(k, message.subarray(KEY), random),
  "the longest message": (k, _, random) => pkcs1(k, filled(random, k - 11) as Buffer, random),
  "no separator": (k, _, random) => Buffer.concat([Buffer.of(0, 2), filled(random, k - 2)]),
  "a short filler": (k, message, random) =>
    pkcs1(k, Buffer.concat([filled(random, k - 8 - KEY), message]), random),
  "a wrong first byte": (k, message, random) => {
    const block = pkcs1(k, message, random);
    block[0] = 0x11;
    return block;
  },
  "a wrong second byte": (k, message, random) => {
    const block = pkcs1(k, message, random);
    block[1] = 1;
    return block;
  },
};

const oaep = (
  k: number,
  message: Uint8Array,
  random: Secrets,
  change?: (block: Buffer) => void,
) => {
  const block = Buffer.from(oaepBlock(k, "SHA-1", Buffer.alloc(0), message));
  change?.(block);
  return maskOaep("SHA-1", random(20), block);
};

const OAEP_BLOCKS: Blocks = {
  good: oaep,
  "a message of another length": (k, message, random) => oaep(k, message.subarray(5), random),
  "no message": (k, message, random) => oaep(k, message.subarray(KEY), random),
  "another label": (k, message, random) =>
    oaep(k, message, random, (block) => {
      block[19]! ^= 1;
    }),
  "another label from its first byte on": (k, message, random) =>
    oaep(k, message, random, (block) => {
      block[0]! ^= 0x80;
    }),
  "no separator": (k, message, random) =>
    oaep(k, message, random, (block) => {
      block.fill(0, 20);
    }),
  "a wrong separator": (k, message, random) =>
    oaep(k, message, random, (block) => {
      block[block.length - KEY - 1] = 2;
    }),
  "a wrong first byte": (k, message, random) => {
    const block = oaep(k, message, random);
    block[0] = 0x11;
    return block;
  },
};

function rsaCases(bits: number): Case[] {
  const cases: Case[] = [];
  const k = bits / 8;
  cases.push({
    name: `RSA-${bits}: loading a private key`,
    runs: 4,
    run: (core, _, run) => {
      loadPrivate(core, rsaKey(bits, run % 4));
      core.call("rsaUnload", 0);
    },
  });
  for (const [padding, name] of [
    [OAEP, "OAEP"],
    [PKCS1, "v1.5"],
  ] as const) {
    cases.push({
      name: `RSA-${bits} ${name}: encrypt`,
      run: (core, secrets) => {
        const { n } = rsaKey(bits, 0);
        core.input(toBytes(n)).call("rsaLoadPublic", 0, k, 65537);
        core.params(Buffer.alloc(64)).params(filled(secrets, 400), 64);
        core.input(secrets(KEY)).call("rsaEncrypt", 0, padding, SHA1, SHA1, KEY);
      },
    });
    const blocks = padding === OAEP ? OAEP_BLOCKS : PKCS1_BLOCKS;
    const kinds = Object.keys(blocks);
    for (const [way, number] of Object.entries(WAYS)) {
      // What `decryptChecked` tells is told: its good blocks and its bad ones are two cases, and so
      // are those of OAEP's `decrypt`.
      const told = number === WAYS.checked || (number === WAYS.decrypt && padding === OAEP);
      const isGood = (kind: string) => /^good|message/.test(kind);
      const [good, bad] = [kinds.filter(isGood), kinds.filter((kind) => !isGood(kind))];
      for (const group of told ? [good, bad] : [kinds]) {
        cases.push({
          name: `RSA-${bits} ${name}: ${way} of ${group.length} kinds of blocks${told ? (group === good ? ", good" : ", bad") : ""}`,
          ends: group === bad ? NOT_AUTHENTIC : 0,
          // Every kind once, under several keys.
          runs: 8,
          run: (core, secrets, run) => {
            const key = rsaKey(bits, run % 4);
            loadPrivate(core, key);
            const make = blocks[group[run % group.length]!]!;
            const block = make(k, secrets(KEY), secrets);
            core.params(labelHash(padding)).params(secrets(k + 16).fill(7, 0, 1), 64);
            core.input(rawEncrypt(key, block));
            core.call(
              "rsaDecrypt",
              0,
              number,
              padding,
              SHA1,
              SHA1,
              number === WAYS.unwrapKey ? KEY : 0,
            );
            if (number !== WAYS.unwrapKey) core.read("rsaMessageLength");
          },
        });
      }
    }
  }
  return cases;
}

/** SHA-1 of nothing, where OAEP's label hash stands. */
const labelHash = (padding: number) =>
  Buffer.from(padding === OAEP ? "da39a3ee5e6b4b0d3255bfef95601890afd80709" : "", "hex");

/** Those of the core that has AES alone. */
export function aesOnlyCases(): Case[] {
  return [...aesCases(), ...gcmCases(), ...wrapCases()];
}

export function allCases(): Case[] {
  return [...aesOnlyCases(), ...cbcCases(), ...hashCases(), ...rsaCases(1024), ...rsaCases(2048)];
}
