import { isWellFormed, randomBytes, toBase64, toHex, wipe } from "../bytes.js";
import { TwinwrapError } from "../errors.js";
import { checkName } from "../escrow/names.js";
import { wholeSeconds } from "./log.js";
import type { Office } from "./office.js";
import { requirePolicy } from "./policies.js";
import type {
  Means,
  ReceiverRole,
  ReceiverRow,
  Store,
  StoreReads,
  StoreWrites,
} from "./store/store.js";

// Who is told of events, and where. Addresses stand beside the policy, not in it: they decide nothing.

/** Bytes of a webhook's secret. */
const SECRET = 32;
/** How the text of one begins, as Standard Webhooks has it. */
const PREFIX = "whsec_";
const MAX_URL = 2048;
const MAX_MAIL = 254;
/** Receivers of an authority at most, owners apart. */
const MAX_RECEIVERS = 256;
/** Plain parts of a name, @, and a host name: nothing in it is a sign of a mail's header. */
const MAIL =
  /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@(?:[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?\.)*[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/i;

/** Somebody who is told, without their secret. */
export type Receiver = Omit<ReceiverRow, "secret">;

export interface NewReceiver {
  /** Of an officer of the policy in force, or of an owner who is known here; undefined for an operator. */
  who?: { role: Exclude<ReceiverRole, "operator">; name: string } | undefined;
  means: Means;
  address: string;
}

function bad(message: string): TwinwrapError {
  return new TwinwrapError("BAD_ARGUMENT", message);
}

/** @returns the address as it is kept @throws TwinwrapError BAD_ARGUMENT */
export function checkMail(address: string): string {
  if (address.length <= MAX_MAIL && MAIL.test(address)) return address;
  throw bad("this is no mail address, such as ann@example.org: it takes plain ASCII alone");
}

/**
 * @returns the address as it is kept
 * @throws TwinwrapError BAD_ARGUMENT unless it is https://… , or http://… on this machine
 */
export function checkWebhook(address: string): string {
  if (!URL.canParse(address) || address.length > MAX_URL || !isWellFormed(address)) {
    throw bad("the webhook's address is no URL");
  }
  const url = new URL(address);
  const isLocal = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLocal)) {
    throw bad("the webhook's address is https://… : http:// is for this machine alone");
  }
  if (url.username !== "" || url.password !== "" || url.hash !== "") {
    throw bad("the webhook's address has no user and no fragment");
  }
  if (url.href.length > MAX_URL) throw bad("the webhook's address is too long");
  return url.href;
}

/** A webhook's secret as its receiver is told it, once. */
export function secretText(secret: Uint8Array): string {
  return `${PREFIX}${toBase64(secret)}`;
}

const withoutSecret = ({ secret: _, ...receiver }: ReceiverRow): Receiver => receiver;

/**
 * Adds a receiver. An officer, or an owner, has one mail address: another one takes its place, and what waits goes
 * there.
 * @returns the receiver, and the text of the secret that their webhook's messages are signed with, which is shown this
 *   once
 * @throws TwinwrapError BAD_ARGUMENT; NOT_FOUND if there is no such officer or owner; NO_POLICY; LIMIT_EXCEEDED
 */
export async function addReceiver(
  office: Office,
  { who, means, address: given }: NewReceiver,
): Promise<{ receiver: Receiver; secret: string | undefined }> {
  if (who?.role === "owner" && means === "webhook") throw bad("an owner is told by mail");
  const address = means === "mail" ? checkMail(given) : checkWebhook(given);
  const row: ReceiverRow = {
    id: toHex(randomBytes(8)),
    role: who?.role ?? "operator",
    name: who?.name,
    means,
    address,
    secret: means === "webhook" ? randomBytes(SECRET) : undefined,
    created: wholeSeconds(new Date()),
  };
  const secret = row.secret && secretText(row.secret);
  try {
    return await office.store.write((writes) => put(office, writes, row, who, secret));
  } finally {
    wipe(row.secret);
  }
}

async function put(
  office: Office,
  writes: StoreWrites,
  row: ReceiverRow,
  who: NewReceiver["who"],
  secret: string | undefined,
): Promise<{ receiver: Receiver; secret: string | undefined }> {
  const { role, name, means, address } = row;
  if (who !== undefined) await checkKnown(office, writes, who);
  const others = await writes.receivers();
  const present = others.find(
    (one) => one.role === role && one.name === name && one.means === "mail",
  );
  if (means === "mail" && who !== undefined && present !== undefined) {
    await writes.setReceiverAddress(present.id, address);
    return { receiver: withoutSecret({ ...present, address }), secret: undefined };
  }
  const counted = others.filter((one) => one.role !== "owner").length;
  if (role !== "owner" && counted >= MAX_RECEIVERS) {
    const message = `there are ${MAX_RECEIVERS} receivers already: remove one first`;
    throw new TwinwrapError("LIMIT_EXCEEDED", message);
  }
  await writes.insertReceiver(row);
  return { receiver: withoutSecret(row), secret };
}

async function checkKnown(
  office: Office,
  writes: StoreWrites,
  { role, name }: NewReceiver["who"] & object,
): Promise<void> {
  if (role === "officer") {
    const policy = await requirePolicy(office, writes);
    if (policy.officers.some((officer) => officer.name === name)) return;
    const message = `${name} is no officer of policy ${policy.number}, which is in force`;
    throw new TwinwrapError("NOT_FOUND", message);
  }
  checkName(name, "the owner ID");
  const [secret] = await writes.ownerSecrets([name]);
  if (secret !== undefined) return;
  const message = `no owner ${name} is known here: enrol them first, or take in a record of theirs`;
  throw new TwinwrapError("NOT_FOUND", message);
}

/** Everybody who is told, the oldest first. */
export async function receiversOf(reads: StoreReads): Promise<Receiver[]> {
  const rows = await reads.receivers();
  wipe(...rows.map(({ secret }) => secret));
  return rows.map(withoutSecret);
}

/**
 * Tells somebody nothing any more; what waited for them is dropped.
 * @param id of the receiver, or its beginning
 * @throws TwinwrapError NOT_FOUND unless there is just one
 */
export async function removeReceiver(store: Store, id: string): Promise<Receiver> {
  return store.write(async (writes) => {
    const rows = await writes.receivers();
    const [row, ...more] = rows.filter((one) => id !== "" && one.id.startsWith(id.toLowerCase()));
    if (row === undefined || more.length > 0) {
      const why = more.length > 0 ? "several receivers have" : "no receiver has";
      throw new TwinwrapError("NOT_FOUND", `${why} an ID that begins so`);
    }
    await writes.removeReceiver(row.id);
    return withoutSecret(row);
  });
}
