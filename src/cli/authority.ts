import type { Command } from "commander";
import { approveCommand, denyCommand } from "./authority-approve.js";
import {
  backupCommand,
  exportCommand,
  importCommand,
  migrateCommand,
  restoreCommand,
} from "./authority-copies.js";
import { enrolCommand } from "./authority-enrol.js";
import { eventsCommand } from "./authority-events.js";
import { infoCommand } from "./authority-info.js";
import { initCommand } from "./authority-init.js";
import { intakeCommand, verifyCommand } from "./authority-intake.js";
import { logCommand } from "./authority-log.js";
import { ownerCommand } from "./authority-owner.js";
import { policyCommand } from "./authority-policy.js";
import { officerCommand, receiverCommand } from "./authority-receiver.js";
import { listCommand, showCommand } from "./authority-records.js";
import { releaseCommand, requestsCommand } from "./authority-requests.js";
import { serveCommand } from "./authority-serve.js";
import { tokenCommand } from "./authority-token.js";
import { newCommand } from "./command.js";

export function command(): Command {
  return newCommand(
    "authority",
    "Runs a backup authority: takes session keys in, and releases them when its officers agree.",
    "twinwrap authority init backup --officer ann=ann.pub.pem --officer bob=bob.pub.pem\nexport TWINWRAP_AUTHORITY=backup\ntwinwrap authority policy sign -k ann.pem",
  )
    .addCommand(initCommand())
    .addCommand(policyCommand())
    .addCommand(infoCommand())
    .addCommand(ownerCommand())
    .addCommand(officerCommand())
    .addCommand(receiverCommand())
    .addCommand(eventsCommand())
    .addCommand(enrolCommand())
    .addCommand(tokenCommand())
    .addCommand(serveCommand())
    .addCommand(intakeCommand())
    .addCommand(verifyCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(requestsCommand())
    .addCommand(approveCommand())
    .addCommand(denyCommand())
    .addCommand(releaseCommand())
    .addCommand(logCommand())
    .addCommand(backupCommand())
    .addCommand(restoreCommand())
    .addCommand(exportCommand())
    .addCommand(importCommand())
    .addCommand(migrateCommand());
}
