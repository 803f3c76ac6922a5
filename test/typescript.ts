// Projects in TypeScript that have installed the package, as various as they come.
import { spawnSync } from "node:child_process";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { FOR_NODE, FOR_PAGES, WITH_FILES } from "./readme-examples.js";

const root = fileURLToPath(new URL("..", import.meta.url));

/** What such a project does: it takes from every door, and says which types it gets. */
const USE = `
import { type Header, inspect, open, seal, sealFile, TwinwrapError } from "twinwrap";
import { loadAes } from "twinwrap/aes";
import { decodeBlob } from "twinwrap/blob";
import { type Connected, connectAuthority } from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import { amend } from "twinwrap/envelope";
import { parsePolicy } from "twinwrap/escrow";
import { readPrivateKey, type RsaPrivateKey } from "twinwrap/keys";
import { save } from "twinwrap/web";
const core = await loadCore();
const hash: Uint8Array = core.sha256(new Uint8Array(1));
const header: Promise<Header> = inspect(hash);
const key: RsaPrivateKey = await readPrivateKey(hash, { passphrase: "horse" });
const sealed = await seal(hash, { to: [key] });
const bytes: Uint8Array = await sealed.bytes();
for await (const piece of await open(bytes, { key, engine: "webcrypto" })) {
  const length: number = piece.length;
}
const connected: Promise<Connected> = connectAuthority(core, bytes, { patience: 1000 });
const written: Promise<Header> = sealFile("a", "b", { to: [key], jobs: 2 });
const code: string = new TwinwrapError("BAD_ARGUMENT", "no").code;
// @ts-expect-error a file is sealed for somebody
seal(hash, {});
// @ts-expect-error a hash is no text
const text: string = core.sha256(hash);
export { amend, code, connected, decodeBlob, header, loadAes, parsePolicy, save, text, written };
`;

/** What it does where it has the DOM, or Node's types: the platform's own go in and come out. */
const WITH_PLATFORM = `
import { open, seal } from "twinwrap";
import { connectAuthority } from "twinwrap/client";
import { loadCore } from "twinwrap/core";
import type { RsaPrivateKey } from "twinwrap/keys";
export async function reach(file: Uint8Array, signal: AbortSignal): Promise<string> {
  const { authority } = await connectAuthority(await loadCore(), file, { fetch, signal });
  return authority.origin;
}
export async function again(key: RsaPrivateKey, signal: AbortSignal): Promise<ReadableStream<Uint8Array>> {
  const blob: Blob = await (await seal(new Blob(["text"]), { to: [key], signal })).blob();
  return (await open(blob, { key })).stream();
}
`;

/** And where it has the DOM's: WebCrypto's keys go in, and bytes that come out fit into a Blob. */
const WITH_DOM = `
import {
  encodeSimpleBlob,
  fingerprint,
  inspect,
  inspectHead,
  open,
  type Padding,
  readPrivateKey,
  readPublicKey,
  type RsaPublicKey,
  seal,
  writePrivateKey,
  writePublicKey,
} from "twinwrap";
export async function given(jwk: JsonWebKey, key: CryptoKey, pem: string): Promise<unknown> {
  const { n }: RsaPublicKey = await readPublicKey(key);
  await readPrivateKey(jwk);
  const sealed = await seal(n, { to: [jwk, pem, key, { key: jwk, padding: "oaep" }] });
  return (await open(await sealed.bytes(), { key: [key, jwk, pem] })).json();
}
export async function blobs(key: RsaPublicKey, file: Blob): Promise<Blob> {
  const { serial, hash } = await inspect(file);
  const { body } = await inspectHead(file);
  const blob = encodeSimpleBlob({ aiKeyAlg: 26128, encryptedKey: hash });
  const written = [writePublicKey(key, "der"), await writePrivateKey(await readPrivateKey(blob), "pem")];
  const parts = [serial, hash, body.salt, body.commitment];
  return new Blob([...parts, blob, await fingerprint(key), ...written]);
}
export async function maybe(key: RsaPublicKey, padding?: Padding, passphrase?: string): Promise<unknown> {
  await readPrivateKey("text", { passphrase });
  return seal(new Blob([]), { to: [{ key, padding }], padding, name: undefined, signal: undefined });
}
`;

