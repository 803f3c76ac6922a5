import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  decodeRelease,
  encodeRequest,
  formatPolicy,
  signNote,
  writeControlPublicKey,
} from "twinwrap/escrow";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { describe as describeService } from "#build/http/describe.js";
import { ROUTES } from "#build/http/routes.js";
import type { Office, TestFile } from "../authority/office.js";
import { newSigner } from "../escrow/signers.js";
import { isQuick } from "../quick.js";
import { endProcesses, ServeProcess } from "./process.js";
import { bodyOf, hex, tokenFor, useOpenOffices } from "./served.js";

// The document that describes the service: it is what the routes say, and strangers can follow its examples.

interface Operation {
  "x-codeSamples": { lang: string; source: string }[];
  summary: string;
  responses: Record<string, unknown>;
}
const committed = JSON.parse(
  readFileSync(new URL("../../docs/openapi.json", import.meta.url), "utf8"),
) as { paths: Record<string, Record<string, Operation>> };

test("is the one that the routes make: node .tools/openapi.mjs writes it", async () => {
  expect(committed).toEqual(JSON.parse(JSON.stringify(await describeService())));
});

test("has every route, and says of each what it takes and how it fails", () => {
  const all = Object.entries(committed.paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  const routes = ROUTES.map(({ method, url }) => {
    const path = url.replace(/\*$/, ":tile").replace(/:(\w+)/g, "{$1}");
    return `${method} ${path}`;
  });
  expect(all.sort()).toEqual(routes.sort());
  for (const methods of Object.values(committed.paths)) {
    for (const { summary, responses } of Object.values(methods)) {
      expect(summary).not.toBe("");
      expect(JSON.stringify(responses.default)).toContain("application/problem+json");
    }
  }
});

const office = useOpenOffices();
afterAll(endProcesses);

const TOOLS = { Shell: ["curl", "bash", "-c"], Python: ["python3", "python3", "-c"] } as const;
for (const [lang, [tool, ...command]] of Object.entries(TOOLS)) {
  const isHere = spawnSync(tool, ["--version"]).status === 0;
  if (!isHere) console.warn(`skipped, since ${tool} is not installed: the examples in ${lang}`);
  // One of them shows in `npm test` that they can be followed; the long test follows both.
  const isLater = isQuick && lang !== "Shell";
  describe.skipIf(!isHere || isLater)(`by its examples for ${tool}, a stranger`, () => {
    let one: Office;
    let file: TestFile;
    let env: Record<string, string>;
    let folder: string;
    beforeAll(async () => {
      one = await office();
      file = await one.file();
      folder = join(one.folder, "..", "stranger");
      mkdirSync(folder);
      const serve = new ServeProcess(one.folder, ["--listen", "127.0.0.1:0"]);
      const scopes = ["submit", "recover", "read", "officer", "admin"] as const;
      const token = await tokenFor(one, [...scopes]);
      env = { URL: await serve.at(), TOKEN: token, HASH: hex(file.record) };
    });
    const put = (name: string, content: string | Uint8Array) =>
      writeFileSync(join(folder, name), content);
    /** Does what the document says, as it stands there. */
    function follow(method: "get" | "post", path: string): Buffer {
      const samples = committed.paths[path]![method]!["x-codeSamples"];
      const { source } = samples.find((sample) => sample.lang === lang)!;
      const [program, ...options] = command as [string, ...string[]];
      const { status, stdout, stderr } = spawnSync(program, [...options, source], {
        cwd: folder,
        env: { PATH: process.env.PATH!, ...env },
      });
      expect([path, status, status === 0 ? "" : `${stderr}${stdout}`]).toEqual([path, 0, ""]);
      return stdout;
    }
    const json = (...of: Parameters<typeof follow>) => JSON.parse(follow(...of).toString());

    test("hands in, asks, decides, releases, and reads all there is", async () => {
      expect(json("get", "/v1/authority").identities).toHaveLength(1);
      expect(follow("get", "/healthz").toString()).toBe("alive\n");
      expect(follow("get", "/readyz").toString()).toBe("ready\n");
      put("submission.json", bodyOf(file));
      expect(json("post", "/v1/records").status).toBe(201);
      expect(json("get", "/v1/records").rows).toHaveLength(1);
      expect(json("get", "/v1/records/{hash}").status).toBe("verified");
      expect(json("get", "/v1/records/{hash}/receipt").leaf).toMatch(/type verified/);
      const request = one.request([file]);
      put("request.json", encodeRequest(request));
      expect(json("post", "/v1/requests").status).toBe("open");
      const [{ id }] = json("get", "/v1/requests").rows;
      env.ID = id;
      expect(json("get", "/v1/requests/{id}").approvals).toEqual([]);
      expect(json("get", "/v1/requests/{id}/release").for).toBe("approvals");
      for (const name of ["ann", "bob"]) {
        put("approval.txt", await one.word(name, request));
        json("post", "/v1/requests/{id}/notes");
      }
      const release = follow("post", "/v1/requests/{id}/release");
      expect(decodeRelease(release).releases).toHaveLength(1);
      expect(follow("get", "/v1/requests/{id}/release").equals(release)).toBe(true);
      const next = { ...(await one.policy()), number: 2, previous: await one.newest(), waiting: 9 };
      put(
        "policy.txt",
        await signNote(one.service.core, formatPolicy(next), one.officers.get("ann")!),
      );
      expect(follow("post", "/v1/policy/notes").toString()).toMatch(/number 2|policy/);
      expect(json("get", "/v1/policy").policies).toHaveLength(2);
      put("control.pub.pem", writeControlPublicKey(newSigner("olivia").publicKey));
      expect(json("post", "/v1/enrolments").owner).toBe("olivia");
      expect(follow("get", "/log/{log}/checkpoint").toString()).toContain(
        one.service.authority.origin,
      );
      const [leaf] = await one.leaves();
      const tile = follow("get", "/log/{log}/tile/{tile}");
      expect(tile.subarray(2).toString()).toBe(leaf);
    });
  });
}
