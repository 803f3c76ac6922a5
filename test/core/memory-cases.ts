// What may be left of a call: nothing. For every kind of call: it is made, its key is disposed of, and then all of
// the instance's memory is compared with what it was before, and so is every array that was made meanwhile.
// What is public and stays is named, and must be just that.

import { createCipheriv, randomBytes } from "node:crypto";
import { Core } from "#build/core/index.js";
import { Instance } from "#build/core/instance.js";
import { RsaPrivateKey } from "#build/core/rsa.js";
import { Slots } from "#build/core/slots.js";
import {
  type BigKey,
  components,
  makeKey,
  maskOaep,
  oaepBlock,
  pkcs1Block,
  rawEncrypt,
  toBytes,
} from "./rsa-reference.js";

/** Public bytes that a call leaves in a window. */
type Leaves = Partial<Record<"INPUT" | "OUTPUT" | "PARAMS", Uint8Array>>;

/** What is left of a call besides its results. */
interface Left {
  /** Arrays that the caller has got. */
  results?: Uint8Array[];
  /** Bytes that are public, in arrays of the library's own. */
  known?: Uint8Array[];
  leaves?: Leaves;
}

export interface MemoryCase {
  name: string;
  run: (core: Core, instance: Instance) => Left | undefined;
}

const IV = 12;
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Makes a call that is refused with that error, and with no other. */
function refused(call: () => unknown, code = "DECRYPTION_FAILED"): void {
  try {
    call();
  } catch (error) {
    if ((error as { code?: string }).code === code) return;
    throw error;
  }
  throw new Error("it was not refused");
}

const sealedWith = (key: Buffer, iv: Uint8Array, aad: Uint8Array, text: Uint8Array) => {
  const name = `aes-${8 * key.length}-gcm` as "aes-256-gcm";
  const cipher = createCipheriv(name, key, iv).setAAD(aad);
  return Buffer.concat([cipher.update(text), cipher.final(), cipher.getAuthTag()]);
};

// --- Hashes -----------------------------------------------------------------------------------
function hashCases(): MemoryCase[] {
  return (["SHA-1", "SHA-256", "SHA-512"] as const).flatMap((hash) => [
    {
      name: `${hash} at once`,
      run: (core) => {
        const digest = { "SHA-1": core.sha1, "SHA-256": core.sha256, "SHA-512": core.sha512 }[hash];
        return { results: [70_000, 3].map((size) => digest.call(core, randomBytes(size))) };
      },
    },
    {
      name: `${hash} in pieces`,
      run: (core) => {
        const hasher = core.hasher(hash).update(randomBytes(70_000)).update(randomBytes(5));
        core.hasher(hash).update(randomBytes(77)).dispose();
        const results = [hasher.digest()];
        core.hasher(hash).dispose();
        return { results };
      },
    },
    {
      name: `HMAC with ${hash}`,
      run: (core) => ({
        results: [20, 300].map((size) => core.hmac(hash, randomBytes(size), randomBytes(200))),
      }),
    },
    {
      name: `HKDF with ${hash}`,
      run: (core) => ({
        results: [core.hkdfExpand(hash, randomBytes(32), randomBytes(90), 100)],
      }),
    },
    {
      name: `PBKDF2 with ${hash}`,
      run: (core) => ({
        results: [core.pbkdf2(hash, randomBytes(30), randomBytes(16), 3, 100)],
        // The numbers of the blocks.
        known: [1, 2, 3, 4, 5].map(u32),
      }),
    },
  ]);
}

