// The body in a page: it fetches what it needs, and posts what came of it.
import * as library from "twinwrap";
import { loadAes } from "twinwrap/aes";
import { connectAuthority } from "twinwrap/client";
import * as escrow from "twinwrap/escrow";
import { run } from "./body.js";

const tell = (body: unknown) =>
  fetch("/report", { method: "POST", body: JSON.stringify(body) }).then(() => undefined);

fetch("/material.json")
  .then(async (material) =>
    run({
      library,
      loadAes,
      escrow,
      connectAuthority,
      material: await material.json(),
      readWasm: async (name) => new Uint8Array(await (await fetch(`/${name}`)).arrayBuffer()),
    }),
  )
  .then(tell, (error) => tell({ error: `${error}\n${error?.stack}` }));
