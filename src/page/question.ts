import { equalBytes, toHex } from "../bytes.js";
import {
  countsVeto,
  fileOf,
  type GivenFile,
  ownersOf,
  type Question,
  type Standing,
} from "../client/officer.js";
import type { Core } from "../core/index.js";
import { formatSerial } from "../envelope/index.js";
import { isProven, recipientFingerprint, sayId } from "../escrow/index.js";
import { safe } from "../text.js";
import { card, cards, details, facts, make, moment, withMoments } from "./dom.js";
import { overOf, standOf } from "./standing.js";
import { TEXTS } from "./texts.js";

// A request as an officer has to see it.

const { officers: words } = TEXTS;
type Row = readonly [string, Node | string];

/** What is decided already, as far as the authority could be asked. */
function standingRows(standing: Standing): Row[] {
  const { decision, vetoes, notBefore, received } = standing;
  const { approving, denying } = decision.count;
  const word = (name: string, { officer, approval }: (typeof approving)[0]): Row => [
    name,
    safe(`${officer.name}: ${approval.identity}`),
  ];
  const waits = notBefore > received ? [[words.waits, moment(notBefore)] as Row] : [];
  return [
    [words.received, moment(received)],
    ...waits,
    ...approving.map((one) => word(words.approvedBy, one)),
    ...denying.map((one) => word(words.deniedBy, one)),
    ...vetoes.map((owner): Row => [words.vetoedBy, safe(owner)]),
    [words.state, withMoments(standsText(standing))],
  ];
}

/** Where a request stands, in words for officers. */
export function standsText(standing: Standing): string {
  const { state, have, need, until } = standOf(standing);
  const say: (have: number, need: number, until: string) => string = words.stands[state];
  return say(have, need, until);
}

/** Whose records they are, and who of them can veto. */
function ownersText(question: Question | Standing): string {
  const isStanding = "enrolled" in question;
  const { owners, able } = isStanding
    ? ownersOf(question)
    : {
        owners: [...new Set(question.records.map(({ record }) => record.owner))],
        able: [],
      };
  if (owners.length === 0) return words.ownersUnknown;
  const one = (owner: string) =>
    able.includes(owner) ? `${safe(owner)} (${words.vetoAble})` : safe(owner);
  return owners.map(one).join(", ");
}

/** What to think of before a signature. */
function warnings(question: Question | Standing): string[] {
  const { request, records, policy } = question;
  const vetoes =
    "vetoes" in question ? question.vetoes.filter((owner) => countsVeto(question, owner)) : [];
  const unproven = records.filter(({ record }) => !isProven(record)).length;
  const unopened = records.filter(({ status }) => status === "unverified").length;
  return [
    ...(vetoes.length === 0
      ? []
      : [words.vetoNow(vetoes.map((owner) => safe(owner)).join(", "), policy.emergency)]),
    ...(unproven === 0 ? [] : [words.unproven(unproven)]),
    ...(unopened === 0 ? [] : [words.neverOpened(unopened)]),
    words.otherOwners(safe(request.requester)),
  ];
}

function recordRows(hash: Uint8Array, { records }: Question, files: readonly GivenFile[]): Row[] {
  const known = records.find((one) => equalBytes(one.hash, hash));
  const name: Row = [words.record, make("code", { class: "print" }, toHex(hash))];
  if (known === undefined) return [name, [words.description, words.unknownRecord]];
  const { record, status } = known;
  const file = fileOf(known, files)?.header.name;
  const told = (title: string, text: string | undefined): Row[] =>
    text === undefined ? [] : [[title, safe(text)]];
  return [
    ...told(words.fileName, file),
    ...told(words.description, record.description),
    ...told(words.label, record.blob?.label),
    [words.owner, safe(record.owner)],
    [words.created, moment(record.created)],
    ...told(words.status, status && words.statuses[status]),
    [words.serial, make("code", {}, formatSerial(record.serial))],
    name,
  ];
}

/** Everything that an officer has to know before they sign. */
export function questionView(
  core: Core,
  question: Question | Standing,
  files: readonly GivenFile[],
): Node {
  const { id, request, policy } = question;
  const { number, release, officers } = policy;
  const over = overOf(question);
  return make(
    "div",
    { class: "question" },
    make("p", { class: "verdict yes" }, words.isRequest),
    over && make("p", { class: "verdict no" }, words.over[over]),
    facts([
      [words.requester, make("b", {}, safe(request.requester))],
      [words.requestNumber, make("code", {}, sayId(id))],
      [words.owners, ownersText(question)],
      [words.records, words.recordsTitle(request.records.length)],
      [words.policy, words.policyText(number, release, officers.length)],
      ...("decision" in question ? standingRows(question) : []),
      [words.expires, moment(request.expires)],
    ]),
    make(
      "ul",
      { class: "beware", "aria-label": words.beware },
      ...warnings(question).map((text) => make("li", {}, text)),
    ),
    cards(...request.records.map((hash) => card(recordRows(hash, question, files)))),
    details(
      facts([
        [
          words.recipient,
          make("code", { class: "print" }, toHex(recipientFingerprint(core, request))),
        ],
      ]),
    ),
  );
}
