// What the gate runs: every exported call of the core, with secrets that differ from run to run and
// sizes that do not. Keys, messages, IVs and paddings are secret here; lengths, statuses, hashes,
// public exponents and the counter's last bytes are public.

import { createCipheriv, createHash } from "node:crypto";
import { ivFor } from "../core/gcm-reference.js";
import {
  type BigKey,
  bitLength,
  byteLength,
  keyFromPrimes,
  makeKey,
  maskOaep,
  oaepBlock,
  rawEncrypt,
  toBytes,
} from "../core/rsa-reference.js";
import { chosenPrime, NUMBER_KINDS, number, primeOfExponent } from "./numbers.js";
import { type Abi, BAD_KEY, type Case, NOT_AUTHENTIC, type Secrets } from "./trace.js";

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
        isLong: size > 1000 || length === 24,
        run: (core, secrets) => {
          expand(core, secrets, length);
          core.params(Buffer.concat([secrets(12), Buffer.from([0, 0, 0, 0])]));
          core.input(secrets(size)).call("aesCtr", 0, size);
        },
      });
    }
  }
  for (const [last, what, isLong] of [
    ["00000003", "an odd start", true],
    ["000000f9", "over a border of 256 blocks", false],
    ["fffffffe", "over 2^32", false],
  ] as const) {
    cases.push({
      name: `AES-256-CTR from ${what}, twice`,
      isLong,
      run: (core, secrets) => {
        expand(core, secrets);
        core.params(Buffer.concat([secrets(12), Buffer.from(last, "hex")]));
        // Twice, so that what the first call has cached serves the second.
        core.input(secrets(13_000)).call("aesCtr", 0, 13_000);
        core.input(secrets(13_000)).call("aesCtr", 0, 13_000);
      },
    });
  }
  cases.push({
    name: "AES-256: 20 keys in 16 slots, two messages under each",
    runs: 4,
    run: (core, secrets) => {
      for (let i = 0; i < 20; i++) {
        const slot = i % 16;
        core.params(secrets(32)).call("aesExpand", slot, 32);
        for (const size of [900, 9000]) {
          core.params(secrets(12));
          core.input(secrets(size)).call("gcmSeal", slot, 12, 0, size);
        }
      }
      for (let slot = 0; slot < 16; slot++) core.call("aesForget", slot);
    },
  });
  return cases;
}

