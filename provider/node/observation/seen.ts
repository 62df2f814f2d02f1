import { createHash } from "node:crypto";

import type { NodeLayout } from "../../containerd/layout/layout";
import type { ObservedDropIns, ObservedFile } from "../../containerd/observed";
import { mainConfig } from "../../containerd/read/mainConfig";
import { decodeValue, type Reply } from "../session/session";

export interface FileStat {
  digest: string | undefined;
  kind: "file" | "directory" | "link" | "other";
  mode: number;
  uid: number;
  gid: number;
}

/** Lines of `observe` and `look`, put together. */
export class Seen {
  readonly values: Record<string, string> = {};
  readonly files: Record<string, ObservedFile> = {};
  readonly stats: Record<string, FileStat> = {};
  readonly directories = new Set<string>();
  /** Of configuration files: path -> seconds since the epoch at which content or attributes last changed (ctime). */
  readonly changed: Record<string, number> = {};
  /** Kinds of nodes that run there, or would at the next boot. */
  readonly present: { kind: string; unit: string }[] = [];
  truncated = false;

  take(reply: Reply): void {
    for (const line of reply.data) {
      const parts = line.split(" ");
      if (parts[0] === "file") {
        this.file(parts);
      } else if (parts[0] === "dir") {
        this.directories.add(decodeValue(parts[1] ?? ""));
      } else if (parts[0] === "changed") {
        this.changed[decodeValue(parts[1] ?? "")] = Number(parts[2]);
      } else if (parts[0] === "present") {
        this.present.push({ kind: decodeValue(parts[1] ?? ""), unit: decodeValue(parts[2] ?? "") });
      } else if (parts[0] === "truncated") {
        this.truncated = true;
      } else if (parts[0] !== undefined) {
        this.values[parts[0]] = decodeValue(parts[1] ?? "").replace(
          /\n+$/,
          parts[0] === "record" || parts[0] === "dump" ? "\n" : "",
        );
      }
    }
  }

  /** Takes the main configuration in the terms of the layout, and what else names the same places. */
  readMain(layout: NodeLayout, configPath: string): ObservedDropIns | undefined {
    const target = this.values["link"] || undefined;
    for (const name of ["arguments", "dump"]) {
      const text = this.values[name];
      if (layout.link !== undefined && target !== undefined && text !== undefined) {
        this.values[name] = text.replaceAll(`${target}/`, `${layout.link}/`);
      }
    }
    const file = this.files[configPath];
    if (file?.text === undefined) {
      return undefined;
    }
    const { text, dropIns } = mainConfig(file.text, layout, target);
    file.text = text;
    return dropIns;
  }

  private file(parts: string[]): void {
    const [, kind, encodedPath = "", modeText = "0", uid = "0", gid = "0", , link = "-", content = "-"] = parts;
    const path = decodeValue(encodedPath);
    const mode = parseInt(modeText, 8);
    const bytes = content.startsWith(".") ? Buffer.from(content.slice(1), "base64") : undefined;
    this.stats[path] = {
      kind: kind === "f" ? "file" : kind === "d" ? "directory" : kind === "l" ? "link" : "other",
      digest: bytes && kind === "f" ? createHash("sha256").update(bytes).digest("hex") : undefined,
      mode,
      uid: Number(uid),
      gid: Number(gid),
    };
    // A directory is no file; a link to one is, because containerd follows it and a reader should see it.
    if (kind === "d") {
      this.directories.add(path);
      return;
    }
    const text = bytes && utf8(bytes);
    this.files[path] = {
      mode,
      ...(text === undefined ? {} : { text }),
      ...(link === "-" ? {} : { linkTarget: decodeValue(link) }),
    };
  }
}

/** Undefined for what is no text: binary, or in another encoding that we could not give back byte for byte. */
function utf8(bytes: Buffer): string | undefined {
  if (bytes.includes(0)) {
    return undefined;
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
