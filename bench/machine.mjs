// What a result depends on, and nothing that names the machine or its user.
import { readFileSync } from "node:fs";
import { arch, cpus, loadavg, totalmem, type } from "node:os";

function system() {
  try {
    const release = readFileSync("/etc/os-release", "utf8");
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(release)?.[1] ?? type();
  } catch {
    return type();
  }
}

export function machineFacts() {
  const [first] = cpus();
  return {
    cpu: first?.model.trim() ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: system(),
    arch: arch(),
    node: process.versions.node,
    v8: process.versions.v8,
    openssl: process.versions.openssl,
  };
}

/** What others and we asked of the machine in the last minute; over its cores, times are not its own. */
export const load = () => Math.round(loadavg()[0] * 10) / 10;

/** A short word for the kind of processor. */
function kind(cpu) {
  const known = /xeon|epyc|ryzen|core|apple m\d+|graviton|neoverse|ampere|celeron|pentium/i.exec(
    cpu,
  );
  return (known?.[0] ?? cpu)
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 20);
}

/** The name of a result's files: 2026-11-25-node20-xeon-2c, or with a browser in the place of Node. */
export function resultName(date, { cpu, cores, node, browser }) {
  const engine = browser?.toLowerCase().replace(" ", "") ?? `node${node.split(".")[0]}`;
  return `${date.slice(0, 10)}-${engine}-${kind(cpu)}-${cores}c`;
}