// --- AES --------------------------------------------------------------------------------------
function aesCases(): MemoryCase[] {
  const cases: MemoryCase[] = [];
  for (const size of [10, 65_536, 100_000]) {
    cases.push({
      name: `AES-CTR, ${size} bytes`,
      run: (core) => {
        const key = core.aesCtr(randomBytes(32));
        const results = [1, 2].map(() => key.xor(randomBytes(16), randomBytes(size)));
        key.dispose();
        return { results };
      },
    });
  }
  cases.push(
    {
      name: "AES-CBC",
      run: (core) => {
        const key = core.aesCbc(randomBytes(32));
        const iv = randomBytes(16);
        const sealed = key.encrypt(iv, randomBytes(1000));
        const results = [sealed, key.decrypt(iv, sealed), key.decryptBlocks(iv, sealed)];
        // A block of which no padding can be made
        const other = key.encrypt(iv, Buffer.alloc(100, 0xaa));
        results.push(other);
        refused(() => key.decrypt(iv, other.subarray(0, 96)));
        key.dispose();
        return { results };
      },
    },
    {
      name: "AES-CFB8",
      run: (core) => {
        const key = core.aesCfb8(randomBytes(16));
        const results = [key.decrypt(randomBytes(16), randomBytes(100))];
        key.dispose();
        return { results };
      },
    },
  );
  for (const [name, size] of [
    ["KW", 40],
    ["KWP", 1],
    ["KWP", 33],
  ] as const) {
    cases.push({
      name: `AES-${name}, ${size} bytes`,
      run: (core) => {
        const kek = randomBytes(24);
        const key = name === "KW" ? core.aesKw(kek) : core.aesKwp(kek);
        const wrapped = key.wrap(randomBytes(size));
        refused(() => key.unwrap(randomBytes(wrapped.length)));
        const results = [wrapped, key.unwrap(wrapped)];
        key.dispose();
        return { results };
      },
    });
  }
  cases.push({
    name: "AES, 20 keys for 16 slots, all used twice",
    run: (core) => {
      const keys = Array.from({ length: 20 }, () => core.aesGcm(randomBytes(32)));
      const results = [9000, 20].flatMap((size) =>
        keys.map((key) => key.encrypt(randomBytes(IV), randomBytes(size))),
      );
      for (const key of keys) key.dispose();
      core.wipe();
      return { results };
    },
  });
  return cases;
}

// --- GCM --------------------------------------------------------------------------------------
function gcmCases(): MemoryCase[] {
  const cases: MemoryCase[] = [];
  for (const [ivLength, aadLength, size] of [
    [12, 0, 0],
    [12, 7, 10],
    [12, 13, 1000],
    [12, 0, 30_000],
    [16, 0, 10],
    [17, 600, 1000],
    [1, 0, 30_000],
  ] as const) {
    const name = `AES-GCM, IV ${ivLength}, AAD ${aadLength}, ${size} bytes`;
    const make = () => ({
      bytes: randomBytes(32),
      iv: randomBytes(ivLength),
      aad: randomBytes(aadLength),
      text: randomBytes(size),
    });
    cases.push({
      name: `${name}: encrypt`,
      run: (core) => {
        const { bytes, iv, aad, text } = make();
        const key = core.aesGcm(bytes);
        const sealed = key.encrypt(iv, text, aad);
        key.dispose();
        return { results: [sealed], leaves: { OUTPUT: sealed, PARAMS: Buffer.concat([iv, aad]) } };
      },
    });
    cases.push({
      name: `${name}: decrypt`,
      run: (core) => {
        const { bytes, iv, aad, text } = make();
        const key = core.aesGcm(bytes);
        const sealed = sealedWith(bytes, iv, aad, text);
        const results = [key.decrypt(iv, sealed, aad)];
        key.dispose();
        return { results, leaves: { INPUT: sealed, PARAMS: Buffer.concat([iv, aad]) } };
      },
    });
    cases.push({
      name: `${name}: refuse`,
      run: (core) => {
        const { bytes, iv, aad, text } = make();
        const key = core.aesGcm(bytes);
        const sealed = sealedWith(bytes, iv, aad, text);
        sealed[size]! ^= 1;
        refused(() => key.decrypt(iv, sealed, aad));
        key.dispose();
        return { leaves: { INPUT: sealed, PARAMS: Buffer.concat([iv, aad]) } };
      },
    });
  }
  cases.push({
    name: "AES-GCM, two long messages under one key",
    run: (core) => {
      const key = core.aesGcm(randomBytes(16));
      const iv = randomBytes(IV);
      const results = [1, 2].map(() => key.encrypt(iv, randomBytes(65_536)));
      key.dispose();
      return { results, leaves: { OUTPUT: results[1]!, PARAMS: iv } };
    },
  });
  cases.push({
    name: "AES-GCM over several windows, encrypted, decrypted and refused",
    run: (core) => {
      const key = core.aesGcm(randomBytes(32));
      const iv = randomBytes(IV);
      const sealed = key.encrypt(iv, randomBytes(70_000));
      const other = Buffer.from(sealed);
      other[70_000]! ^= 1;
      refused(() => key.decrypt(iv, other));
      const results = [sealed, key.decrypt(iv, sealed)];
      key.dispose();
      return { results };
    },
  });
  cases.push({
    name: "AES-GCM in the windows, which are wiped",
    run: (core) => {
      const key = core.aesGcm(randomBytes(32));
      const [iv, tag] = [randomBytes(IV), randomBytes(16)];
      core.input.set(randomBytes(1000));
      key.encryptWindow(iv, 1000, randomBytes(9));
      tag.set(key.tag);
      core.input.set(core.output.slice(0, 1000));
      refused(() => key.decryptWindow(iv, 1000, tag));
      key.dispose();
      core.wipe();
      return undefined;
    },
  });
  for (const [ivLength, size] of [
    [12, 1000],
    [12, 70_000],
    [17, 1000],
    [70_001, 20],
  ] as const) {
    const name = `AES-GCM in pieces, IV ${ivLength}, ${size} bytes`;
    // What is in pieces leaves nothing public either, but for what of it stands in arrays.
    cases.push({
      name: `${name}: sealed, and given up`,
      run: (core) => {
        const key = core.aesGcm(randomBytes(32));
        const iv = randomBytes(ivLength);
        const seals = key.encryptor(iv, randomBytes(7));
        const other = key.encryptor(iv);
        const results = [other.update(randomBytes(100))];
        other.dispose();
        results.push(...[5, size].map((length) => seals.update(randomBytes(length))));
        results.push(seals.final());
        key.dispose();
        return { results };
      },
    });
    cases.push({
      name: `${name}: given up`,
      run: (core) => {
        const key = core.aesGcm(randomBytes(32));
        const seals = key.encryptor(randomBytes(ivLength), randomBytes(7));
        const results = [seals.update(randomBytes(size))];
        seals.dispose();
        key.dispose();
        return { results };
      },
    });
    cases.push({
      name: `${name}: opened, refused, given up`,
      run: (core) => {
        const bytes = randomBytes(32);
        const key = core.aesGcm(bytes);
        const seals = key.encryptor(randomBytes(ivLength));
        seals.dispose();
        const [iv, aad] = [randomBytes(Math.min(ivLength, 100)), randomBytes(7)];
        const sealed = sealedWith(bytes, iv, aad, randomBytes(size));
        const other = Buffer.from(sealed);
        other[size + 3]! ^= 1;
        const results: Uint8Array[] = [];
        const opens = [sealed, other, sealed].map((message) => {
          const run = key.decryptor(iv, aad);
          results.push(run.update(message.subarray(0, 9)), run.update(message.subarray(9)));
          return run;
        });
        opens[0]!.final();
        refused(() => opens[1]!.final());
        opens[2]!.dispose();
        key.dispose();
        return { results, known: [sealed.subarray(size), other.subarray(size)] };
      },
    });
  }
  return cases;
}

