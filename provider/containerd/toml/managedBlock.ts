/**
 * Tables that we add to a config.toml stand together between two comment lines, so that the next run, and a person, can
 * tell them from the node's own.
 */
const begin = "# >>> pulumi-registry-mirror: managed tables, a change made here by hand shows as drift";
const beginStart = "# >>> pulumi-registry-mirror";
const end = "# <<< pulumi-registry-mirror";

export interface SplitText {
  /** The text without our block. */
  before: string;
  /** Our block with its comment lines, or "". */
  block: string;
  after: string;
}

/**
 * Takes a config.toml apart. A block without its last line (cut by hand) counts as foreign text: nothing is thrown
 * away.
 */
export function splitManagedBlock(text: string): SplitText {
  const from = text.search(new RegExp(`^${beginStart}`, "m"));
  if (from < 0) {
    return { before: text, block: "", after: "" };
  }
  const rest = text.slice(from);
  const stop = new RegExp(`^${end}[^\\n]*(?:\\n|$)`, "m").exec(rest);
  if (stop === null) {
    return { before: text, block: "", after: "" };
  }
  const to = from + stop.index + stop[0].length;
  return { before: text.slice(0, from), block: text.slice(from, to), after: text.slice(to) };
}

/** A block out of its lines, "" for none. */
export function managedBlock(lines: string[], newline: string): string {
  return lines.length === 0 ? "" : [begin, ...lines, end, ""].join(newline);
}

/** The node's own text: what is left without our block and the blank line that we put before it. */
export function withoutManagedBlock(text: string): string {
  const { before, block, after } = splitManagedBlock(text);
  return block === "" ? text : before.replace(/(\r?\n)\r?\n$/, "$1") + after;
}
