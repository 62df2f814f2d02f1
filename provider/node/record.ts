/** What this provider owns on a node; kept there as /var/lib/registry-mirror/record. */
export interface NodeRecord {
  /** URN of the resource that configures this node, as it was at its last change; for people. */
  owner: string;
  /** What the resource's state holds too: whose node this is. A record of 0.1.0 has none. */
  token?: string;
  files: OwnedFile[];
  /** Directories that we made, outermost first. */
  directories: string[];
}

export interface OwnedFile {
  path: string;
  /** Digest (hex sha256) of what we last wrote. */
  digest: string;
  /** Id of the saved original below originals/; undefined when nothing stood there before us. */
  original: string | undefined;
  /** Digest of the saved original. */
  originalDigest: string | undefined;
  /**
   * Id of a copy of what we wrote, kept where an original is: with both, our part can be told from a later foreign
   * change.
   */
  written: string | undefined;
  /** containerd reads it only at its start. */
  restart: boolean;
}

export const statePath = "/var/lib/registry-mirror";
export const recordPath = `${statePath}/record`;

export function savedPath(id: string): string {
  return `${statePath}/originals/${id}`;
}

const header = "registry-mirror record 1";

export function formatRecord(record: NodeRecord): string {
  return [
    header,
    `owner ${Buffer.from(record.owner, "utf8").toString("base64")}`,
    ...(record.token === undefined ? [] : [`token ${record.token}`]),
    ...record.directories.map((path) => `dir ${path}`),
    ...[...record.files]
      .sort((a, b) => (a.path < b.path ? -1 : 1))
      .map(
        (f) =>
          `file ${f.digest} ${f.original ?? "absent"} ${f.originalDigest ?? "-"} ${f.written ?? "-"} ${f.restart ? "r" : "-"} ${f.path}`,
      ),
    "",
  ].join("\n");
}

/** Undefined for a text that is no record (or of a later version of this package). */
export function parseRecord(text: string): NodeRecord | undefined {
  const [first, ...lines] = text.split("\n");
  if (first !== header) {
    return undefined;
  }
  const record: NodeRecord = { owner: "", files: [], directories: [] };
  for (const line of lines) {
    const [kind] = line.split(" ", 1);
    if (kind === "owner") {
      record.owner = Buffer.from(line.slice(6), "base64").toString("utf8");
    } else if (kind === "token") {
      record.token = line.slice(6);
    } else if (kind === "dir") {
      record.directories.push(line.slice(4));
    } else if (kind === "file") {
      const match = /^file ([0-9a-f]{64}) (\S+) (\S+) (\S+) ([r-]) (\/.*)$/.exec(line);
      if (!match) {
        return undefined;
      }
      const [, digest = "", original, originalDigest, written, flag, path = ""] = match;
      record.files.push({
        path,
        digest,
        restart: flag === "r",
        original: original === "absent" ? undefined : original,
        originalDigest: originalDigest === "-" ? undefined : originalDigest,
        written: written === "-" ? undefined : written,
      });
    } else if (line !== "") {
      return undefined;
    }
  }
  return record;
}
