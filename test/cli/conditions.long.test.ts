import { amend } from "twinwrap";
import { afterAll, expect, test } from "vitest";
import { haveSqlite } from "../sqlite.js";
import { Sandbox } from "./run.js";
import "./conditions.test.js";

const sandbox = new Sandbox();
for (const name of ["alice", "bob"]) sandbox.keyPair(name);
afterAll(() => sandbox.remove());

test("a header whose escrows were taken out: the submission that was kept, or the store, is enough", async ({
  skip,
}) => {
  skip(!haveSqlite, "needs better-sqlite3");
  const run = async (line: string) => {
    const { stdout, stderr, code } = await sandbox.shell(line);
    expect({ line, stderr, code }).toEqual({ line, stderr: "", code: 0 });
    return stdout;
  };
  await run("twinwrap officer keygen -o ann.pem --no-passphrase");
  await run("twinwrap authority init office --no-passphrase --officer a/nn=ann.pub.pem");
  await run("twinwrap authority policy sign -k ann.pem --yes --authority office");
  await run("cp office/authority.json . && echo kept > kept");
  await run(
    "twinwrap encrypt kept --owner alice.pub.pem --owner-id alice --authority authority.json",
  );
  await run("mv kept.twin.*.submission.json kept.json");
  await run("twinwrap authority intake kept.json --authority office");
  const file = Buffer.from(sandbox.read("kept.twin"));
  const { patch } = await amend(file, () => ({ escrows: [] }));
  file.set(patch.bytes, patch.offset);
  sandbox.write("kept.twin", file);
  const REQUEST = "twinwrap recover request --to bob.pub.pem --requester Alice kept.twin";
  expect((await sandbox.shell(`${REQUEST} --authority authority.json`)).stderr).toMatch(
    /kept.twin: it is not escrowed with/,
  );
  await run(`${REQUEST} --authority office -o stored.json`);
  await run(`${REQUEST} --authority authority.json --submission kept.json -o request.json`);
  const [id] = (await run("twinwrap authority intake request.json --authority office")).match(
    /[a-z2-7]{26}/,
  )!;
  // The officer's name is no path.
  const approve = `twinwrap authority approve ${id} -k ann.pem --identity x --yes`;
  await run(`${approve} --authority authority.json --request request.json`);
  await run(`twinwrap authority intake ${id}.a_nn.approval --authority office`);
  await run(`twinwrap authority release ${id} --authority office -o release.json`);
  const FETCH = "twinwrap recover fetch --release release.json kept.twin -k bob.pem";
  expect((await sandbox.shell(`${FETCH} --authority authority.json`)).stderr).toMatch(
    /kept.twin: the release has nothing for this file/,
  );
  await run(
    `cp kept.twin by-store.twin && ${FETCH} --authority authority.json --submission kept.json`,
  );
  expect(await run("twinwrap decrypt kept.twin -k bob.pem -o -")).toBe("kept\n");
  await run(`twinwrap recover fetch ${id} by-store.twin -k bob.pem --authority office`);
});
