// What prepared AES keys leave in the core's memory once all are disposed of.
import { randomBytes } from "node:crypto";
import { loadCore } from "twinwrap/core";
import { expect, test } from "vitest";
import { AesCore } from "#build/core/aes-core.js";
import { Instance } from "#build/core/instance.js";

test("more keys than slots, with short messages and long ones: nothing stays of any", async () => {
  const instance = await Instance.create((await loadCore()).module);
  const core = new AesCore(instance);
  const [slots, size] = [instance.constant("KEY_SLOTS"), instance.constant("KEY_SLOT_SIZE")];
  const memory = new Uint8Array(instance.input.buffer, instance.constant("KEYS"), slots * size);
  for (let round = 0; round < 3; round++) {
    // Each key takes the slot of an older one, whose tables are longer or shorter than its own.
    const keys = Array.from({ length: 3 * slots }, () => core.aesGcm(randomBytes(32)));
    for (const [i, key] of keys.entries()) {
      const long = (i + round) % 3 === 0;
      key.encrypt(randomBytes(12), randomBytes(long ? 40_000 : 10));
    }
    for (const key of keys) key.dispose();
    expect(memory.some((byte) => byte !== 0)).toBe(false);
  }
});