function cbcCases(): Case[] {
  const cases: Case[] = [];
  for (const call of ["aesCbcEncrypt", "aesCbcDecrypt"]) {
    for (const size of [16, 48, 1600, 65_536]) {
      cases.push({
        name: `${call}, ${size} bytes`,
        isLong: size > 1600,
        run: (core, secrets) => {
          expand(core, secrets);
          core.params(secrets(16)).input(secrets(size)).call(call, 0, size);
        },
      });
    }
  }
  for (const length of KEY_LENGTHS) {
    cases.push({
      name: `aesCfb8Decrypt, AES-${8 * length}, 100 bytes and 1`,
      run: (core, secrets) => {
        expand(core, secrets, length);
        core.params(secrets(16)).input(secrets(100)).call("aesCfb8Decrypt", 0, 100);
        core.input(secrets(1)).call("aesCfb8Decrypt", 0, 1);
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

/** One message of each size: sealed, opened, refused. */
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
      // Of the shorter keys one message: what they have of their own is the number of rounds.
      const isLong = size > 1000 || (length < 32 && size !== 97);
      const begin = (core: Abi, secrets: Secrets) => {
        const key = expand(core, secrets, length);
        const [iv, aad] = [secrets(ivLength), secrets(aadLength)];
        core.params(Buffer.concat([iv, aad]));
        return { key, iv, aad };
      };
      cases.push({
        name: `${what}: seal`,
        isLong,
        run: (core, secrets) => {
          begin(core, secrets);
          core.input(secrets(size)).call("gcmSeal", 0, ivLength, aadLength, size);
        },
      });
      cases.push({
        name: `${what}: open`,
        isLong,
        run: (core, secrets) => {
          const { key, iv, aad } = begin(core, secrets);
          core.input(sealed(key, iv, aad, secrets(size)));
          core.call("gcmOpen", 0, ivLength, aadLength, size);
        },
      });
      cases.push({
        name: `${what}: refuse`,
        isLong,
        ends: NOT_AUTHENTIC,
        // In every other run another byte of the tag is wrong; in those between any ciphertext is refused,
        // which GHASH then takes as it is.
        run: (core, secrets, run) => {
          const { key, iv, aad } = begin(core, secrets);
          const text = secrets(size);
          const message = run % 2 ? sealed(key, iv, aad, text) : Buffer.concat([text, secrets(16)]);
          message[size + ((5 * run) % 16)]! ^= 1 << (run % 8);
          core.input(message).call("gcmOpen", 0, ivLength, aadLength, size);
        },
      });
    }
  }
  return cases;
}

/** What comes in several calls: messages under one key, pieces of one, pieces of an IV. */
function gcmRunCases(): Case[] {
  const cases: Case[] = [];
  for (const ivLength of [12, 16]) {
    cases.push({
      name: `AES-256-GCM, three messages under one key, IV ${ivLength}`,
      run: (core, secrets) => {
        expand(core, secrets);
        for (const size of [40, 1000, 10_000]) {
          core.params(secrets(ivLength + 13));
          core.input(secrets(size)).call("gcmSeal", 0, ivLength, 13, size);
        }
      },
    });
  }
  cases.push({
    name: "AES-256-GCM, three long messages whose counters begin alike",
    run: (core, secrets) => {
      expand(core, secrets);
      for (const size of [13_000, 9000, 9000]) {
        const iv = secrets(12);
        // Of bytes 0, 5 and 10 it is public whether they are those of the call before.
        for (const at of [0, 5, 10]) iv[at] = at;
        core.params(iv).input(secrets(size)).call("gcmSeal", 0, 12, 0, size);
      }
    },
  });
  // Counters that begin with any value, at the end of their range too: GHASH's, so the IV is found backwards.
  cases.push({
    name: "AES-256-GCM, IV 16, any first counter",
    runs: 8,
    run: (core, secrets, run) => {
      const key = expand(core, secrets);
      const counter = secrets(16);
      const last = [0xffffffff, 0xfffffff0, 0xfffffffe, 0, 7, 0xff][run];
      if (last !== undefined) counter.writeUInt32BE(last, 12);
      core.params(ivFor(key, counter.toString("hex")));
      core.input(secrets(1000)).call("gcmSeal", 0, 16, 0, 1000);
    },
  });
  for (const ivLength of [12, 40]) {
    for (const opening of [0, 1]) {
      cases.push({
        name: `AES-256-GCM in pieces, IV ${ivLength}, ${opening ? "refused" : "sealed"}`,
        ends: opening ? NOT_AUTHENTIC : 0,
        run: (core, secrets, run) => {
          const key = expand(core, secrets);
          const [iv, aad, text] = [secrets(ivLength), secrets(32), secrets(5993)];
          const message = opening ? sealed(key, iv, aad, text) : text;
          // Another byte of the tag is wrong each time.
          if (opening) message[5993 + ((5 * run) % 16)]! ^= 1 << (run % 8);
          core.input(iv).call("gcmIv", 0, ivLength, ivLength);
          core.input(aad).call("gcmAad", 0, 32);
          core.input(message.subarray(0, 5000)).call("gcmText", 0, 5000, opening, 0);
          core.input(message.subarray(4992, 5993)).call("gcmText", 0, 1001, opening, 1);
          if (opening) core.input(message.subarray(5993)).call("gcmVerify", 0, 32, 5993);
          else core.call("gcmFinish", 0, 32, 5993);
        },
      });
    }
  }
  // A part of a block goes through again with what follows it.
  cases.push({
    name: "AES-256-GCM in pieces, parts of blocks",
    run: (core, secrets) => {
      expand(core, secrets);
      core.input(secrets(12)).call("gcmIv", 0, 12, 12);
      for (const size of [13, 30, 44]) core.input(secrets(size)).call("gcmText", 0, size, 0, 0);
      core.input(secrets(14)).call("gcmText", 0, 14, 0, 1).call("gcmFinish", 0, 0, 78);
    },
  });
  cases.push({
    name: "AES-256-GCM in pieces, the right tag",
    run: (core, secrets) => {
      const key = expand(core, secrets);
      const [iv, text] = [secrets(12), secrets(500)];
      const message = sealed(key, iv, Buffer.alloc(0), text);
      core.input(iv).call("gcmIv", 0, 12, 12);
      core.input(message.subarray(0, 500)).call("gcmText", 0, 500, 1, 1);
      core.input(message.subarray(500)).call("gcmVerify", 0, 0, 500);
    },
  });
  for (const [size, isLong] of [
    [1000, false],
    [65_536, true],
  ] as const) {
    cases.push({
      name: `AES-256-GCM, an IV in two pieces, the first of ${size} bytes`,
      isLong,
      run: (core, secrets) => {
        expand(core, secrets);
        core.input(secrets(size)).call("gcmIv", 0, size, 0);
        core.input(secrets(100)).call("gcmIv", 0, 100, size + 100);
        core.input(secrets(300)).call("gcmText", 0, 300, 0, 1).call("gcmFinish", 0, 0, 300);
      },
    });
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
    for (const size of [16, 32, 200, 4000]) {
      const what = `AES-${8 * length}-KW, ${size} bytes`;
      const isLong = size > 200 || (length < 32 && size !== 32);
      cases.push({
        name: `${what}: wrap`,
        isLong,
        run: (core, secrets) => {
          expand(core, secrets, length);
          core.input(secrets(size)).call("aesKwWrap", 0, size);
        },
      });
      cases.push({
        name: `${what}: unwrap`,
        isLong,
        run: (core, secrets) => {
          const key = expand(core, secrets, length);
          core.input(wrapped("wrap", key, secrets(size))).call("aesKwUnwrap", 0, size + 8);
        },
      });
      cases.push({
        name: `${what}: refuse`,
        isLong,
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
      runs: 8,
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
    const block = hash === 2 ? 128 : 64;
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
      name: `${name} in pieces: parts of blocks, up to a block, over one, nothing`,
      run: (core, secrets) => {
        core.call("hashBegin", hash);
        for (const size of [3, 40, block - 43, 1, block + 5, 500, 0, 17, block - 1]) {
          core.input(secrets(size)).call("hashUpdate", hash, size);
        }
        core.call("hashFinish", hash);
      },
    });
    cases.push({
      name: `HMAC and PBKDF2 with ${name}`,
      run: (core, secrets) => {
        core.input(secrets(40)).call("hmacKey", hash, 40);
        core.input(secrets(100)).call("hashUpdate", hash, 100).call("hmacNext", hash);
        core.input(secrets(20)).call("hashUpdate", hash, 20).call("hmacNext", hash);
        core.call("pbkdf2Start", hash).call("pbkdf2Continue", hash, 50).call("hashWipe");
      },
    });
    // As HKDF-Expand does it under every sealed file: the block before, what it is for, a counter.
    cases.push({
      name: `HKDF with ${name}: two blocks in pieces, a key of a block`,
      run: (core, secrets) => {
        core.input(secrets(block)).call("hmacKey", hash, block);
        for (const sizes of [
          [90, 1],
          [block / 2, 90, 1],
        ]) {
          for (const size of sizes) core.input(secrets(size)).call("hashUpdate", hash, size);
          core.call("hmacNext", hash);
        }
        core.call("hashWipe");
      },
    });
  });
  return cases;
}

// --- RSA --------------------------------------------------------------------------------------
const OAEP = 1;
const PKCS1 = 0;
const WAYS = { decrypt: 0, checked: 1, unwrapKey: 2 };
const GIVEN = 4;
const HASHES = ["SHA-1", "SHA-256", "SHA-512"] as const;
const SHA1 = 0;
const KEY = 32;
const E = 65537n;

/** Sizes of a key: of the modulus, of p and of q, all in bits. */
interface Sizes {
  bits: number;
  p: number;
  q: number;
}
const halves = (bits: number): Sizes => ({ bits, p: bits / 2, q: bits / 2 });

const keys = new Map<string, BigKey>();
/** The key of one run, one of four of the same sizes: two are any, two have numbers chosen for their digits. */
function rsaKey({ bits, p, q }: Sizes, run: number): BigKey {
  const which = run % 4;
  const name = `${bits} ${p} ${which}`;
  for (let key = keys.get(name); ; ) {
    if (key !== undefined) return key;
    let made: BigKey;
    if (which < 2) made = makeKey(bits, E, p);
    else if (which === 2) made = keyFromPrimes(chosenPrime(p, 2), chosenPrime(q, 1), E);
    else made = keyFromPrimes(primeOfExponent(p, E), primeOfExponent(q, E), E);
    // p < q in every other run, if both have one length.
    if (bitLength(made.n) !== bits || (p === q && made.p < made.q !== (which % 2 === 0))) continue;
    keys.set(name, made);
    key = made;
  }
}

function loadPrivate(core: Abi, key: BigKey): number[] {
  const [k, p, q] = [key.n, key.p, key.q].map(byteLength) as [number, number, number];
  const numbers = [
    toBytes(key.n, k),
    toBytes(key.d, k),
    toBytes(key.p, p),
    toBytes(key.q, q),
    toBytes(key.dp, p),
    toBytes(key.dq, q),
    toBytes(key.qi, p),
  ];
  let at = 0;
  for (const bytes of numbers) {
    core.input(bytes, at);
    at += bytes.length;
  }
  const lengths = numbers.map(({ length }) => length);
  core.call("rsaLoadPrivate", 0, Number(key.e), ...lengths);
  return lengths;
}

/** What a block is made with: its length, its message, random bytes, OAEP's two hashes. */
interface Making {
  k: number;
  message: Buffer;
  random: Secrets;
  hash: number;
  mgf: number;
}
/** Blocks before encryption: good ones and every way in which one can be bad. */
type Blocks = Record<string, (making: Making) => Buffer>;

const filled = (random: Secrets, length: number) =>
  Buffer.from(random(length).map((byte) => byte || 1));
const pkcs1 = ({ k, random }: Making, message: Uint8Array) =>
  Buffer.concat([
    Buffer.of(0, 2),
    filled(random, k - 3 - message.length),
    Buffer.of(0),
    message,
  ] as Uint8Array[]);

const PKCS1_BLOCKS: Blocks = {
  good: (making) => pkcs1(making, making.message),
  "a message of another length": (making) => pkcs1(making, making.message.subarray(5)),
  "no message": (making) => pkcs1(making, Buffer.alloc(0)),
  "the longest message": (making) => pkcs1(making, filled(making.random, making.k - 11)),
  "no separator": ({ k, random }) => Buffer.concat([Buffer.of(0, 2), filled(random, k - 2)]),
  "a short filler": (making) =>
    pkcs1(making, Buffer.concat([filled(making.random, making.k - 8 - KEY), making.message])),
  "a wrong first byte": (making) => {
    const block = pkcs1(making, making.message);
    block[0] = 0x11;
    return block;
  },
  "a wrong second byte": (making) => {
    const block = pkcs1(making, making.message);
    block[1] = 1;
    return block;
  },
};

const DIGESTS = [20, 32, 64];
const oaep = (
  { k, random, hash, mgf }: Making,
  message: Uint8Array,
  change?: (block: Buffer, digest: number) => void,
) => {
  const block = Buffer.from(oaepBlock(k, HASHES[hash]!, Buffer.alloc(0), message));
  change?.(block, DIGESTS[hash]!);
  return Buffer.from(maskOaep(HASHES[mgf]!, random(DIGESTS[hash]!), block));
};

const OAEP_BLOCKS: Blocks = {
  good: (making) => oaep(making, making.message),
  "a message of another length": (making) => oaep(making, making.message.subarray(5)),
  "no message": (making) => oaep(making, Buffer.alloc(0)),
  "another label": (making) =>
    oaep(making, making.message, (block, digest) => {
      block[digest - 1]! ^= 1;
    }),
  "another label from its first byte on": (making) =>
    oaep(making, making.message, (block) => {
      block[0]! ^= 0x80;
    }),
  "no separator": (making) =>
    oaep(making, making.message, (block, digest) => {
      block.fill(0, digest);
    }),
  "a wrong separator": (making) =>
    oaep(making, making.message, (block) => {
      block[block.length - KEY - 1] = 2;
    }),
  "a wrong first byte": (making) => {
    const block = oaep(making, making.message);
    block[0] = 0x11;
    return block;
  },
};

const labelHash = (padding: number, hash: number) =>
  padding === OAEP
    ? createHash(HASHES[hash]!.toLowerCase().replace("-", "")).digest()
    : Buffer.alloc(0);

interface Decryption {
  sizes: Sizes;
  padding: number;
  way: keyof typeof WAYS;
  hash?: number;
  mgf?: number;
  runs?: number;
  isLong?: boolean;
  /** The platform did RSADP: the core gets its block. */
  isGiven?: boolean;
}

/** One way to decrypt every kind of block, under several keys: one case, or two if good and bad are told. */
function decryptCases({ sizes, padding, way, isLong, isGiven, ...rest }: Decryption): Case[] {
  const { hash = SHA1, mgf = hash, runs = 8 } = rest;
  const blocks = padding === OAEP ? OAEP_BLOCKS : PKCS1_BLOCKS;
  const kinds = Object.keys(blocks);
  const unwraps = way === "unwrapKey";
  // What `decryptChecked` tells is told: its good blocks and its bad ones are two cases, and so are those
  // of OAEP's `decrypt`.
  const told = way === "checked" || (way === "decrypt" && padding === OAEP);
  const isGood = (kind: string) => /^good|message/.test(kind);
  const [good, bad] = [kinds.filter(isGood), kinds.filter((kind) => !isGood(kind))];
  const name =
    padding === PKCS1 ? "v1.5" : `OAEP ${HASHES[hash]}${mgf === hash ? "" : ` and ${HASHES[mgf]}`}`;
  const primes = sizes.p === sizes.q ? "" : ` with a p of ${sizes.p} bits`;
  return (told ? [good, bad] : [kinds]).map((group) => ({
    name: `RSA-${sizes.bits}${primes} ${name}: ${way}${isGiven ? ", RSADP done elsewhere," : ""} of ${group.length} kinds of blocks${told ? (group === good ? ", good" : ", bad") : ""}`,
    ends: group === bad ? NOT_AUTHENTIC : 0,
    isLong: isLong ?? false,
    runs,
    run: (core, secrets, run) => {
      const k = sizes.bits / 8;
      const key = rsaKey(sizes, run);
      loadPrivate(core, key);
      // With fewer runs than kinds, neighbours are not always left out.
      const kind = group[(run + Math.floor(run / group.length)) % group.length]!;
      const block = blocks[kind]!({ k, message: secrets(KEY), random: secrets, hash, mgf });
      core.params(labelHash(padding, hash)).params(secrets(k + 16).fill(7, 0, 1), 64);
      core.input(rawEncrypt(key, block));
      if (isGiven) core.input(block, k);
      const how = isGiven ? WAYS[way] | GIVEN : WAYS[way];
      core.call("rsaDecrypt", 0, how, padding, hash, mgf, unwraps ? KEY : 0);
      if (!unwraps) core.read("rsaMessageLength");
    },
  }));
}

function loadCase(sizes: Sizes, isLong: boolean): Case {
  const primes = sizes.p === sizes.q ? "" : ` with a p of ${sizes.p} bits`;
  return {
    name: `RSA-${sizes.bits}${primes}: loading a private key`,
    isLong,
    runs: 4,
    run: (core, _, run) => {
      loadPrivate(core, rsaKey(sizes, run));
      core.call("rsaUnload", 0);
    },
  };
}

/** Numbers that no key may have: what is wrong with them is one answer. */
function badKeyCase(sizes: Sizes): Case {
  return {
    name: `RSA-${sizes.bits}: loading a private key whose numbers do not fit together`,
    ends: BAD_KEY,
    runs: 8,
    run: (core, _, run) => {
      const key = { ...rsaKey(sizes, 0) };
      const name = (["d", "p", "q", "dp", "dq", "qi", "d", "qi"] as const)[run % 8]!;
      // Odd numbers stay odd, and no length changes; the last two are the least and the largest.
      key[name] ^= run % 8 < 6 ? 1n << 40n : key[name] ^ (run % 8 === 6 ? 1n : key.p - 1n);
      loadPrivate(core, key);
    },
  };
}

function encryptCase(sizes: Sizes, padding: number, hash: number, isLong: boolean): Case {
  const k = sizes.bits / 8;
  return {
    name: `RSA-${sizes.bits} ${padding === OAEP ? `OAEP ${HASHES[hash]}` : "v1.5"}: encrypt`,
    isLong,
    run: (core, secrets) => {
      const { n } = rsaKey(sizes, 0);
      core.input(toBytes(n)).call("rsaLoadPublic", 0, k, 65537);
      core.params(labelHash(padding, hash)).params(filled(secrets, k), 64);
      core.input(secrets(KEY)).call("rsaEncrypt", 0, padding, hash, hash, KEY);
    },
  };
}

/** Ciphertexts that are chosen for their limbs, and blindings. */
function chosenCiphertextCase(sizes: Sizes, isLong: boolean): Case {
  const k = sizes.bits / 8;
  return {
    name: `RSA-${sizes.bits} v1.5: unwrapKey of chosen numbers`,
    isLong,
    runs: NUMBER_KINDS + 4,
    run: (core, secrets, run) => {
      const key = rsaKey(sizes, run);
      loadPrivate(core, key);
      const chosen =
        [0n, 1n, key.n - 1n, key.p][run] ?? number(sizes.bits - 1, run, secrets) % key.n;
      const blinding = number(sizes.bits + 100, run + 3, secrets) | 1n;
      core.params(toBytes(blinding, k + 16), 64);
      core.input(toBytes(chosen, k)).call("rsaDecrypt", 0, WAYS.unwrapKey, PKCS1, 0, 0, KEY);
    },
  };
}

function rsaCases(): Case[] {
  const cases: Case[] = [];
  const unequal: Sizes[] = [
    { bits: 1024, p: 300, q: 724 },
    { bits: 1024, p: 724, q: 300 },
  ];
  for (const sizes of [halves(1024), halves(2048)]) {
    const isLong = sizes.bits > 1024;
    cases.push(loadCase(sizes, isLong));
    for (const padding of [OAEP, PKCS1]) {
      cases.push(encryptCase(sizes, padding, SHA1, isLong));
      for (const way of ["decrypt", "checked", "unwrapKey"] as const) {
        cases.push(...decryptCases({ sizes, padding, way, isLong: isLong || way === "checked" }));
      }
    }
    cases.push(chosenCiphertextCase(sizes, isLong));
  }
  cases.push(badKeyCase(halves(1024)));
  for (const padding of [OAEP, PKCS1]) {
    for (const way of ["decrypt", "unwrapKey"] as const) {
      cases.push(...decryptCases({ sizes: halves(1024), padding, way, isGiven: true }));
    }
    cases.push(
      ...decryptCases({
        sizes: halves(3072),
        padding,
        way: "unwrapKey",
        isGiven: true,
        isLong: true,
      }),
    );
  }
  for (const hash of [1, 2]) cases.push(encryptCase(halves(2048), OAEP, hash, false));
  cases.push(
    ...decryptCases({ sizes: halves(1024), padding: OAEP, way: "unwrapKey", hash: 1 }),
    ...decryptCases({ sizes: halves(2048), padding: OAEP, way: "decrypt", hash: 1, isLong: true }),
    // A digest of 64 bytes leaves no room for a key in 1024 bits.
    ...decryptCases({ sizes: halves(1536), padding: OAEP, way: "unwrapKey", hash: 2 }),
    ...decryptCases({ sizes: halves(2048), padding: OAEP, way: "checked", hash: 2, isLong: true }),
    ...decryptCases({
      sizes: halves(2048),
      padding: OAEP,
      way: "unwrapKey",
      hash: 2,
      mgf: 0,
      isLong: true,
    }),
  );
  for (const [i, sizes] of unequal.entries()) {
    cases.push(loadCase(sizes, i > 0));
    cases.push(...decryptCases({ sizes, padding: PKCS1, way: "unwrapKey", isLong: i > 0 }));
  }
  // Columns are carried between, from 2,816 bits on.
  for (const sizes of [halves(3072), halves(4096)]) {
    cases.push(loadCase(sizes, true), chosenCiphertextCase(sizes, true));
    cases.push(encryptCase(sizes, PKCS1, SHA1, true), encryptCase(sizes, OAEP, 2, true));
    for (const padding of [OAEP, PKCS1]) {
      cases.push(...decryptCases({ sizes, padding, way: "unwrapKey", isLong: true, runs: 4 }));
    }
  }
  return cases;
}

// --- Comparisons ------------------------------------------------------------------------------
function comparisonCases(): Case[] {
  const cases: Case[] = [];
  for (const length of [1, 16, 32, 64]) {
    cases.push({
      name: `comparing ${length} bytes: the same`,
      run: (core, secrets) => {
        const bytes = secrets(length);
        core.input(Buffer.concat([bytes, bytes])).call("compareInput", length);
      },
    });
    cases.push({
      name: `comparing ${length} bytes: others`,
      ends: NOT_AUTHENTIC,
      // The first byte differs, the last, one between, all of them.
      runs: 8,
      run: (core, secrets, run) => {
        const bytes = secrets(length);
        const others = Buffer.from(bytes);
        const at = [0, length - 1, length >> 1][run % 4];
        if (at === undefined) for (let i = 0; i < length; i++) others[i]! ^= 0xff;
        else others[at]! ^= 1 << (run % 8);
        core.input(Buffer.concat([bytes, others])).call("compareInput", length);
      },
    });
  }
  return cases;
}

/** Those of the core that has AES alone. */
export function aesOnlyCases(): Case[] {
  return [...aesCases(), ...gcmCases(), ...gcmRunCases(), ...wrapCases()];
}

export function allCases(): Case[] {
  return [...aesOnlyCases(), ...cbcCases(), ...hashCases(), ...rsaCases(), ...comparisonCases()];
}
