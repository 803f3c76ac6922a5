import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll } from "vitest";
import type { Wine } from "./wine.js";

// What a live run has done, kept for those who have no Wine: TWINWRAP_CAPTURE=1 npm run test:capi.

const path = (name: string) => fileURLToPath(new URL(`vectors/${name}.json`, import.meta.url));

/** Buffers as {"base64": …}: a text could not be told from one. */
function pack(_: string, value: unknown): unknown {
  const buffer = value as { type?: string; data?: number[] } | null;
  if (typeof buffer !== "object" || buffer?.type !== "Buffer") return value;
  return { base64: Buffer.from(buffer.data!).toString("base64") };
}

function unpack(_: string, value: unknown): unknown {
  const packed = value as { base64?: string } | null;
  if (typeof packed !== "object" || packed?.base64 === undefined) return value;
  return Buffer.from(packed.base64, "base64");
}

/**
 * Collects the cases of one test file.
 * @returns what takes a case; at the end they are written to vectors/NAME.json, if that was asked for
 */
export function capture<Case>(name: string, wine: Wine | undefined): (one: Case) => void {
  const cases: Case[] = [];
  afterAll(() => {
    if (!process.env.TWINWRAP_CAPTURE || wine === undefined) return;
    mkdirSync(new URL("vectors", import.meta.url), { recursive: true });
    const about = {
      what: `Captured by test/capi/${name}.live.ts from a CryptoAPI program (test/capi/driver.c, PROV_RSA_AES) under ${wine.version}. Test keys, made for this.`,
      licence: "Apache-2.0, as all of Twinwrap",
    };
    const lines = cases.map((one) => JSON.stringify(one, pack));
    const head = JSON.stringify(about, null, 1).slice(0, -2);
    writeFileSync(path(name), `${head},\n "cases": [\n${lines.join(",\n")}\n ]\n}\n`);
  });
  return (one) => cases.push(one);
}

/** The cases of vectors/NAME.json. */
export function captured<Case>(name: string): Case[] {
  return JSON.parse(readFileSync(path(name), "utf8"), unpack).cases;
}
