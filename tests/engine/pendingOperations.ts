import { diagnostic, type Report } from "./diagnostics";
import type { PendingOperation } from "./state";

/** Tells what an engine that was killed had begun: nobody but the user can find out what became of it. */
export function warnOfPendingOperations(pending: PendingOperation[], report: Report): void {
  if (pending.length === 0) return;
  const list = pending.map(({ type, resource }) => `  * ${resource.urn}, interrupted while ${type}\n`).join("");
  report(
    diagnostic(
      "warning",
      "",
      `Attempting to deploy or update resources with ${pending.length} pending operations from previous deployment.\n${list}` +
        "These resources are in an unknown state because the engine was interrupted while waiting for changes to them to complete. " +
        "Check each with its provider; then `refresh` brings the state up to date (with --clear-pending-creates for interrupted creates).",
    ),
  );
}
