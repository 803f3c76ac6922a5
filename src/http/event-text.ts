import type { Message } from "../authority/deliveries.js";
import type { EventKind } from "../authority/events.js";
import { formatTime } from "../jcs.js";

// What is told of an event: JSON for programs, plain words for people. IDs, numbers, times and links; nothing that a
// requester or an owner wrote.

/** Whose events they are. */
export interface Teller {
  /** The authority's origin. */
  authority: string;
  /** Where others find its service; without it there are no links. */
  url?: URL | undefined;
}

/** The body of a webhook's call, as Standard Webhooks proposes it. */
export function eventJson(teller: Teller, { kind, time, content, owner }: Message): string {
  const data = {
    authority: teller.authority,
    ...content,
    ...(owner === undefined ? {} : { owner }),
    ...linksOf(teller, content),
  };
  return JSON.stringify({ type: kind, timestamp: formatTime(time), data });
}

function linksOf(
  { url }: Teller,
  { request, log }: Message["content"],
): { links?: Record<string, string> } {
  if (url === undefined) return {};
  const links = {
    ...(request === undefined ? {} : { request: new URL(`v1/requests/${request}`, url).href }),
    ...(log === undefined ? {} : { checkpoint: new URL(`log/${log}/checkpoint`, url).href }),
  };
  return Object.keys(links).length === 0 ? {} : { links };
}

/** What happened, in a few words. */
const SUBJECTS: Record<EventKind, string> = {
  request: "a request was taken in",
  approval: "a request was approved by an officer",
  denial: "a request was denied by an officer",
  veto: "a request was vetoed by an owner",
  release: "session keys were released",
  announce: "a weaker policy was announced",
  policy: "a policy came into force",
  authority: "a log ended, and another began",
  enrol: "an owner's control key was enrolled",
  fence: "the log was stopped",
};

/** What it means, and what can be done. */
const MEANINGS: Record<EventKind, string> = {
  request:
    "Somebody asks for session keys. Officers decide about it. If it concerns your records and you did not ask for it, tell the officers, or veto it.",
  approval:
    "An officer approved the request. Once enough have, and its time has come, keys are released.",
  denial: "An officer denied the request.",
  veto: "An owner vetoed the request: only the emergency number of officers can release it now.",
  release: "The session keys that were asked for went out, wrapped for the key in the request.",
  announce:
    "A policy that is weaker than the one in force has the signatures it needs, and comes into force when its time has come. Officers can agree on another one until then.",
  policy: "From now on this policy says who decides.",
  authority: "The officers ended the log. Requests that were open have to be made again.",
  enrol:
    "A control key was enrolled for an owner, or replaced the one before. Whoever holds it can veto requests for this owner's records.",
  fence: "Nothing is taken in until the operator has seen to it.",
};

const EMERGENCY = "It went out on the emergency number of officers, which need not wait.";

/** A mail's subject and text. */
export function eventMail(
  teller: Teller,
  { kind, time, content, owner }: Message,
): { subject: string; text: string } {
  const { request, policy, log, leaf } = content;
  const isEmergency = content.basis === "emergency";
  const what = isEmergency ? "EMERGENCY: session keys were released" : (SUBJECTS[kind] ?? kind);
  const facts: [string, string | number | undefined][] = [
    ["authority", teller.authority],
    ["when", formatTime(time)],
    ["request", request],
    ["request is now", content.status],
    ["your owner ID", owner],
    ["policy", policy],
    ["identity", content.identity],
    ["waits until", content.notBefore],
    ["expires", content.expires],
    ["reason", content.reason],
    ["in the log", leaf === undefined ? undefined : `entry ${leaf} of log ${log}`],
    ...Object.entries(linksOf(teller, content).links ?? {}),
  ];
  const lines = facts.flatMap(([name, value]) =>
    value === undefined ? [] : [`${name.padEnd(15)} ${value}`],
  );
  const text = [
    `${capital(what)}.`,
    "",
    ...lines,
    "",
    MEANINGS[kind] ?? "",
    ...(isEmergency ? [EMERGENCY] : []),
    "",
    "Anybody can send a mail like this one. Check what it says with the authority itself, or with `twinwrap watch`.",
    "",
  ].join("\n");
  return { subject: `${teller.authority}: ${what}`, text };
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
