import { type Command, Option } from "commander";
import type { NewReceiver, Receiver } from "../authority/receivers.js";
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
import { needShown } from "./tell.js";

// Who is told of what happens: operators, officers, owners.

interface AddOptions extends AuthorityOptions {
  webhook?: string;
  mail?: string;
  officer?: string;
  json?: boolean;
}

function factsOf({ id, role, name, means, address, created }: Receiver) {
  return { id, role, name, means, address, since: formatTime(created) };
}

const rowOf = ({ id, role, name, means, address, created }: Receiver): Cell[] => [
  id,
  role,
  outside(name ?? ""),
  means,
  outside(address),
  formatTime(created),
];

async function add(options: AddOptions): Promise<void> {
  const { webhook, mail, officer } = options;
  if ((webhook === undefined) === (mail === undefined)) {
    throw new UsageError("give --webhook or --mail, one of them");
  }
  const means = webhook === undefined ? "mail" : "webhook";
  const who = officer === undefined ? undefined : ({ role: "officer", name: officer } as const);
  await addFor(options, { who, means, address: (webhook ?? mail)! });
}

async function addFor(
  options: AuthorityOptions & { json?: boolean },
  about: NewReceiver,
): Promise<void> {
  if (about.means === "webhook") needShown("the receiver's secret");
  await withService(requireAuthority(options), async (service) => {
    const { receiver, secret } = await asUsage(() => service.addReceiver(about));
    const { id, role, name, address, means } = receiver;
    tell(options, { ...factsOf(receiver), secret }, [
      ["receiver", id],
      [role, outside(name ?? "")],
      [means, outside(address)],
      ...(secret === undefined
        ? []
        : [
            ["secret", secret],
            ["keep it", "it is shown this once: calls that it did not sign are somebody else's"],
          ]),
    ]);
  });
}

async function list(options: ReadingOptions & { json?: boolean }): Promise<void> {
  const work = async (receivers: Receiver[]) => {
    const head: Cell[] = ["id", "role", "name", "by", "address", "since"];
    const rows = receivers.map(rowOf);
    tell(
      options,
      receivers.map(factsOf),
      rows.length === 0 ? "nobody is told of anything\n" : [head, ...rows],
    );
  };
  const { readOnly } = options;
  await withService(requireAuthority(options), async (service) => work(await service.receivers()), {
    readOnly,
  });
}

async function remove(id: string, options: AuthorityOptions & { json?: boolean }): Promise<void> {
  await withService(requireAuthority(options), async (service) => {
    const receiver = await service.removeReceiver(id);
    tell(options, factsOf(receiver), [
      ["removed", receiver.id],
      [receiver.means, outside(receiver.address)],
    ]);
  });
}

export function receiverCommand(): Command {
  const addCommand = newCommand(
    "add",
    "Tells somebody of requests, decisions, releases, policies and fences from now on; shows a webhook's secret once.",
    "twinwrap authority receiver add --webhook https://alerts.example.org/twinwrap\ntwinwrap authority receiver add --mail operators@example.org",
  )
    .addOption(new Option("--webhook <url>", "where messages go, signed as Standard Webhooks says"))
    .addOption(new Option("--mail <address>", "where mail goes"))
    .option("--officer <name>", "it is this officer's: told while the policy names them")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(add);
  const listCommand = newCommand("list", "Lists who is told.", "twinwrap authority receiver list")
    .addOption(authorityOption())
    .addOption(readOnlyOption())
    .addOption(jsonOption())
    .addOption(wholeOption())
    .action(list);
  const removeCommand = newCommand(
    "remove",
    "Tells somebody nothing any more; what waits for them is dropped.",
    "twinwrap authority receiver remove 9f86d081884c7d65",
  )
    .argument("<id>", "the receiver's ID, or the beginning of it")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(remove);
  return newCommand(
    "receiver",
    "Who is told of what happens here.",
    "twinwrap authority receiver add --mail operators@example.org",
  )
    .addCommand(addCommand)
    .addCommand(listCommand)
    .addCommand(removeCommand);
}

/** Where an officer's, or an owner's, mail goes. */
export function mailCommand(role: "officer" | "owner", who: string, example: string): Command {
  return newCommand(
    "mail",
    `Says where ${role === "officer" ? "an officer" : "an owner"} is told by mail of what concerns them; another address takes the place of the one before.`,
    `twinwrap authority ${role} mail ${example}`,
  )
    .argument(`<${role === "officer" ? "name" : "id"}>`, who)
    .argument("<address>", "their mail address")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action((name: string, address: string, options: AuthorityOptions & { json?: boolean }) =>
      addFor(options, { who: { role, name }, means: "mail", address }),
    );
}

export function officerCommand(): Command {
  return newCommand(
    "officer",
    "How officers are told of what happens here.",
    "twinwrap authority officer mail ann ann@example.org",
  ).addCommand(mailCommand("officer", "an officer of the policy in force", "ann ann@example.org"));
}
