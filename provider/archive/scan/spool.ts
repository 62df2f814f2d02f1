import { createHash } from "node:crypto";
import { lstatSync, readdirSync } from "node:fs";
import type { FileHandle } from "node:fs/promises";
import { mkdtemp, open, rm } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";

import { bytesText } from "../../model/bytesText";
import type { Digest } from "../../model/digest";
import { messageOf } from "../../model/errors";
import { ArchiveError } from "../archiveError";
import type { RandomSource } from "../decode/byteSource";
import { piecesOf, RegionCursor } from "../decode/byteSource";
import type { Body } from "./entry";
import { BufferBody } from "./entry";

/** Layers up to this size are held in memory instead. */
const inMemory = 8 << 20;

/**
 * What a process's spool folders are called. The host is part of it: containers that share a temporary folder do not
 * see each other's processes, and would take each other's for dead.
 *
 * @internal Exported for the tests, which lay folders of this name.
 */
export function spoolPrefix(pid: number): string {
  const host = createHash("sha256").update(hostname()).digest("hex").slice(0, 8);
  return `pulumi-registry-mirror-spool-${host}-${pid}-`;
}

export interface Spooled {
  digest: Digest;
  body: Body;
  release: () => Promise<void>;
}

/**
 * Where a layer waits whose digest is known only at its end (`docker save` names layers by other ids). A file at a time,
 * in a folder of mode 0700. On POSIX systems neither has a name once the file is open, so that a preview or a push that
 * is ended in the middle, in whatever way, leaves nothing; elsewhere the next run cleans up behind a dead process.
 */
export class Spool {
  constructor(private readonly base: string = tmpdir()) {}

  async keep(body: Body, signal: AbortSignal): Promise<Spooled> {
    const hash = createHash("sha256");
    if (body.size <= inMemory) {
      const parts: Buffer[] = [];
      for await (const piece of body.pieces()) {
        hash.update(piece);
        parts.push(piece);
      }
      return {
        digest: `sha256:${hash.digest("hex")}`,
        body: new BufferBody(Buffer.concat(parts), body.label, body.place),
        release: () => Promise.resolve(),
      };
    }
    const folder = await this.makeFolder();
    const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
    const handle = await open(join(folder, "layer"), "wx+", 0o600).catch(async (error: unknown) => {
      await remove().catch(() => undefined);
      throw spoolError(folder, body, error);
    });
    // Windows keeps the name of an open file.
    const unnamed =
      process.platform !== "win32" &&
      (await remove().then(
        () => true,
        () => false,
      ));
    const release = async (): Promise<void> => {
      await handle.close();
      if (!unnamed) {
        await remove();
      }
    };
    try {
      for await (const piece of body.pieces()) {
        signal.throwIfAborted();
        hash.update(piece);
        await writeAll(handle, piece).catch((error: unknown) => {
          throw spoolError(folder, body, error);
        });
      }
    } catch (error) {
      await release();
      throw error;
    }
    return { digest: `sha256:${hash.digest("hex")}`, body: new SpooledBody(handle, body.size, body.label), release };
  }

  private makeFolder(): Promise<string> {
    return mkdtemp(join(this.base, spoolPrefix(process.pid))).catch((error: unknown) => {
      throw new ArchiveError(
        "ARCHIVE_SPOOL",
        `No temporary folder can be made in ${this.base}: ${messageOf(error)}. Set TMPDIR (TEMP on Windows) or spoolDir to a folder that can be written.`,
        { cause: error },
      );
    });
  }
}

class SpooledBody implements Body {
  readonly repeatable = true;
  private readonly source: RandomSource;

  constructor(
    handle: FileHandle,
    readonly size: number,
    readonly label: string,
  ) {
    this.source = {
      label,
      size,
      readAt: async (position, max) => {
        const { bytesRead, buffer } = await handle.read(
          Buffer.allocUnsafeSlow(Math.min(max, size - position)),
          0,
          Math.min(max, size - position),
          position,
        );
        return buffer.subarray(0, bytesRead);
      },
      close: () => Promise.resolve(),
    };
  }

  peek(count: number): Promise<Buffer> {
    return new RegionCursor(this.source).peek(count);
  }

  async *pieces(): AsyncGenerator<Buffer> {
    yield* piecesOf(new RegionCursor(this.source));
  }
}

async function writeAll(handle: FileHandle, piece: Buffer): Promise<void> {
  let at = 0;
  while (at < piece.length) {
    at += (await handle.write(piece, at)).bytesWritten;
  }
}

function spoolError(folder: string, body: Body, error: unknown): ArchiveError {
  const full = typeof error === "object" && error !== null && "code" in error && error.code === "ENOSPC";
  return new ArchiveError(
    "ARCHIVE_SPOOL",
    `${body.label} (${bytesText(body.size)}) does not fit into the temporary folder ${folder}: ${full ? "the disk is full" : messageOf(error)}. Free space there, or set TMPDIR (TEMP on Windows) or spoolDir to a folder with room.`,
    { cause: error },
  );
}

/** Removes the spool folders of processes that are gone. Never fails: a folder that stays is not worth a push. */
export async function cleanSpools(base: string = tmpdir()): Promise<void> {
  let names: string[];
  try {
    names = readdirSync(base);
  } catch {
    return;
  }
  for (const name of names) {
    const owner = /-([0-9]+)-[^-]*$/.exec(name)?.[1];
    if (owner === undefined || !name.startsWith(spoolPrefix(Number(owner))) || isAlive(Number(owner))) {
      continue;
    }
    try {
      const folder = join(base, name);
      const facts = lstatSync(folder);
      // Others may write to the same temporary folder: only our own folders, never through a link.
      if (facts.isDirectory() && (process.getuid === undefined || facts.uid === process.getuid())) {
        await rm(folder, { recursive: true, force: true });
      }
    } catch {
      continue;
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    // EPERM: alive, but someone else's.
    return !(error instanceof Error && "code" in error && error.code === "ESRCH");
  }
}
