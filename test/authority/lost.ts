import { afterAll, expect, test } from "vitest";
import { readStorePlace } from "#build/authority/folder-store.js";
import { openPostgres } from "#build/authority/store/postgres.js";
import { LEAVES, runOn } from "./faults.js";
import { type Cut, CuttingProxy } from "./proxy.js";

// Every message to the server is lost once, or its answer: nobody who calls the authority notices.

const proxies: CuttingProxy[] = [];
afterAll(async () => {
  for (const proxy of proxies) await proxy.close();
});

async function run(at: number, how: Cut): Promise<{ proxy: CuttingProxy; leaves: string[] }> {
  let proxy: CuttingProxy | undefined;
  const { leaves } = await runOn(async ({ folder }) => {
    const place = (await readStorePlace(folder))!;
    const url = new URL(place.url);
    proxy = await CuttingProxy.to(Number(url.port));
    proxies.push(proxy);
    url.port = String(proxy.port);
    const store = await openPostgres({ ...place, url: url.href });
    proxy.cutAt(at, how);
    return store;
  });
  return { proxy: proxy!, leaves };
}

/** Some hundred messages, each with an authority of its own. */
const LONGEST = 4 * 3_600_000;

/** Makes the tests, of each `step`-th message. */
export function cutConnections(step: number): void {
  test.each<Cut>(["before", "after"])(
    `a connection may be lost at any message, ${"%s"} the server has heard it${step === 1 ? "" : `, one in ${step}`}`,
    async (how) => {
      let cuts = 0;
      let commits = 0;
      for (let at = 1; ; at += step) {
        const { proxy, leaves } = await run(at, how);
        expect(leaves, `message ${at}`).toEqual(LEAVES);
        if (!proxy.isCut) break;
        cuts++;
        if (/COMMIT$/.test(proxy.said[at - 1]!)) commits++;
      }
      expect(cuts * step).toBeGreaterThan(150);
      if (step === 1) expect(commits).toBeGreaterThan(10);
    },
    LONGEST,
  );
}
