import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readlink, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import type { OpenOptions, PackageBlob, PackageIndex } from "../../../../provider/archive/imagePackage";
import { openPackage } from "../../../../provider/archive/openPackage";

/** A temporary folder for one test file, with one for spools and one for the cache in it. */
export class Bench {
  folder = "";

  get spoolDir(): string {
    return join(this.folder, "spool");
  }

  get cacheDir(): string {
    return join(this.folder, "cache");
  }

  async open(): Promise<void> {
    this.folder = await mkdtemp(join(tmpdir(), "archive-test-"));
    await mkdir(this.spoolDir);
  }

  async close(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  spooled(): Promise<string[]> {
    return readdir(this.spoolDir);
  }
}

/** What a process has open below that folder, under the names that the files had; nothing where the system does not tell. */
export async function spooledFiles(pid: number, folder: string): Promise<string[]> {
  const handles = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const files = await Promise.all(handles.map((fd) => readlink(`/proc/${pid}/fd/${fd}`).catch(() => "")));
  return files.filter((file) => file.startsWith(folder));
}

export interface Reading {
  index: PackageIndex;
  /** Whether the index was known before the pass. */
  known: boolean;
  /** Digests in the order in which they came, contents checked. */
  given: string[];
  contents: Map<string, Buffer>;
  progress: [number, number][];
}

export async function contentOf(blob: PackageBlob): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const chunk of blob.open() as AsyncIterable<Buffer>) {
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** Opens a package and takes everything that is wanted of it. */
export async function readAll(
  path: string,
  bench: Bench,
  options: Partial<OpenOptions> & { wanted?: (digest: string) => boolean } = {},
): Promise<Reading> {
  const { wanted, ...rest } = options;
  const image = await openPackage(path, { spoolDir: bench.spoolDir, cacheDir: false, ...rest });
  const given: string[] = [];
  const contents = new Map<string, Buffer>();
  const progress: [number, number][] = [];
  try {
    const known = (await image.index()) !== undefined;
    const index = await image.read({
      signal: new AbortController().signal,
      wanted: (digest) => wanted?.(digest) ?? true,
      async blob(blob) {
        const content = await contentOf(blob);
        if (
          `sha256:${createHash("sha256").update(content).digest("hex")}` !== blob.digest ||
          content.length !== blob.size
        ) {
          throw new Error(`${blob.digest} came with other content`);
        }
        given.push(blob.digest);
        contents.set(blob.digest, content);
      },
      progress: (done, total) => progress.push([done, total]),
    });
    return { index, known, given, contents, progress };
  } finally {
    await image.close();
  }
}