// --- RSA --------------------------------------------------------------------------------------
let keys: BigKey[] | undefined;
/** Some keys, the shortest ones that take a message; of one p is shorter than q. */
function rsaKeys(): BigKey[] {
  keys ??= [...Array.from({ length: 5 }, () => makeKey(640)), makeKey(1024, 65537n, 300)];
  return keys;
}
const OAEP = { padding: "oaep" } as const;
const PKCS1 = { padding: "pkcs1-v1_5" } as const;
/** SHA-1 of no label. */
const NO_LABEL = Buffer.from("da39a3ee5e6b4b0d3255bfef95601890afd80709", "hex");
const MESSAGE = 16;

function rsaCases(): MemoryCase[] {
  const cases: MemoryCase[] = [];
  cases.push({
    name: "RSA, public",
    run: (core) => {
      const key = core.rsaPublicKey(components(rsaKeys()[0]!));
      const results = [OAEP, PKCS1].map((padding) => key.encrypt(randomBytes(MESSAGE), padding));
      refused(() => key.encrypt(randomBytes(100), PKCS1), "BAD_ARGUMENT");
      key.dispose();
      return { results, known: [NO_LABEL] };
    },
  });
  for (const which of [0, 5]) {
    for (const padding of [OAEP, PKCS1]) {
      for (const way of ["decrypt", "decryptChecked", "unwrapKey"] as const) {
        cases.push({
          name: `RSA, ${which === 0 ? "primes" : "unequal primes"}, ${padding.padding}: ${way} of good and bad blocks`,
          run: (core) => {
            const big = rsaKeys()[which]!;
            const k = toBytes(big.n).length;
            const key = core.rsaPrivateKey(components(big));
            const good = (message: Buffer) =>
              padding === OAEP
                ? maskOaep(
                    "SHA-1",
                    randomBytes(20),
                    oaepBlock(k, "SHA-1", Buffer.alloc(0), message),
                  )
                : pkcs1Block(k, message);
            const results: Uint8Array[] = [];
            const options = way === "unwrapKey" ? { ...padding, length: MESSAGE } : padding;
            const open = (ciphertext: Uint8Array) => key[way](ciphertext, options as never);
            results.push(open(rawEncrypt(big, good(randomBytes(MESSAGE)))));
            const bad = rawEncrypt(big, Buffer.alloc(k, 1));
            const isTold = way === "decryptChecked" || (way === "decrypt" && padding === OAEP);
            if (isTold) refused(() => open(bad));
            else results.push(open(bad));
            refused(() => open(toBytes(big.n, k)));
            key.dispose();
            return { results, known: [NO_LABEL] };
          },
        });
      }
    }
  }
  cases.push(
    {
      name: "RSA, a fault",
      run: (_, instance) => {
        const big = rsaKeys()[0]!;
        const slots = new Slots(instance.constant("RSA_SLOTS"));
        // A blinding without an inverse
        const key = new RsaPrivateKey(instance, slots, components(big), (n) => toBytes(big.p, n));
        for (const way of ["decrypt", "unwrapKey"] as const) {
          const options = way === "unwrapKey" ? { ...OAEP, length: MESSAGE } : OAEP;
          refused(() => key[way](randomBytes(80).fill(0, 0, 1), options as never), "FAULT");
        }
        key.dispose();
        return { known: [NO_LABEL] };
      },
    },
    {
      name: "RSA, keys that are refused",
      run: (core) => {
        const big = rsaKeys()[0]!;
        for (const name of ["d", "p", "q", "dp", "dq", "qi"] as const) {
          refused(
            () => core.rsaPrivateKey(components({ ...big, [name]: big[name] ^ (1n << 70n) })),
            "BAD_KEY",
          );
        }
        refused(() => core.rsaPrivateKey(components({ ...big, p: 5n })), "BAD_KEY");
        return undefined;
      },
    },
    {
      name: "RSA, a public key that is refused",
      run: (core) => {
        const big = rsaKeys()[0]!;
        refused(() => core.rsaPublicKey(components({ ...big, n: big.n + 1n })), "BAD_KEY");
        return undefined;
      },
    },
    {
      name: "RSA, five private keys for four slots",
      run: (core) => {
        const five = rsaKeys()
          .slice(0, 5)
          .map((big) => core.rsaPrivateKey(components(big)));
        const results = five.map((key) =>
          key.unwrapKey(randomBytes(80).fill(0, 0, 1), { ...PKCS1, length: MESSAGE }),
        );
        for (const key of five) key.dispose();
        return { results };
      },
    },
  );
  return cases;
}

