import { formatNumber, formatSize, inUnit } from "../bench/numbers.js";
import { linePlot } from "../bench/plot.js";
import { hasRelaxedSimd, useWasm } from "../core/index.js";
import { buildId } from "../envelope/build-id.js";
import { generateKeyPair } from "../keys/index.js";
import { browserName } from "./browser-name.js";
import {
  type Comparison,
  compare,
  fasterFrom,
  type Operation,
  SETTINGS,
  type Settings,
} from "./compare.js";
import type { Pair } from "./contenders.js";
import { download, find, make } from "./dom.js";
import { TEXTS } from "./texts.js";
import { complaintOf } from "./words.js";

const { bench: words } = TEXTS;

const VERSION = buildId.split(" ")[0]!;
const DASHES = ["", "dash-1", "dash-2"];

/** Says from which size on WebCrypto is faster here. */
export function verdict(operation: Operation, ours: string, other: string): string {
  if (operation.cells[other] === undefined) return words.noWebCrypto;
  const from = fasterFrom(operation, ours, other);
  const name = operation.title;
  if (from === undefined) return words.never(name);
  return from === operation.sizes[0] ? words.always(name) : words.from(name, formatSize(from));
}

/** The contenders that stand for us and for WebCrypto in an operation. */
export function rivals({ id }: Operation): [ours: string, other: string] {
  return id === "gcm256"
    ? ["Twinwrap", "WebCrypto"]
    : ["Twinwrap, auto, pool of 2", "WebCrypto alone"];
}

/** A plot. On a narrow screen it scrolls, also by keyboard: if it shrank, nobody could read it. */
const scrolling = (label: string, content: Node) =>
  make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": label }, content);

function plot(operation: Operation, comparison: Comparison): Node {
  const { title, unit, sizes, cells } = operation;
  const seen = new Map<string, number>();
  const lines = comparison.peers.flatMap(({ name, family }) => {
    const row = cells[name];
    if (row === undefined) return [];
    const count = seen.get(family) ?? 0;
    seen.set(family, count + 1);
    const points = sizes.flatMap((size): [number, number][] => {
      const cell = row[size];
      return cell && "median" in cell ? [[size, inUnit(unit, size, cell.median)]] : [];
    });
    return [{ name, colour: `c-${family}`, dash: DASHES[count % DASHES.length]!, points }];
  });
  const from = fasterFrom(operation, ...rivals(operation));
  const mark = from === undefined ? undefined : { size: from, text: words.mark(formatSize(from)) };
  const text = linePlot({ title: words.median(title), unit, lines, mark });
  // It is parsed as an image. No HTML is made from text, and scripts in it would not run.
  const svg = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  return scrolling(words.plot(title), document.adoptNode(svg));
}

function table({ title, unit, sizes, cells }: Operation): Node {
  const text = (size: number, cell: Operation["cells"][string][number] | undefined) => {
    if (cell === undefined) return "–";
    if ("tooSlow" in cell) return words.slow;
    return [cell.best, cell.median].map((it) => formatNumber(inUnit(unit, size, it))).join(" / ");
  };
  const head = [words.who, ...sizes.map(formatSize)].map((cell) =>
    make("th", { scope: "col" }, cell),
  );
  const rows = Object.entries(cells).map(([name, row]) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name),
      ...sizes.map((size) => make("td", {}, text(size, row[size]))),
    ),
  );
  return scrolling(
    words.numbers(title),
    make(
      "table",
      {},
      make("caption", {}, words.caption(unit)),
      make("thead", {}, make("tr", {}, ...head)),
      make("tbody", {}, ...rows),
    ),
  );
}

/** What a page can know about the visitor's machine. */
function machine() {
  const { userAgent, hardwareConcurrency: cores } = navigator;
  return {
    browser: browserName(navigator as unknown as Parameters<typeof browserName>[0]),
    cores,
    userAgent,
  };
}

/** What is saved, in the form of `npm run bench`, without goals and without what a page cannot know. */
function report({ peers, operations }: Comparison, { rounds }: Settings) {
  return {
    date: new Date().toISOString(),
    version: VERSION,
    quick: false,
    rounds,
    machine: machine(),
    peers,
    operations,
  };
}

function show(comparison: Comparison, settings: Settings): void {
  find("#results").replaceChildren(
    ...comparison.operations.map((operation) =>
      make(
        "section",
        {},
        make("h2", {}, operation.title),
        make("p", { class: "verdict" }, verdict(operation, ...rivals(operation))),
        plot(operation, comparison),
        table(operation),
      ),
    ),
    make(
      "button",
      {
        type: "button",
        onclick: () => {
          const json = JSON.stringify(report(comparison, settings), null, 1);
          download("twinwrap-bench.json", new TextEncoder().encode(`${json}\n`));
        },
      },
      words.save,
    ),
  );
}

/** Files are sealed for a new key. Without https there is none: then for a number that is nobody's key. */
async function makePair(): Promise<Pair> {
  if (globalThis.crypto.subtle !== undefined) return generateKeyPair({ bits: 2048 });
  // Only sealing is timed, and any odd number of 2048 bits can be wrapped for.
  const n = crypto.getRandomValues(new Uint8Array(256));
  n[0]! |= 0x80;
  n[255]! |= 1;
  return { publicKey: { n, e: Uint8Array.of(1, 0, 1) } };
}

/** Runs the comparison and shows it: for the button, and for programs that drive the page. */
export async function run(settings: Settings = SETTINGS): Promise<Comparison> {
  const [start, cancel, bar, status] = ["#start", "#cancel", "#bar", "#status"].map((id) =>
    find(id),
  ) as [HTMLButtonElement, HTMLButtonElement, HTMLProgressElement, HTMLElement];
  const controller = new AbortController();
  const stop = () => controller.abort();
  cancel.addEventListener("click", stop);
  start.hidden = true;
  cancel.hidden = false;
  bar.hidden = false;
  try {
    const { peers, operations } = await compare(settings, {
      hasRelaxed: hasRelaxedSimd(),
      pair: await makePair(),
      signal: controller.signal,
      onSize(title, size, done) {
        bar.value = done;
        status.textContent = `${title}, ${formatSize(size)}`;
      },
    });
    const versions: Record<string, string> = {
      twinwrap: VERSION,
      webcrypto: machine().browser,
    };
    const comparison = {
      operations,
      peers: peers.map((peer) => {
        const version = versions[peer.family];
        return version === undefined ? peer : { ...peer, version };
      }),
    };
    status.textContent = words.done;
    show(comparison, settings);
    return comparison;
  } catch (error) {
    status.textContent = controller.signal.aborted ? words.stopped : complaintOf(error).what;
    throw error;
  } finally {
    cancel.removeEventListener("click", stop);
    start.hidden = false;
    cancel.hidden = true;
    bar.hidden = true;
  }
}

useWasm(new URL("core.wasm", document.baseURI));
const { browser, cores, userAgent } = machine();
find("#machine").textContent = words.machine(browser, cores, userAgent);
find("#start").addEventListener("click", () => void run().catch(() => {}));
Object.assign(globalThis, { runBench: run });
