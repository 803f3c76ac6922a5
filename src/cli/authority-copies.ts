import type { Command } from "commander";
import {
  backupDirectory,
  importDirectory,
  migrateDirectory,
  restoreDirectory,
} from "../authority/copies.js";
import { openDirectory } from "../authority/directory.js";
import { piecesOf } from "../authority/pieces.js";
import { type AuthorityOptions, authorityOption, requireAuthority } from "./authority-options.js";
import {
  addOutputOptions,
  jsonOption,
  newCommand,
  type OutputOptions,
  UsageError,
} from "./command.js";
import { outputFor, tell, withInput } from "./io.js";
import { addStoreOptions, type StoreOptions, storePlace } from "./store-options.js";

// Copies of an authority, and its way into another store.

interface JsonOption {
  json?: boolean;
}

async function backup(to: string, options: AuthorityOptions & JsonOption): Promise<void> {
  await backupDirectory(requireAuthority(options), to);
  const rows = [["backup", `${to} (it holds the authority's private keys)`]];
  tell(options, { backup: to, holdsPrivateKeys: true }, rows);
}

export function backupCommand(): Command {
  return newCommand(
    "backup",
    "Copies the authority, as of one moment, into a new folder.",
    "twinwrap authority backup /mnt/backup/2027-01-31",
  )
    .argument("<dir>", "folder to make")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(backup);
}

async function restore(
  from: string,
  path: string,
  options: StoreOptions & JsonOption,
): Promise<void> {
  await restoreDirectory(from, path, { store: await storePlace(options) });
  tell(options, { restored: path, fenced: true }, [
    ["restored", path],
    ["next", "twinwrap authority log unfence, with the newest that is known outside"],
  ]);
}

export function restoreCommand(): Command {
  const command = newCommand(
    "restore",
    "Makes an authority's folder from a backup. Its log may not grow before `authority log unfence`.",
    "twinwrap authority restore /mnt/backup/2027-01-31 backup",
  )
    .argument("<backup>", "folder of the backup")
    .argument("<dir>", "folder to make");
  return addStoreOptions(command).addOption(jsonOption()).action(restore);
}

interface ExportCommandOptions extends AuthorityOptions, OutputOptions, JsonOption {
  move?: boolean;
}

async function exportStore(options: ExportCommandOptions): Promise<void> {
  const { output, move } = options;
  if (output === undefined) throw new UsageError("give -o FILE for the export");
  const folder = requireAuthority(options);
  const write = await outputFor([folder], output, options);
  const service = await openDirectory(folder);
  try {
    // Owners' secrets are in it.
    await write(
      piecesOf((sink) => service.export(sink, { move })),
      0o600,
    );
  } finally {
    await service.close();
  }
  const rows = [
    ["export", `${output} (it holds the secrets of owners, and no key)`],
    ...(move ? [["moved", "this authority's log grows no more: import the export now"]] : []),
  ];
  tell(options, { export: output, moved: move ?? false }, rows, output);
}

export function exportCommand(): Command {
  const command = newCommand(
    "export",
    "Writes everything that the authority's store holds into one file, as of one moment. Keys are not in it.",
    "twinwrap authority export -o acme.export --move",
  );
  addOutputOptions(command, "where the export goes");
  return command
    .option("--move", "the export goes on in this one's place: this authority's log is fenced")
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(exportStore);
}

interface ImportCommandOptions extends StoreOptions, JsonOption {
  keys: string;
}

async function importStore(
  file: string,
  path: string,
  options: ImportCommandOptions,
): Promise<void> {
  const store = await storePlace(options);
  const { isMoved } = await withInput(file, (input) =>
    importDirectory(input.pieces(), path, { keys: options.keys, store }),
  );
  tell(options, { imported: path, fenced: !isMoved }, [
    ["imported", `${path}; its log verified, its rows not: twinwrap authority log verify`],
    isMoved
      ? ["log", "it goes on at once: its source was fenced"]
      : ["next", "twinwrap authority log unfence, with the newest that is known outside"],
  ]);
}

export function importCommand(): Command {
  const command = newCommand(
    "import",
    "Makes an authority's folder from an export, and from the keys of another folder.",
    "twinwrap authority import acme.export office --keys backup --store postgres://acme@db.example.org/escrow",
  )
    .argument("<export>", "what `authority export` wrote")
    .argument("<dir>", "folder to make")
    .requiredOption("--keys <dir>", "folder of the authority, or of a backup: its keys are copied");
  return addStoreOptions(command).addOption(jsonOption()).action(importStore);
}

async function migrate(options: AuthorityOptions & JsonOption): Promise<void> {
  const isChanged = await migrateDirectory(requireAuthority(options));
  const text = isChanged ? "brought up to date" : "it is up to date: nothing was changed";
  tell(options, { changed: isChanged }, [["store", text]]);
}

export function migrateCommand(): Command {
  return newCommand(
    "migrate",
    "Brings the tables of the authority's store up to date, after a new version of Twinwrap was installed.",
    "twinwrap authority migrate --authority backup",
  )
    .addOption(authorityOption())
    .addOption(jsonOption())
    .action(migrate);
}
