import { shownStatus } from "../client/officer.js";
import { type ReadRecord, readStored } from "../client/party.js";
import {
  type PolicyChange,
  type PolicyState,
  policyChanges,
  policyStates,
} from "../client/policy.js";
import type { Sight } from "../client/watch.js";
import { formatSerial } from "../envelope/index.js";
import { notVerified } from "../errors.js";
import type {
  AuthorityClient,
  Page,
  PageOptions,
  Policy,
  RecordQuery,
  RequestSummary,
  StoredRecord,
} from "../escrow/index.js";
import { parseTime } from "../jcs.js";
import { safe } from "../text.js";
import { chosenAuthority } from "./choices.js";
import {
  card,
  cards,
  facts,
  find,
  make,
  moment,
  table,
  tableRow,
  toned,
  withMoments,
} from "./dom.js";
import { growing, inParts, type Part } from "./growing.js";
import { reachNow } from "./link.js";
import type { TabAuthority } from "./tab-authority.js";
import { TEXTS } from "./texts.js";
import { PageError } from "./words.js";
import { type Doing, onSubmit } from "./work.js";

// What an authority has, for officers and auditors: requests, records, policies, its log.

const { look: words, officers: names } = TEXTS;
type Row = readonly [string, Node | string];
/** Items of a list at most, until more are asked for. */
const SHOWN = 50;

/** The client, where there is one. @throws PageError */
function clientOf({ client }: TabAuthority) {
  if (client !== undefined) return client;
  throw new PageError(words.byFiles);
}

/** A part of a list that the service gives page by page. */
async function partOf<Item>(
  one: TabAuthority,
  read: (client: AuthorityClient, page: PageOptions) => Promise<Page<Item>>,
  show: (item: Item) => HTMLElement,
  cursor?: string,
): Promise<Part> {
  const { rows, next } = await read(clientOf(one), { limit: SHOWN, cursor });
  // Nobody has to show what they did not ask for.
  if (rows.length > SHOWN) throw notVerified(words.tooMany);
  const more = async () => {
    await reachNow(one);
    return partOf(one, read, show, next);
  };
  return { items: rows.map(show), more: next === undefined ? undefined : more };
}

const requestCard = (row: RequestSummary) =>
  card([
    [names.requester, safe(row.requester)],
    [names.requestNumber, make("code", {}, safe(row.id))],
    [names.state, words.requestStates[shownStatus(row)]],
    [names.records, words.fromCount(row.records)],
    [names.received, moment(row.received)],
    [names.expires, moment(row.expires)],
  ]);

async function requestsView(one: TabAuthority): Promise<Node> {
  const first = await partOf(one, (client, page) => client.requests({}, page), requestCard);
  const said = first.items.length === 0 ? words.noRequests : words.listWarning;
  return make("div", {}, make("p", { class: "hint" }, said), ...growing(cards(), first));
}

/** What is looked for: part of a text, or owner:ID. */
function queryIn(text: string): RecordQuery {
  const [, owner] = /^owner:\s*(.+)$/.exec(text) ?? [];
  if (owner !== undefined) return { owner };
  return text === "" ? {} : { text };
}

function recordRows({ record, status }: ReadRecord): Row[] {
  const { description, blob, owner, created, serial } = record;
  return [
    ...(description === undefined ? [] : [[names.description, safe(description)] as Row]),
    ...(blob?.label === undefined ? [] : [[names.label, safe(blob.label)] as Row]),
    [names.owner, safe(owner)],
    [names.status, names.statuses[status]],
    [names.created, moment(created)],
    [names.serial, make("code", {}, formatSerial(serial))],
  ];
}

async function recordsView(one: TabAuthority, text: string): Promise<Node> {
  const query = queryIn(text);
  const show = (stored: StoredRecord) => card(recordRows(readStored(one.core, stored)));
  const first = await partOf(one, (client, page) => client.records(query, page), show);
  const none = first.items.length === 0 ? make("p", {}, words.noRecords) : undefined;
  return make("div", {}, none, ...growing(cards(), first));
}

/** A waiting period as people say it. */
function waitText(seconds: number): string {
  if (seconds === 0) return words.noWait;
  const [unit, size] =
    seconds % 86_400 === 0
      ? [words.days, 86_400]
      : seconds % 3600 === 0
        ? [words.hours, 3600]
        : [words.seconds, 1];
  return words.policyWait(unit(seconds / size));
}

function policyRules({ release, change, emergency, waiting, officers }: Policy): Node[] {
  return [
    make("p", {}, words.policyRule(release, change, emergency, officers.length)),
    make("p", {}, waitText(waiting)),
    facts([[words.officers, officers.map(({ name }) => safe(name)).join(", ")]]),
  ];
}

function changesTable(changes: readonly PolicyChange[]): Node {
  const rows = changes.map(({ what, officer, before, after }) => [
    `${words.what[what] ?? what}${officer === undefined ? "" : ` ${safe(officer)}`}`,
    safe(before ?? words.nothing),
    safe(after ?? words.nothing),
  ]);
  const body = make("tbody", {}, ...rows.map((row) => tableRow(words.heads, row)));
  return table(words.changes, words.heads, body);
}