/** And where it has Node's types. */
const WITH_NODE = `
import { createPrivateKey, type KeyObject, type webcrypto } from "node:crypto";
import { open, readPublicKey, seal, type RsaPublicKey } from "twinwrap";
import { type EmbeddedAuthority, initAuthority, openAuthority } from "twinwrap/authority";
export async function embed(key: Uint8Array, shareKey: RsaPublicKey): Promise<EmbeddedAuthority> {
  await initAuthority("backup", { officers: [{ name: "ann", publicKey: key, shareKey }], quorum: 1 });
  return openAuthority("backup", { openers: 2 });
}
export async function given(file: Buffer, key: KeyObject, web: webcrypto.CryptoKey): Promise<string> {
  const read: RsaPublicKey = readPublicKey(key.export({ format: "jwk" }));
  const sealed = await seal(file, { to: [createPrivateKey(file), key, web, read] });
  return (await open(await sealed.bytes(), { key: key.export({ format: "pem", type: "pkcs8" }) })).text();
}
// @ts-expect-error a number is no key
seal(Buffer.alloc(1), { to: [5] });
// @ts-expect-error a promise is none either
seal(Buffer.alloc(1), { to: [Promise.resolve("text")] });
`;

/** What works on one side only is there on both, by one set of types; without the DOM a Blob is as good as any. */
const ON_BOTH_SIDES = `
import { open, openFile, type SavedBy, save, seal, sealFile } from "twinwrap";
import * as web from "twinwrap/web";
import type { RsaPrivateKey } from "twinwrap/keys";
export const saved = (file: Uint8Array, to: RsaPrivateKey): Promise<SavedBy> =>
  save(seal(file, { to: [to] }), { name: "report.pdf" });
export const same: typeof import("twinwrap") = web;
export { open, openFile, sealFile };
`;

const MODULES = {
  NodeNext: { module: "NodeNext" },
  Node16: { module: "Node16" },
  bundler: { module: "ESNext", moduleResolution: "bundler" },
};

export interface Project {
  module: keyof typeof MODULES;
  /** Whether it has the DOM's types. */
  dom: boolean;
  /** Whether it has @types/node. */
  node: boolean;
  /** Whether it has CommonJS too, which TypeScript lets require ES modules from 5.8 on. */
  require?: boolean;
}

/** One of each kind that the README names. */
export const PROJECTS: Project[] = [
  { module: "NodeNext", dom: false, node: false },
  { module: "NodeNext", dom: false, node: true },
  { module: "Node16", dom: true, node: true },
  { module: "bundler", dom: true, node: false },
];

/**
 * Makes a project in a folder and compiles it, declarations included.
 * @param tsc the compiler's program
 * @param twinwrap where the package is
 * @returns the compiler's messages; none if all is well
 */
export function compileProject(
  folder: string,
  tsc: string,
  { module, dom, node, require }: Project,
  twinwrap = root,
): string {
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@types"), { recursive: true });
  for (const [name, target] of [
    ["twinwrap", twinwrap],
    ["@types/node", join(root, "node_modules/@types/node")],
    ["undici-types", join(root, "node_modules/undici-types")],
  ] as const) {
    symlinkSync(target, join(modules, name));
  }
  writeFileSync(join(folder, "package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "use.ts"), USE);
  writeFileSync(join(folder, "platform.ts"), WITH_PLATFORM);
  writeFileSync(join(folder, "both.ts"), ON_BOTH_SIDES);
  writeFileSync(join(folder, "required.cts"), 'import { seal } from "twinwrap";\nexport = seal;\n');
  writeFileSync(join(folder, "node.ts"), WITH_NODE);
  writeFileSync(join(folder, "dom.ts"), WITH_DOM);
  writeFileSync(join(folder, "twinwrap.d.ts"), 'export * from "twinwrap/web";\n'); // as a page has it beside it
  const compilerOptions = {
    ...MODULES[module],
    target: "ES2022",
    lib: dom ? ["ES2022", "DOM"] : ["ES2022"],
    types: node ? ["node"] : [],
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
  };
  const files = ["use.ts", "both.ts"];
  if (dom || node) files.push("platform.ts");
  if (node) files.push("node.ts");
  if (require) files.push("required.cts");
  if (dom) files.push("dom.ts");
  const { bundled, plain, scripts } = FOR_PAGES;
  const examples = [
    ...(node ? [...FOR_NODE, ...WITH_FILES] : []),
    ...(dom ? [...bundled, ...plain, ...scripts] : []),
  ];
  for (const [index, code] of examples.entries()) {
    writeFileSync(join(folder, `readme-${index}.ts`), code);
    files.push(`readme-${index}.ts`);
  }
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, files }));
  const { stdout, stderr } = spawnSync(process.execPath, [tsc], { cwd: folder, encoding: "utf8" });
  return stdout + stderr;
}
