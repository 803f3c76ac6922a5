import type { Command } from "commander";
import type { ShownDelivery } from "../authority/deliveries.js";
import { formatTime } from "../jcs.js";
import { type Cell, outside } from "../text.js";
import { withService } from "./authority-io.js";
import {
  type AuthorityOptions,
  authorityOption,
  type ReadingOptions,
  readOnlyOption,
  requireAuthority,
} from "./authority-options.js";
import { jsonOption, newCommand, UsageError, wholeOption } from "./command.js";
import { tell } from "./io.js";
import { asUsage } from "./report.js";

// What was not told yet, or was given up.

interface EventsOptions extends ReadingOptions, AuthorityOptions {
  dead?: boolean;
  retry?: string;
  json?: boolean;
}

function factsOf({ receiver, due, time, ...rest }: ShownDelivery) {
  const { id, role, name, means, address } = receiver;
  const to = { id, role, name, means, address };
  return { ...rest, time: formatTime(time), due: formatTime(due), receiver: to };
}

const whoOf = ({ receiver: { role, name, address } }: ShownDelivery): Cell =>
  outside(`${role}${name === undefined ? "" : ` ${name}`}: ${address}`);

function rowOf(delivery: ShownDelivery): Cell[] {
  const { id, kind, time, state, attempts, due, reason, content } = delivery;
  const what = content.request ?? (content.policy === undefined ? "" : `policy ${content.policy}`);
  return [
    id,
    kind,
    what,
    formatTime(time),
    whoOf(delivery),
    state === "dead" ? "given up" : `due ${formatTime(due)}`,
    String(attempts),
    outside(reason ?? ""),
  ];
}

async function events(options: EventsOptions): Promise<void> {
  const { dead = false, retry, readOnly } = options;
  if (retry !== undefined && (dead || readOnly)) {
    throw new UsageError("--retry stands alone: it changes one delivery");
  }
  await withService(
    requireAuthority(options),
    async (service) => {
      if (retry !== undefined) {
        const delivery = await asUsage(() => service.retryDelivery(retry));
        tell(options, factsOf(delivery), [
          ["due again", delivery.id],
          ["to", whoOf(delivery)],
          ["event", delivery.kind],
        ]);
        return;
      }
      const given = await service.deliveries("dead");
      const deliveries = dead ? given : [...given, ...(await service.deliveries("waiting"))];
      const head: Cell[] = ["id", "event", "about", "of", "to", "state", "attempts", "because"];
      const none = dead ? "nothing was given up\n" : "nothing waits, and nothing was given up\n";
      tell(
        options,
        deliveries.map(factsOf),
        deliveries.length === 0 ? none : [head, ...deliveries.map(rowOf)],
      );
    },
    { readOnly },
  );
}

export function eventsCommand(): Command {
  return newCommand(
    "events",
    "Lists what somebody was not told yet, or was given up after 30 attempts (about 20 hours).",
    "twinwrap authority events --dead\ntwinwrap authority events --retry 12-9f86d081884c7d65",
  )
    .option("--dead", "only what was given up")
    .option("--retry <id>", "begin this one again, at once")
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(events);
}
