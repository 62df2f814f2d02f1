import { createHash } from "node:crypto";
import { posix } from "node:path";

import { NodeError } from "../nodeError";

/** One line of the journal; what each kind does stands in remote/transaction.ts. */
export type JournalOperation =
  | { kind: "d"; path: string; mode: number }
  | { kind: "s"; id: string; path: string; had: string }
  | { kind: "k"; path: string; had: string; suffix: string }
  | { kind: "w"; path: string; had: string; text: string; mode: number; restart: boolean }
  | { kind: "c"; path: string; had: string; original: string; restart: boolean }
  | { kind: "x"; path: string; had: string; restart: boolean }
  | { kind: "y"; path: string; had: string }
  | { kind: "v"; id: string; path: string; digest: string }
  | { kind: "f"; id: string }
  | { kind: "z"; path: string };

export function digestOf(text: string): string {
  return createHash("sha256").update(text, "utf8").digest("hex");
}

/** The journal's text. An operation's number is its place in the list, unless it has an id of its own. */
export function formatJournal(operations: JournalOperation[]): string {
  return operations
    .map((op, index) => {
      const fields = (n: string, had = "-", next = "-", flags = "-", mode = "-", path = "-") =>
        [op.kind, n, had, next, flags, mode, path].join(" ");
      const octal = (mode: number) => mode.toString(8).padStart(4, "0");
      const flag = (restart: boolean) => (restart ? "r" : "-");
      const n = String(index);
      switch (op.kind) {
        case "d":
          return fields(n, "-", "-", "-", octal(op.mode), op.path);
        case "s":
          return fields(op.id, op.had, "-", "-", "-", op.path);
        case "k":
          return fields(n, op.had, op.suffix, "-", "-", op.path);
        case "w":
          return fields(n, op.had, digestOf(op.text), flag(op.restart), octal(op.mode), op.path);
        case "c":
          return fields(n, op.had, op.original, flag(op.restart), "-", op.path);
        case "x":
          return fields(n, op.had, "-", flag(op.restart), "-", op.path);
        case "y":
          return fields(n, op.had, "-", "-", "-", op.path);
        case "v":
          return fields(op.id, "-", op.digest, "-", "-", op.path);
        case "f":
          return fields(op.id);
        case "z":
          return fields(n, "-", "-", "-", "-", op.path);
      }
    })
    .map((line) => `${line}\n`)
    .join("");
}

/**
 * A path that may be written: absolute, normal, without what a line of the journal cannot carry.
 * Paths come from arguments (hostsDir, host names), so a bad one is a user's error.
 */
export function requirePath(node: string, path: string): void {
  if (
    !posix.isAbsolute(path) ||
    posix.normalize(path) !== path ||
    path.endsWith("/") ||
    /[\x00-\x1f\x7f]/.test(path) ||
    path !== path.trim()
  ) {
    throw new NodeError(
      "NODE_FILES",
      node,
      `"${path.replace(/[\x00-\x1f\x7f]/g, "?")}" is no path that can be written: it must be absolute, without "..", ` +
        "double or trailing slashes, and without control characters or spaces at its ends",
    );
  }
}