// --- Comparing --------------------------------------------------------------------------------
const comparing: MemoryCase = {
  name: "comparing",
  run: (core) => {
    const bytes = randomBytes(64);
    core.equal(bytes, Buffer.from(bytes));
    core.equal(bytes, randomBytes(64));
    return undefined;
  },
};

// --- What the core itself promises --------------------------------------------------------------
/** Calls of the ABI, whose caller clears more than it must: what the core clears is seen before. */
function abiCases(): MemoryCase[] {
  const expand = (instance: Instance) => {
    const key = randomBytes(32);
    instance.params.set(key);
    instance.check(instance.function("aesExpand")(0, 32));
    return key;
  };
  const forget = (instance: Instance) => instance.check(instance.function("aesForget")(0));
  return [
    {
      name: "the core's refusal of a message",
      run: (_, instance) => {
        expand(instance);
        const [iv, text] = [randomBytes(IV), randomBytes(600)];
        instance.params.set(iv);
        instance.input.set(text);
        instance.function("gcmOpen")(0, IV, 0, 584);
        forget(instance);
        return { leaves: { INPUT: text, PARAMS: iv } };
      },
    },
    {
      name: "the core's refusal of a tag",
      run: (_, instance) => {
        expand(instance);
        const tag = randomBytes(16);
        instance.input.set(randomBytes(IV));
        instance.function("gcmIv")(0, IV, IV);
        instance.input.set(tag);
        instance.function("gcmVerify")(0, 0, 0);
        new Uint8Array(instance.input.buffer, instance.constant("GCM_STATE"), 64).fill(0);
        forget(instance);
        return { leaves: { INPUT: tag } };
      },
    },
    ...["aesKwUnwrap", "aesKwpUnwrap"].map((call) => ({
      name: `the core's refusal of a wrapped key: ${call}`,
      run: (_: Core, instance: Instance) => {
        expand(instance);
        const wrapped = randomBytes(40);
        instance.input.set(wrapped);
        instance.function(call)(0, 40);
        forget(instance);
        return { leaves: { INPUT: wrapped } };
      },
    })),
    {
      name: "the core's key of an HMAC",
      run: (_, instance) => {
        instance.input.set(randomBytes(64));
        instance.check(instance.function("hmacKey")(1, 64));
        instance.check(instance.function("hmacNext")(1));
        instance.output.fill(0);
        instance.function("hashWipe")();
        return undefined;
      },
    },
  ];
}