function policyView(one: TabAuthority, states: readonly PolicyState[], index: number): HTMLElement {
  const { policy, isDraft, signatures } = states[index]!;
  const before = states[index - 1]?.policy;
  const signers = signatures.officers.map((name) => safe(name)).join(", ") || words.nobody;
  const title = isDraft ? words.policyDraft(policy.number) : words.policyInForce(policy.number);
  return make(
    "section",
    {},
    make("h4", {}, title),
    ...policyRules(policy),
    make("p", {}, words.signedBy(signers, signatures.needed)),
    signatures.weaker.length === 0 ? undefined : make("p", { class: "warn-text" }, words.weaker),
    ...signatures.weaker.map((text) =>
      make("p", { class: "note" }, TEXTS.words.exactly(`${safe(text)}.`)),
    ),
    ...(before === undefined
      ? []
      : [make("p", {}, words.changes), changesTable(policyChanges(one.core, before, policy))]),
  );
}

async function policiesView(one: TabAuthority): Promise<Node> {
  if (one.link === undefined) {
    const policy = one.authority.policies.at(-1);
    if (policy === undefined) throw new PageError(words.byFiles);
    return make(
      "div",
      {},
      make("h4", {}, words.policyInForce(policy.number)),
      ...policyRules(policy),
    );
  }
  const states = await policyStates(one);
  // The one in force, and the drafts behind it.
  const last = Math.max(0, states.filter(({ isDraft }) => !isDraft).length - 1);
  const shown = states.map((_, index) => index).filter((index) => index >= last);
  return make("div", {}, ...shown.map((index) => policyView(one, states, index)));
}

function sightRow({ type, index, time, request, number, name }: Sight): HTMLElement {
  const when = time === undefined ? undefined : parseTime(time);
  const about = request ?? (number === undefined ? name : String(number));
  return tableRow(words.logHeads, [
    words.sights[type] ?? type,
    when === undefined ? words.nothing : moment(when),
    about === undefined ? words.nothing : make("code", {}, safe(about)),
    String(index ?? words.nothing),
  ]);
}

/** Whether the service answers, in its own words. Of a long answer the rest is not read. */
async function healthOf(url: URL): Promise<string> {
  try {
    const answer = await fetch(url, { signal: AbortSignal.timeout(10_000) });
    const reader = answer.body!.getReader();
    const { value } = await reader.read();
    await reader.cancel();
    return safe(new TextDecoder().decode(value).slice(0, 200).trim());
  } catch {
    return words.healthAway;
  }
}

/** Reads the whole log, and checks that it is what the authority signed. */
async function logView(one: TabAuthority, signal: AbortSignal): Promise<Node> {
  const { link, core, authority } = one;
  if (link === undefined) throw new PageError(words.byFiles);
  const [{ lookAtLog }, { checkUrl, HttpClient }] = await Promise.all([
    import("../client/watch.js"),
    import("../client/http.js"),
  ]);
  const { url, token } = link.connection;
  const files = new HttpClient(core, { url, token, signal });
  await files.file();
  const about = { authority, file: link.connection.authority };
  const [{ sights, leaves }, health] = await Promise.all([
    lookAtLog(core, about, files, undefined),
    healthOf(new URL("readyz", checkUrl(url))),
  ]);
  const alarms = sights.filter(({ alarm }) => alarm !== undefined);
  const events = sights.filter(({ alarm }) => alarm === undefined).reverse();
  const body = make("tbody");
  const result = make(
    "div",
    {},
    ...(alarms.length === 0 ? [] : [make("p", { class: "verdict no" }, words.logAlarm)]),
    ...alarms.flatMap(({ type, alarm }) => [
      make("p", { class: "problem" }, words.alarms[type] ?? type),
      make("p", { class: "note" }, withMoments(safe(TEXTS.words.exactly(alarm!)))),
    ]),
    make("p", {}, leaves === 0 ? words.logEmpty : words.logSize(leaves)),
    facts([[words.health, health], ...tokenRows(one)]),
    make("p", { class: "hint" }, words.newest),
    ...growing(body, inParts(events.map(sightRow), SHOWN), table(words.log, words.logHeads, body)),
  );
  return alarms.length === 0 ? result : toned("bad", result);
}

function tokenRows({ link }: TabAuthority): Row[] {
  const scopes = link?.token?.scopes;
  return scopes === undefined
    ? []
    : [
        [
          words.token,
          words.tokenFor(scopes.map((scope) => words.scopes[scope] ?? safe(scope)).join(", ")),
        ],
      ];
}

export function startLook(): void {
  const form = find<HTMLFormElement>("#look");
  onSubmit(form, find("#look-work"), async (button) => {
    const one = chosenAuthority(form);
    const text = String(new FormData(form).get("text")).trim();
    const views: Record<string, (signal: AbortSignal) => Promise<Node>> = {
      requests: () => requestsView(one),
      records: () => recordsView(one, text),
      policy: () => policiesView(one),
      log: (signal) => logView(one, signal),
    };
    const name = words[button as "requests" | "records" | "policy" | "log"] ?? words.records;
    const view = views[button] ?? views.records!;
    const run = async ({ signal }: Doing) => {
      await reachNow(one);
      return view(signal);
    };
    return [{ name, run }];
  });
}
