// The peers compared. One that does not load stays in the list and says why.
import { existsSync, readFileSync } from "node:fs";

const FILES = [
  ...["twinwrap", "webcrypto", "node-crypto", "node-crypto-soft"],
  ...["noble", "forge", "stablelib", "asmcrypto"],
  ...["virgil", "transcend", "libsodium", "yardstick"],
];

function version(name) {
  const file = new URL(`node_modules/${name}/package.json`, import.meta.url);
  return existsSync(file) ? JSON.parse(readFileSync(file, "utf8")).version : undefined;
}

/** All peers; `offers` is what each can do, and `failure` why it can do nothing. */
export async function loadPeers() {
  const peers = [];
  for (const file of FILES) {
    const { default: variants } = await import(`./peers/${file}.mjs`);
    for (const peer of variants) {
      const loaded = { ...peer, version: peer.package && version(peer.package) };
      try {
        loaded.offers = await peer.load();
      } catch (error) {
        loaded.failure = `does not load: ${String(error.message ?? error).split("\n")[0]}`;
      }
      peers.push(loaded);
    }
  }
  return peers;
}