export const memoryCases = (): MemoryCase[] => [
  ...hashCases(),
  comparing,
  ...aesCases(),
  ...gcmCases(),
  ...rsaCases(),
  ...abiCases(),
];

/** Makes arrays' buffers known while it works; answers them. */
function recorded<T>(work: () => T): { value: T; buffers: ArrayBuffer[] } {
  const buffers: ArrayBuffer[] = [];
  const Original = globalThis.ArrayBuffer;
  globalThis.ArrayBuffer = new Proxy(Original, {
    construct: (target, given, newTarget) => {
      const buffer = Reflect.construct(target, given, newTarget) as ArrayBuffer;
      buffers.push(buffer);
      return buffer;
    },
  });
  try {
    return { value: work(), buffers };
  } finally {
    globalThis.ArrayBuffer = Original;
  }
}

const isZero = (bytes: Uint8Array) => bytes.every((byte) => byte === 0);
const REGIONS = ["INPUT", "OUTPUT", "PARAMS", "KEYS", "GCM_STATE"];

/**
 * What is left of a case in a fresh instance that is not named, in words; undefined if there is nothing.
 * @param prepare what is done to the instance before
 */
export async function remains(
  module: WebAssembly.Module,
  { run }: MemoryCase,
  prepare?: (instance: Instance) => void,
): Promise<string | undefined> {
  const instance = await Instance.create(module);
  prepare?.(instance);
  const memory = Buffer.from(instance.input.buffer);
  const expected = Buffer.from(memory);
  const core = new Core(instance);
  const { value, buffers } = recorded(() => run(core, instance));
  const { results = [], known = [], leaves = {} } = value ?? {};
  for (const [region, bytes] of Object.entries(leaves)) {
    expected.set(bytes, instance.constant(region));
  }
  if (Buffer.compare(memory, expected) !== 0) {
    const at = memory.findIndex((byte, i) => byte !== expected[i]);
    const place = REGIONS.map((name) => ({ name, offset: at - instance.constant(name) }))
      .filter(({ offset }) => offset >= 0)
      .sort((a, b) => a.offset - b.offset)[0];
    return `memory at ${at}${place === undefined ? "" : `, ${place.name} + ${place.offset}`}`;
  }
  const own = new Set(results.map(({ buffer }) => buffer));
  for (const buffer of buffers) {
    const bytes = new Uint8Array(buffer);
    if (own.has(buffer) || isZero(bytes)) continue;
    if (known.some((public_) => Buffer.compare(public_, bytes) === 0)) continue;
    return `an array of ${bytes.length} bytes: ${Buffer.from(bytes.subarray(0, 8)).toString("hex")}…`;
  }
  return undefined;
}

/** A slot that goes from one key to others: what the first did must not be seen then. */
export interface HandOver {
  name: string;
  /** Uses the first key, or does not, and then gives its slot to others; the same ones every time. */
  run: (core: Core, first: boolean) => void;
}

const aesKeys = Array.from({ length: 17 }, () => randomBytes(32));
export const handOvers: HandOver[] = [
  {
    name: "of messages under a key, once another has its slot",
    run: (core, first) => {
      const key = core.aesGcm(aesKeys[0]!);
      if (first) for (let i = 0; i < 2; i++) key.encrypt(randomBytes(IV), randomBytes(65_536));
      for (const other of aesKeys.slice(1)) core.aesGcm(other);
    },
  },
  {
    name: "of a private key, once public ones have the slots",
    run: (core, first) => {
      const [key, ...others] = rsaKeys().map(components);
      if (first) core.rsaPrivateKey(key!);
      else core.rsaPublicKey(key!);
      for (const other of others.slice(0, 4)) core.rsaPublicKey(other);
    },
  },
];

/** Where the memory tells whether the first key was used, its windows wiped; undefined if it does not. */
export async function remainsOfFirst(
  module: WebAssembly.Module,
  { run }: HandOver,
  prepare?: (instance: Instance) => void,
): Promise<string | undefined> {
  const [unused, used] = await Promise.all(
    [false, true].map(async (first) => {
      const instance = await Instance.create(module);
      prepare?.(instance);
      run(new Core(instance), first);
      instance.wipeWindows();
      return Buffer.from(instance.input.buffer);
    }),
  );
  const at = used!.findIndex((byte, i) => byte !== unused![i]);
  return at < 0 ? undefined : `memory at ${at}`;
}
